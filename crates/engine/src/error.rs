//! The one error of the engine: what went wrong, on which side, at which object.
//!
//! Promises: a caller branches on [`ErrorKind`] alone; one `match` maps server codes to kinds
//! (that of SQL Server is in [`crate::mssql::refusal`]), one maps kinds to retry, advice and exit code. Our own words never hold row values or secrets. The
//! server's text is kept apart in [`Error::server`]: it may quote a value (`Duplicate entry '7'`),
//! so logs use [`Error::without_server_text`].
//!
//! Deliberately not here: retry loops, rendering for terminals, cloud error codes.

use std::fmt;

/// What the engine's functions give back.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller branches on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: a malformed URL, options that contradict each other.
    Usage,
    /// No server answered, or it takes no more connections.
    Unreachable,
    /// The server refused the login.
    AccessDenied,
    /// The database named by the endpoint is not there (raised by connecting, not by a statement).
    UnknownDatabase,
    /// No encrypted connection as demanded.
    Tls,
    /// An established connection ended.
    LostConnection,
    /// The server refused a statement for a reason none of the other kinds names.
    Statement,
    /// A statement is larger than the server accepts.
    TooLarge,
    /// The server has no space left.
    DiskFull,
    /// The account may not do this.
    Privilege,
    /// The server chose this transaction as a deadlock's victim; it is rolled back.
    Deadlock,
    /// A lock was not given in time.
    LockWait,
    /// A file cannot be read or is malformed.
    Input,
    /// Our policy refuses this.
    Refused,
    /// An import or a copy cannot be resumed.
    Resume,
    /// Another process has taken the import over: this one writes nothing any more.
    Superseded,
    /// Stopped by the user or by `KILL QUERY`.
    Interrupted,
    /// A fault of ours.
    Internal,
}

/// Whose side the trouble is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The file that is read.
    Input,
    /// The server that is read.
    Source,
    /// The server that is written.
    Target,
    /// Ourselves.
    Internal,
}

/// May the same work be tried again?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It would fail the same way.
    Never,
    /// After a short pause, on a fresh connection where the old one is gone.
    Soon,
}

/// When a server said no: the same code means another thing while connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Until the session is ready.
    Connect,
    /// Afterwards.
    Statement,
}

/// Where in file and database it happened; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The file as the user named it.
    pub file: Option<String>,
    /// Line in the file, from 1.
    pub line: Option<u64>,
    /// Byte offset in the (decompressed) file, from 0.
    pub offset: Option<u64>,
    /// Schema (database).
    pub schema: Option<String>,
    /// Table.
    pub table: Option<String>,
    /// Row within the statement, from 1.
    pub row: Option<u64>,
    /// Where that row begins: its line and its byte offset, counted as those of the statement.
    pub row_at: Option<(u64, u64)>,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// Its error number.
    pub code: u32,
    /// What it says beside the number.
    pub state: State,
    /// Its text; may quote values.
    pub message: String,
}

/// What a server says beside an error's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// MySQL and MariaDB: five characters.
    Sql(String),
    /// SQL Server: how severe it is (from 20 on the connection is closed), and a number that tells
    /// places of one error apart.
    Severity {
        /// How severe.
        class: u8,
        /// Which place.
        state: u8,
    },
}

/// The engine's error.
#[derive(Debug)]
pub struct Error {
    /// What to branch on.
    pub kind: ErrorKind,
    /// Whose trouble it is.
    pub side: Side,
    /// Where.
    pub object: Box<Object>,
    /// What the server said, when it was a server that said no.
    pub server: Option<Box<ServerError>>,
    /// Our own words: a lower-case fragment without row values and secrets.
    pub message: String,
    /// The error underneath.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that no server raised.
    pub fn new(kind: ErrorKind, side: Side, message: impl Into<String>) -> Self {
        let object = Box::default();
        Self { kind, side, object, server: None, message: message.into(), source: None }
    }

    /// An error that MySQL or MariaDB raised; the kind follows from the code and the phase.
    pub fn from_server(
        phase: Phase,
        side: Side,
        server: ServerError,
        message: impl Into<String>,
    ) -> Self {
        let kind = server_kind(phase, &server);
        Self { server: Some(Box::new(server)), ..Self::new(kind, side, message) }
    }

    /// Keeps the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Names the other side; connections say target unless told.
    #[must_use]
    pub fn on(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// Says where in the file.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: u64, offset: u64) -> Self {
        self.object.file = Some(file.into());
        self.object.line = Some(line);
        self.object.offset = Some(offset);
        self
    }

    /// Says which table; the schema may be unknown.
    #[must_use]
    pub fn in_table(mut self, schema: Option<&str>, table: impl Into<String>) -> Self {
        self.object.schema = schema.map(str::to_owned);
        self.object.table = Some(table.into());
        self
    }

