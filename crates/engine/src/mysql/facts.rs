//! What a server is and what our account may do on it, gathered once before planning.
//!
//! Promises: gathering changes nothing, works with the least of accounts (what cannot be read is
//! `None` or empty), and takes a handful of round trips. Deliberately not here: what follows from
//! the facts; and privileges that come through roles not active in the session.

use std::collections::{BTreeMap, BTreeSet};

use super::conn::Conn;
use crate::error::{Error, ErrorKind, Result, Side};

/// Which of the two lines of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB.
    MariaDb,
    /// MySQL and what calls itself so.
    MySql,
}

/// One server, as one account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// MariaDB or MySQL.
    pub flavor: Flavor,
    /// `(10, 11, 6)`.
    pub version: (u16, u16, u16),
    /// `VERSION()` as it is.
    pub version_text: String,
    /// Limit of one statement, in bytes.
    pub max_allowed_packet: u64,
    /// `@@sql_mode` of the session that asked, as are all variables here that a session can set.
    pub sql_mode: String,
    /// 0: names are compared by case; 1 and 2: they are not.
    pub lower_case_table_names: u8,
    /// `@@character_set_server`.
    pub default_charset: String,
    /// `@@collation_server`: what a database created without one gets.
    pub default_collation: String,
    /// `@@default_storage_engine`.
    pub default_engine: String,
    /// A binary log is written.
    pub has_binlog: bool,
    /// The server takes `LOAD DATA LOCAL`.
    pub local_infile: bool,
    /// `@@read_only` or `@@super_read_only`.
    pub read_only: bool,
    /// `@@innodb_page_size`.
    pub innodb_page_size: Option<u64>,
    /// `@@innodb_lock_wait_timeout`, in seconds.
    pub lock_wait_timeout_secs: Option<u64>,
    /// `@@time_zone`.
    pub time_zone: String,
    /// `@@datadir`.
    pub datadir: Option<String>,
    /// Free space where the data lies. No server tells: `None`, unless the caller knows.
    pub datadir_free_bytes: Option<u64>,
    /// What the account may do.
    pub grants: Grants,
    /// All collations the server knows.
    pub collations: BTreeSet<String>,
    /// All storage engines that can be used, in lower case.
    pub engines: BTreeSet<String>,
}

/// The privileges that import and copy ask about: first those that are only ever global.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// `SUPER`.
    Super,
    /// Set restricted session variables, such as `sql_log_bin`.
    SessionVariables,
    /// Set global variables.
    GlobalVariables,
    /// Administer the binary log: `BINLOG ADMIN`, `BINLOG_ADMIN`.
    BinlogAdmin,
    /// Create views, routines and triggers in another's name.
    SetDefiner,
    /// And in the name of an account that does not exist.
    MissingDefiner,
    /// `CONNECTION ADMIN`: kill others' connections.
    ConnectionAdmin,
    /// `PROCESS`.
    Process,
    /// `RELOAD`.
    Reload,
    /// `FILE`.
    File,
    /// `SELECT`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `CREATE`.
    Create,
    /// `DROP`.
    Drop,
    /// `ALTER`.
    Alter,
    /// `INDEX`.
    Index,
    /// `REFERENCES`.
    References,
    /// `TRIGGER`.
    Trigger,
    /// `EVENT`.
    Event,
    /// `CREATE VIEW`.
    CreateView,
    /// `SHOW VIEW`.
    ShowView,
    /// `CREATE ROUTINE`.
    CreateRoutine,
    /// `ALTER ROUTINE`.
    AlterRoutine,
    /// `CREATE TEMPORARY TABLES`.
    CreateTemporary,
    /// `LOCK TABLES`.
    LockTables,
}

/// What an account may do, globally and per schema. Privileges on single tables do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `SHOW GRANTS` as it is, without passwords.
    pub lines: Vec<String>,
    global: BTreeSet<Privilege>,
    /// By schema pattern (`LIKE` syntax).
    schemas: BTreeMap<String, BTreeSet<Privilege>>,
    /// MySQL's partial revokes, by schema name.
    revoked: BTreeMap<String, BTreeSet<Privilege>>,
}

