//! What a copy would not carry, or not as it was, by name.
//!
//! Promises: nothing is left out that is not found here first. Decides nothing: the precheck stops for
//! what [`Finding::weight`] says unless it was told to leave such things out.

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// The kind of thing, in words such as `user`.
    pub what: &'static str,
    /// Its name, as `schema.name` where it has a schema.
    pub object: String,
    /// What becomes of it if the copy goes on.
    pub why: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The copy stops, unless such things may be left out.
    Stops,
    /// The copy goes on and says it.
    Told,
}