    /// Says which row of the statement, from 1.
    #[must_use]
    pub fn in_row(mut self, row: u64) -> Self {
        self.object.row = Some(row);
        self
    }

    /// The server's error number.
    pub fn code(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.code)
    }

    /// May the same work be tried again?
    pub fn retry(&self) -> Retry {
        policy(self.kind).retry
    }

    /// What the operator can do next.
    pub fn advice(&self) -> Option<&'static str> {
        let is_sql_server = |server: &ServerError| matches!(server.state, State::Severity { .. });
        match self.kind {
            ErrorKind::LockWait if self.server.as_deref().is_some_and(is_sql_server) => {
                Some("find who holds the lock: sys.dm_tran_locks, sys.dm_exec_requests")
            }
            ErrorKind::TooLarge if self.server.as_deref().is_some_and(is_sql_server) => None,
            kind => policy(kind).advice,
        }
    }

    /// The process's exit code: 1 the data failed, 2 usage, 3 a server was out of reach or refused
    /// the login, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        policy(self.kind).exit_code
    }

    /// The error as one line for logs: without the server's text, which may quote row values.
    pub fn without_server_text(&self) -> String {
        let code = self.code().map(|code| format!(": server error {code}")).unwrap_or_default();
        format!("{}{}{code}", self.message, self.object)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.message, self.object)?;
        match &self.server {
            Some(server) => write!(f, ": {server}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever the server wrote.
        let message = self.message.replace(['\n', '\r'], " ");
        write!(f, "server error {} ({}): {message}", self.code, self.state)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Sql(state) => f.write_str(state),
            State::Severity { class, state } => write!(f, "class {class} state {state}"),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, ", {file}")?;
        }
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " byte {offset}")?;
        }
        match (&self.schema, &self.table) {
            (Some(schema), Some(table)) => write!(f, ", table {schema}.{table}")?,
            (Some(schema), None) => write!(f, ", schema {schema}")?,
            (None, Some(table)) => write!(f, ", table {table}")?,
            (None, None) => {}
        }
        match self.row {
            Some(row) => {
                write!(f, ", row {row}")?;
                match self.row_at {
                    Some((line, offset)) => write!(f, " (line {line} byte {offset})"),
                    None => Ok(()),
                }
            }
            None => Ok(()),
        }
    }
}

/// What follows from a kind.
struct Policy {
    retry: Retry,
    exit_code: u8,
    advice: Option<&'static str>,
}

/// The one table from kind to consequences.
fn policy(kind: ErrorKind) -> Policy {
    use Retry::{Never, Soon};
    let (retry, exit_code, advice) = match kind {
        ErrorKind::Usage => (Never, 2, None),
        ErrorKind::Unreachable => {
            (Soon, 3, Some("check that the server runs, and its host name, port and firewall"))
        }
        ErrorKind::AccessDenied => {
            (Never, 3, Some("check user, password and the hosts the account may come from"))
        }
        ErrorKind::UnknownDatabase => {
            (Never, 3, Some("create the database first, or connect without naming one"))
        }
        ErrorKind::Tls => {
            (Never, 3, Some("check tls=, ca= and the server's certificate, or choose a lower tls="))
        }
        ErrorKind::LostConnection => {
            (Soon, 3, Some("look into the server's error log: was it stopped, or short of memory?"))
        }
        ErrorKind::Statement => (Never, 1, None),
        ErrorKind::TooLarge => (Never, 1, Some("raise max_allowed_packet on the server")),
        ErrorKind::DiskFull => (
            Never,
            1,
            Some("free space on the server (its temporary folder counts, too), then resume"),
        ),
        ErrorKind::Privilege => (Never, 1, Some("grant the account what the statement needs")),
        ErrorKind::Deadlock => (Soon, 1, None),
        ErrorKind::LockWait => {
            (Soon, 1, Some("find who holds the lock: SHOW ENGINE INNODB STATUS"))
        }
        ErrorKind::Input => (Never, 1, Some("check that the file is complete and readable")),
        ErrorKind::Refused => (Never, 1, Some("see what --policy and --allow-file-access allow")),
        ErrorKind::Resume => (Never, 2, Some("without --resume it begins anew at the start")),
        ErrorKind::Superseded => (Never, 3, Some("it goes on where it was taken over")),
        ErrorKind::Interrupted => (Never, 130, None),
        ErrorKind::Internal => (Never, 1, Some("this is a fault of dbferry: please report it")),
    };
    Policy { retry, exit_code, advice }
}

