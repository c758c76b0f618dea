//! The database engines, by the API's names.

/// What an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// `MySQL`
    MySql,
    /// `SQLServer`
    SqlServer,
    /// `PostgreSQL`
    PostgreSql,
    /// `MariaDB`
    MariaDb,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MySql, Self::SqlServer, Self::PostgreSql, Self::MariaDb];

    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::SqlServer => "SQLServer",
            Self::PostgreSql => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// The engine of this name, in any case: users write `mysql`.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.word().eq_ignore_ascii_case(word))
    }
}

#[test]
fn engines_are_found_in_any_case() {
    for engine in Engine::ALL {
        assert_eq!(Engine::named(engine.word()), Some(engine));
        assert_eq!(Engine::named(&engine.word().to_lowercase()), Some(engine));
    }
    assert_eq!(Engine::named(""), None);
    assert_eq!(Engine::named("Oracle"), None);
}
