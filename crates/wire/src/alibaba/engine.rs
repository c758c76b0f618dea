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

/// What the API calls a version of SQL Server: `2019_std_ha` of the product's version `15.0.4312.2` and
/// the edition `Standard Edition (64-bit)`. Editions that the cloud does not have go by their first word.
///
/// Of its words `_ent` is the cluster edition (Enterprise with Always On), `_ent_ha` Enterprise.
pub fn sql_server_version(number: &str, edition: &str, is_always_on: bool) -> String {
    let mut parts = number.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let year = match (major, minor) {
        ("10", "50") => return "2008r2".to_owned(),
        ("10", _) => "2008",
        ("11", _) => "2012",
        ("12", _) => "2014",
        ("13", _) => "2016",
        ("14", _) => "2017",
        ("15", _) => "2019",
        ("16", _) => "2022",
        ("17", _) => "2025",
        // What is newer, or was never looked at.
        (other, _) => other,
    };
    let word = edition.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    match (word.as_str(), is_always_on) {
        ("", _) => year.to_owned(),
        ("enterprise" | "developer", true) => format!("{year}_ent"),
        ("enterprise" | "developer", false) => format!("{year}_ent_ha"),
        ("standard", _) => format!("{year}_std_ha"),
        (word, _) => format!("{year}_{word}"),
    }
}

#[test]
fn versions_of_sql_server_have_the_clouds_names() {
    for (number, edition, is_always_on, expected) in [
        ("13.0.5026.0", "Standard Edition (64-bit)", false, "2016_std_ha"),
        ("13.0.5026.0", "Enterprise Edition: Core-based Licensing (64-bit)", false, "2016_ent_ha"),
        ("14.0.3456.2", "Enterprise Edition (64-bit)", true, "2017_ent"),
        ("15.0.4312.2", "Standard Edition (64-bit)", true, "2019_std_ha"),
        ("16.0.1000.6", "Web Edition (64-bit)", false, "2022_web"),
        ("17.0.1000.7", "Developer Edition (64-bit)", false, "2025_ent_ha"),
        ("10.50.6000.34", "Enterprise Edition (64-bit)", false, "2008r2"),
        ("16.0.1000.6", "Express Edition (64-bit)", false, "2022_express"),
        ("18.0.1.1", "Web Edition", false, "18_web"),
        ("", "", false, ""),
    ] {
        assert_eq!(
            sql_server_version(number, edition, is_always_on),
            expected,
            "{number} {edition}"
        );
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