/// The one table from the codes of MySQL and MariaDB to kinds.
fn server_kind(phase: Phase, server: &ServerError) -> ErrorKind {
    if is_disk_full(server) {
        return ErrorKind::DiskFull;
    }
    match (phase, server.code) {
        // MySQL's "disconnected because of inactivity"; on MariaDB 4031 is about triggers.
        (_, 4031) if server.message.contains("disconnected") => ErrorKind::LostConnection,
        (_, 1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 3169) => {
            ErrorKind::LostConnection
        }
        (_, 1153 | 1162) => ErrorKind::TooLarge,
        (_, 1205 | 3572) => ErrorKind::LockWait,
        (_, 1213 | 1614) => ErrorKind::Deadlock,
        (_, 1317 | 3024 | 1969) => ErrorKind::Interrupted,
        (_, 3159) => ErrorKind::Tls,
        // LOAD DATA LOCAL on a server that has it switched off.
        (Phase::Statement, 1148 | 3948 | 4166) => ErrorKind::Refused,
        (Phase::Connect, 1040 | 1042 | 1043 | 1129 | 1203 | 1226) => ErrorKind::Unreachable,
        (Phase::Connect, 1115 | 1231) => ErrorKind::Usage,
        (Phase::Connect, 1049) => ErrorKind::UnknownDatabase,
        (
            Phase::Connect,
            1044 | 1045 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 2049 | 2059 | 2061 | 3118
            | 3955 | 4151,
        ) => ErrorKind::AccessDenied,
        // An account that may not, or a server that lets nobody: read only, --secure-file-priv.
        (
            Phase::Statement,
            1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1370 | 1419 | 1698 | 1792 | 1820 | 1836
            | 4006,
        ) => ErrorKind::Privilege,
        (Phase::Connect | Phase::Statement, _) => ErrorKind::Statement,
    }
}

/// "The table is full" is InnoDB's way of saying it, and "Temporary file write failure" where keys are
/// sorted; other file errors carry the system's number.
fn is_disk_full(server: &ServerError) -> bool {
    const MARKS: [&str; 5] =
        ["errno: 28", "Errcode: 28", "error 28 ", "error: 28", "No space left on device"];
    match server.code {
        1021 | 1114 | 1878 => true,
        // Only texts about files are searched: other texts quote values.
        3 | 14 | 20 | 1004 | 1005 | 1006 | 1025 | 1026 | 1030 | 1034 => {
            MARKS.iter().any(|mark| server.message.contains(mark))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(phase: Phase, code: u32, message: &str, kind: ErrorKind, exit_code: u8) {
        let server =
            ServerError { code, state: State::Sql("HY000".into()), message: message.into() };
        let error = Error::from_server(phase, Side::Target, server, "run statement");
        assert_eq!((error.kind, error.exit_code()), (kind, exit_code), "{error}");
    }

    #[test]
    fn the_same_code_depends_on_the_phase() {
        check(Phase::Connect, 1049, "Unknown database 'x'", ErrorKind::UnknownDatabase, 3);
        check(Phase::Statement, 1049, "Unknown database 'x'", ErrorKind::Statement, 1);
        check(Phase::Connect, 1044, "Access denied", ErrorKind::AccessDenied, 3);
        check(Phase::Statement, 1044, "Access denied", ErrorKind::Privilege, 1);
    }

    #[test]
    fn a_full_disk_has_many_spellings() {
        check(Phase::Statement, 1114, "The table 't' is full", ErrorKind::DiskFull, 1);
        check(Phase::Statement, 1878, "Temporary file write failure.", ErrorKind::DiskFull, 1);
        let mariadb = "Got error 28 \"No space left on device\" from storage engine InnoDB";
        check(Phase::Statement, 1030, mariadb, ErrorKind::DiskFull, 1);
        let mysql = "Error writing file '/x' (OS errno 28 - No space left on device)";
        check(Phase::Statement, 3, mysql, ErrorKind::DiskFull, 1);
        check(Phase::Statement, 1062, "Duplicate entry 'errno: 28'", ErrorKind::Statement, 1);
        check(Phase::Statement, 1030, "Got error 168", ErrorKind::Statement, 1);
    }

    #[test]
    fn only_mysql_means_inactivity_by_4031() {
        let mysql = "The client was disconnected by the server because of inactivity.";
        check(Phase::Statement, 4031, mysql, ErrorKind::LostConnection, 3);
        check(Phase::Statement, 4031, "Referenced trigger 't'", ErrorKind::Statement, 1);
    }

    #[test]
    fn display_is_one_line_and_logs_get_no_server_text() {
        let server = ServerError {
            code: 1062,
            state: State::Sql("23000".into()),
            message: "Duplicate entry 'a\nb' for key 'PRIMARY'".into(),
        };
        let error = Error::from_server(Phase::Statement, Side::Target, server, "run statement")
            .at("dump.sql", 7, 120)
            .in_table(Some("shop"), "item")
            .in_row(3);
        assert_eq!(
            error.to_string(),
            "run statement, dump.sql line 7 byte 120, table shop.item, row 3: \
             server error 1062 (23000): Duplicate entry 'a b' for key 'PRIMARY'"
        );
        assert_eq!(
            error.without_server_text(),
            "run statement, dump.sql line 7 byte 120, table shop.item, row 3: server error 1062"
        );
    }
}