/// Asks the server everything.
pub async fn gather(conn: &mut Conn) -> Result<ServerFacts> {
    let variables = read_variables(conn).await?;
    let text = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let number = |name: &str| variables.get(name).and_then(|value| value.parse::<u64>().ok());
    let is_on = |name: &str| matches!(text(name).as_str(), "ON" | "1" | "YES");
    let version_text = conn.version_text().to_owned();
    let (flavor, version) = parse_version(&version_text).ok_or_else(|| {
        let text = format!("version {version_text:?} is that of no MySQL or MariaDB");
        Error::new(ErrorKind::Unreachable, Side::Target, text)
    })?;
    Ok(ServerFacts {
        flavor,
        version,
        version_text,
        max_allowed_packet: conn.max_allowed_packet(),
        sql_mode: text("sql_mode"),
        lower_case_table_names: text("lower_case_table_names").parse().unwrap_or(0),
        default_charset: text("character_set_server"),
        default_collation: text("collation_server"),
        default_engine: text("default_storage_engine"),
        has_binlog: is_on("log_bin"),
        local_infile: is_on("local_infile"),
        read_only: is_on("read_only") || is_on("super_read_only"),
        innodb_page_size: number("innodb_page_size"),
        lock_wait_timeout_secs: number("innodb_lock_wait_timeout"),
        time_zone: text("time_zone"),
        datadir: variables.get("datadir").cloned(),
        datadir_free_bytes: None,
        grants: read_grants(conn).await?,
        collations: read_column(conn, "SHOW COLLATION").await?.into_iter().collect(),
        engines: read_engines(conn).await?,
    })
}

impl ServerFacts {
    /// May the account create views, routines, triggers and events in another's name?
    pub fn sets_definers(&self) -> bool {
        self.administers(Privilege::SetDefiner)
    }

    /// May the account switch `sql_log_bin` off for its session?
    pub fn switches_binlog(&self) -> bool {
        match self.flavor {
            Flavor::MariaDb => self.administers(Privilege::BinlogAdmin),
            Flavor::MySql => self.administers(Privilege::SessionVariables),
        }
    }

