//! A database in the API's form.

use super::element::{Element, text};
use super::engine::Engine;
use super::state::DatabaseStatus;

/// What we know of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The instance it is in.
    pub instance_id: String,
    /// What that runs.
    pub engine: Engine,
    /// Whether it is ready.
    pub status: DatabaseStatus,
    /// Its default character set; of SQL Server its collation.
    pub character_set: String,
    /// For people; may be empty.
    pub description: String,
}

impl Database {
    /// Accounts of servers are not the API's here, so their list is always empty.
    pub(super) fn element(&self) -> Element {
        let accounts = Element::List("AccountPrivilegeInfo", Vec::new());
        Element::Fields(vec![
            ("Accounts", accounts),
            ("CharacterSetName", text(&self.character_set)),
            ("DBDescription", text(&self.description)),
            ("DBInstanceId", text(&self.instance_id)),
            ("DBName", text(&self.name)),
            ("DBStatus", text(self.status.word())),
            ("Engine", text(self.engine.word())),
        ])
    }
}
