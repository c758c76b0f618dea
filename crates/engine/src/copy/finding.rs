//! Something that the target cannot be given as it is: where, what, and what to do about it.
//!
//! Values only; each family finds its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result, Side};

/// Something that the target cannot be given as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Where: `database.table`, with the column or key, or what kind of object.
    pub object: String,
    /// What.
    pub what: String,
    /// What to do about it; nothing is known to do if it is empty.
    pub proposal: String,
    /// What the target said to it; may quote values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_message: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)?;
        if let Some(message) = &self.server_message {
            write!(f, ": {message}")?;
        }
        match self.proposal.as_str() {
            "" => Ok(()),
            proposal => write!(f, " ({proposal})"),
        }
    }
}

impl Finding {
    /// What we know by ourselves.
    pub fn new(object: impl Into<String>, what: &str, proposal: &str) -> Finding {
        let (what, proposal) = (what.to_owned(), proposal.to_owned());
        Finding { object: object.into(), what, proposal, server_message: None }
    }

    /// What the target said to a definition.
    pub fn refused(object: String, error: &Error) -> Finding {
        let code = error.code().map(|code| format!(" (error {code})")).unwrap_or_default();
        let message = error.server.as_ref().map(|server| server.message.clone());
        let what = format!("the target does not take it{code}");
        Finding { object, what, proposal: String::new(), server_message: message }
    }
}

/// Fails if there are obstacles.
pub fn judge(obstacles: &[Finding]) -> Result<()> {
    let Some(first) = obstacles.first() else { return Ok(()) };
    let others = match obstacles.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let text =
        format!("the target cannot be given everything: {}: {}{others}", first.object, first.what);
    Err(Error::new(ErrorKind::Refused, Side::Source, text))
}