    /// Does the account have one of the privileges that `SUPER` was split into? MariaDB counts
    /// `SUPER` itself only before 10.11.
    fn administers(&self, privilege: Privilege) -> bool {
        let super_counts = self.flavor == Flavor::MySql || self.version < (10, 11, 0);
        self.grants.allows(privilege, None)
            || (super_counts && self.grants.allows(Privilege::Super, None))
    }
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS`.
    pub fn parse(lines: &[String]) -> Self {
        let mut grants = Self::default();
        for line in lines {
            grants.add(line);
            grants.lines.push(without_password(line));
        }
        grants
    }

    /// May the account do this in `schema`, or with `None` everywhere?
    pub fn allows(&self, privilege: Privilege, schema: Option<&str>) -> bool {
        let Some(schema) = schema else { return self.global.contains(&privilege) };
        if self.global.contains(&privilege) {
            return !self.revoked.get(schema).is_some_and(|revoked| revoked.contains(&privilege));
        }
        self.schemas
            .iter()
            .any(|(pattern, granted)| granted.contains(&privilege) && is_like(schema, pattern))
    }

    fn add(&mut self, line: &str) {
        let (is_grant, rest) = match (line.strip_prefix("GRANT "), line.strip_prefix("REVOKE ")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return,
        };
        let end = if is_grant { " TO " } else { " FROM " };
        // Without ` ON ` it is a role, whose privileges have lines of their own where active.
        let Some((names, rest)) = rest.split_once(" ON ") else { return };
        let Some((object, _account)) = rest.rsplit_once(end) else { return };
        let privileges = privileges_named(names);
        match (schema_of(object), is_grant) {
            (Some(Scope::Global), true) => self.global.extend(privileges),
            (Some(Scope::Schema(name)), true) => {
                let of_schema = privileges.into_iter().filter(|one| *one >= Privilege::Select);
                self.schemas.entry(name).or_default().extend(of_schema);
            }
            (Some(Scope::Schema(name)), false) => {
                self.revoked.entry(name.replace('\\', "")).or_default().extend(privileges);
            }
            (Some(Scope::Global), false) | (None, _) => {}
        }
    }
}

/// What a `GRANT … ON` names.
enum Scope {
    Global,
    Schema(String),
}

async fn read_variables(conn: &mut Conn) -> Result<BTreeMap<String, String>> {
    // SHOW VARIABLES leaves out what a server does not have, where @@name would fail.
    const QUERY: &str = "SHOW VARIABLES WHERE Variable_name IN ('sql_mode', \
         'lower_case_table_names', 'character_set_server', 'collation_server', \
         'default_storage_engine', 'log_bin', 'local_infile', 'read_only', 'super_read_only', \
         'innodb_page_size', 'innodb_lock_wait_timeout', 'time_zone', 'datadir')";
    let rows = conn.rows(QUERY).await?;
    let pairs = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        Some((cells.next()??, cells.next()??))
    });
    Ok(pairs.collect())
}

async fn read_column(conn: &mut Conn, sql: &str) -> Result<Vec<String>> {
    let rows = conn.rows(sql).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

async fn read_engines(conn: &mut Conn) -> Result<BTreeSet<String>> {
    let rows = conn.rows("SHOW ENGINES").await?;
    let usable = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        let (name, support) = (cells.next()??, cells.next()??);
        matches!(support.as_str(), "YES" | "DEFAULT").then(|| name.to_ascii_lowercase())
    });
    Ok(usable.collect())
}

async fn read_grants(conn: &mut Conn) -> Result<Grants> {
    match read_column(conn, "SHOW GRANTS").await {
        Ok(lines) => Ok(Grants::parse(&lines)),
        // --skip-grant-tables: everyone may do everything.
        Err(error) if error.code() == Some(1290) => {
            Ok(Grants::parse(&["GRANT ALL PRIVILEGES ON *.* TO ''@''".into()]))
        }
        // MariaDB: an account that came in by a role or proxy may have no grants to show.
        Err(error) if error.code() == Some(1141) => Ok(Grants::default()),
        Err(error) => Err(error),
    }
}

/// `10.11.6-MariaDB-log`, `5.5.5-10.11.6-MariaDB` (what MariaDB tells old clients), `9.7.0`.
fn parse_version(text: &str) -> Option<(Flavor, (u16, u16, u16))> {
    let is_mariadb = text.contains("MariaDB");
    let flavor = if is_mariadb { Flavor::MariaDb } else { Flavor::MySql };
    let text = match text.strip_prefix("5.5.5-") {
        Some(rest) if is_mariadb => rest,
        Some(_) | None => text,
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut numbers = text.get(..end)?.split('.').map(str::parse::<u16>);
    let major = numbers.next()?.ok()?;
    let mut next = || numbers.next().and_then(std::result::Result::ok).unwrap_or(0);
    Some((flavor, (major, next(), next())))
}

fn privileges_named(names: &str) -> BTreeSet<Privilege> {
    let mut depth = 0_usize;
    // Commas within parentheses stand between columns.
    let is_separator = move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    names.split(is_separator).flat_map(|name| privileges_of(name.trim())).copied().collect()
}

/// One name, as either server spells it, to what it permits.
fn privileges_of(name: &str) -> &'static [Privilege] {
    use Privilege as P;
    match name.replace('_', " ").to_ascii_uppercase().as_str() {
        "ALL" | "ALL PRIVILEGES" => &ALL,
        "SUPER" => &[P::Super],
        "SESSION VARIABLES ADMIN" => &[P::SessionVariables],
        "SYSTEM VARIABLES ADMIN" => &[P::SessionVariables, P::GlobalVariables],
        "BINLOG ADMIN" => &[P::BinlogAdmin],
        "SET USER" | "SET USER ID" => &[P::SetDefiner, P::MissingDefiner],
        "SET ANY DEFINER" => &[P::SetDefiner],
        "ALLOW NONEXISTENT DEFINER" => &[P::MissingDefiner],
        "CONNECTION ADMIN" => &[P::ConnectionAdmin],
        "PROCESS" => &[P::Process],
        "RELOAD" => &[P::Reload],
        "FILE" => &[P::File],
        "SELECT" => &[P::Select],
        "INSERT" => &[P::Insert],
        "UPDATE" => &[P::Update],
        "DELETE" => &[P::Delete],
        "CREATE" => &[P::Create],
        "DROP" => &[P::Drop],
        "ALTER" => &[P::Alter],
        "INDEX" => &[P::Index],
        "REFERENCES" => &[P::References],
        "TRIGGER" => &[P::Trigger],
        "EVENT" => &[P::Event],
        "CREATE VIEW" => &[P::CreateView],
        "SHOW VIEW" => &[P::ShowView],
        "CREATE ROUTINE" => &[P::CreateRoutine],
        "ALTER ROUTINE" => &[P::AlterRoutine],
        "CREATE TEMPORARY TABLES" => &[P::CreateTemporary],
        "LOCK TABLES" => &[P::LockTables],
        _ => &[],
    }
}

/// `ALL PRIVILEGES`.
const ALL: [Privilege; 27] = {
    use Privilege as P;
    [
        P::Super,
        P::SessionVariables,
        P::GlobalVariables,
        P::BinlogAdmin,
        P::SetDefiner,
        P::MissingDefiner,
        P::ConnectionAdmin,
        P::Process,
        P::Reload,
        P::File,
        P::Select,
        P::Insert,
        P::Update,
        P::Delete,
        P::Create,
        P::Drop,
        P::Alter,
        P::Index,
        P::References,
        P::Trigger,
        P::Event,
        P::CreateView,
        P::ShowView,
        P::CreateRoutine,
        P::AlterRoutine,
        P::CreateTemporary,
        P::LockTables,
    ]
};

/// `*.*`, or `` `name`.* `` whose name is a pattern; tables and routines are `None`.
fn schema_of(object: &str) -> Option<Scope> {
    let schema = object.strip_suffix(".*")?;
    match schema {
        "*" => Some(Scope::Global),
        schema => {
            let quote = schema.chars().next().filter(|c| matches!(c, '`' | '"'))?;
            let name = schema.strip_prefix(quote)?.strip_suffix(quote)?;
            Some(Scope::Schema(name.replace(&format!("{quote}{quote}"), &quote.to_string())))
        }
    }
}

