//! What SQL Server's error numbers mean to us. The numbers and texts are in `sys.messages`.
//!
//! One table, like that for MySQL in [`crate::error`]. What is not in it is a refused statement.

use crate::error::{Error, ErrorKind, Phase, ServerError, Side, State};

/// From this severity on the server closes the connection.
pub const FATAL_CLASS: u8 = 20;

/// The error that a server raised; `message` are our own words for what was being done.
pub fn error(phase: Phase, server: ServerError, message: impl Into<String>) -> Error {
    let kind = kind(phase, &server);
    let server = Some(Box::new(server));
    Error { server, ..Error::new(kind, Side::Target, message) }
}

/// Whether the server closes the connection after it.
pub fn is_fatal(server: &ServerError) -> bool {
    matches!(server.state, State::Severity { class, .. } if class >= FATAL_CLASS)
}

fn kind(phase: Phase, server: &ServerError) -> ErrorKind {
    match (phase, server.code) {
        (_, 1205) => ErrorKind::Deadlock,
        // A lock, or a whole database: somebody is in it.
        (_, 1222 | 1807 | 3702 | 5030 | 5061 | 5064 | 5070) => ErrorKind::LockWait,
        // Log or data file full, the file group cannot grow, tempdb full, disk full.
        (_, 1101 | 1105 | 9002 | 5149 | 3257) => ErrorKind::DiskFull,
        // Of a login: wrong, disabled, locked, expired, not trusted, or the server is in single-user mode.
        (Phase::Connect, 18401 | 18452 | 18456 | 18461 | 18486..=18488 | 18470) => {
            ErrorKind::AccessDenied
        }
        // The database is not there, or not for this login; 18456 follows it.
        (Phase::Connect, 4060 | 911 | 916) => ErrorKind::UnknownDatabase,
        // Too many connections or workers; the cloud's service is busy or moving.
        (Phase::Connect, 17809 | 17830 | 10928 | 10929 | 40197 | 40501 | 40613 | 49918..=49920) => {
            ErrorKind::Unreachable
        }
        // Shutdown, the session was killed, a severe error on the current command.
        (_, 596 | 6002 | 6005 | 6006 | 10053 | 10054) => ErrorKind::LostConnection,
        (_, 229 | 230 | 262 | 297 | 300 | 916 | 1088 | 5011 | 15151 | 15247 | 4834 | 3906) => {
            ErrorKind::Privilege
        }
        // Wider than a row may be.
        (_, 511 | 1701) => ErrorKind::TooLarge,
        (Phase::Connect | Phase::Statement, _) if is_fatal(server) => ErrorKind::LostConnection,
        (Phase::Connect | Phase::Statement, _) => ErrorKind::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(phase: Phase, code: u32, class: u8, expected: ErrorKind) {
        let state = State::Severity { class, state: 1 };
        let error = error(phase, ServerError { code, state, message: "x".into() }, "do");
        assert_eq!(error.kind, expected, "{error}");
        assert_eq!(error.without_server_text(), format!("do: server error {code}"));
    }

    #[test]
    fn numbers_have_meanings() {
        check(Phase::Statement, 1205, 13, ErrorKind::Deadlock);
        check(Phase::Statement, 1222, 16, ErrorKind::LockWait);
        check(Phase::Connect, 18456, 14, ErrorKind::AccessDenied);
        check(Phase::Connect, 4060, 11, ErrorKind::UnknownDatabase);
        check(Phase::Statement, 229, 14, ErrorKind::Privilege);
        check(Phase::Statement, 9002, 17, ErrorKind::DiskFull);
        check(Phase::Statement, 208, 16, ErrorKind::Statement);
        check(Phase::Statement, 50_000, 20, ErrorKind::LostConnection);
        check(Phase::Statement, 2_000_000_000, 16, ErrorKind::Statement);
    }

    #[test]
    fn advice_is_for_this_kind_of_server() {
        let advice = |code: u32| {
            let state = State::Severity { class: 16, state: 1 };
            let server = ServerError { code, state, message: "m".into() };
            error(Phase::Statement, server, "do").advice()
        };
        assert!(advice(1222).is_some_and(|text| text.contains("sys.dm_tran_locks")));
        assert_eq!(advice(511), None);
        assert!(advice(9002).is_some_and(|text| text.contains("free space")));
    }

    #[test]
    fn class_and_state_are_told() {
        let state = State::Severity { class: 13, state: 51 };
        let error =
            error(Phase::Statement, ServerError { code: 1205, state, message: "m".into() }, "do");
        assert_eq!(error.to_string(), "do: server error 1205 (class 13 state 51): m");
    }
}
