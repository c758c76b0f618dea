//! An error with its causes, in one line.
//!
//! Promises every cause, outermost first. What a cause says of itself is its own business: whoever makes
//! an error leaves out what is secret.

/// An error with what lies under it, for the operator.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