/// `SHOW GRANTS` of MariaDB holds the password's hash.
fn without_password(line: &str) -> String {
    match line.split_once(" IDENTIFIED ") {
        Some((before, _)) => before.to_owned(),
        None => line.to_owned(),
    }
}

/// `LIKE` with `%`, `_` and `\`, as in the schema names of grants.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| is_like(&name[at..], rest))
        }
        Some(wanted) => {
            let (wanted, is_any) = match wanted {
                '\\' => (rest.next().unwrap_or('\\'), false),
                wanted => (wanted, wanted == '_'),
            };
            let mut name = name.chars();
            let matches = name.next().is_some_and(|found| is_any || found == wanted);
            matches && is_like(name.as_str(), rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let check = |text, flavor, version| {
            assert_eq!(parse_version(text), Some((flavor, version)), "{text}");
        };
        check("10.11.19-MariaDB-0+deb12u1", Flavor::MariaDb, (10, 11, 19));
        check("5.5.5-10.11.6-MariaDB-log", Flavor::MariaDb, (10, 11, 6));
        check("5.5.5-m3", Flavor::MySql, (5, 5, 5));
        check("9.7.0", Flavor::MySql, (9, 7, 0));
        check("8.0.36-28.1", Flavor::MySql, (8, 0, 36));
        assert_eq!(parse_version("PostgreSQL 15"), None);
    }

    #[test]
    fn grants_global_by_schema_and_revoked() {
        let lines = [
            "GRANT SELECT, INSERT ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*AB' WITH GRANT OPTION",
            "GRANT SET_ANY_DEFINER,SYSTEM_VARIABLES_ADMIN ON *.* TO `a`@`%`",
            "GRANT ALL PRIVILEGES ON `app\\_%`.* TO `a`@`%`",
            "GRANT SELECT (a, b), CREATE VIEW ON `x`.`t` TO `a`@`%`",
            "GRANT `role`@`%` TO `a`@`%`",
            "REVOKE INSERT ON `mysql`.* FROM `a`@`%`",
        ];
        let grants = Grants::parse(&lines.map(str::to_owned));
        let check = |privilege, schema, expected| {
            assert_eq!(grants.allows(privilege, schema), expected, "{privilege:?} {schema:?}");
        };
        check(Privilege::Insert, None, true);
        check(Privilege::Insert, Some("mysql"), false);
        check(Privilege::Select, Some("mysql"), true);
        check(Privilege::Create, None, false);
        check(Privilege::Create, Some("app_1"), true);
        check(Privilege::Create, Some("appx1"), false);
        check(Privilege::CreateView, Some("x"), false);
        check(Privilege::SetDefiner, None, true);
        check(Privilege::SessionVariables, None, true);
        check(Privilege::Super, Some("app_1"), false);
        assert!(!grants.lines.concat().contains("*AB"), "{:?}", grants.lines);
    }
}
