//! A refusal: its code and what exactly is wrong.
//!
//! Messages name parameters, never their values. The one exception is a signature that does not
//! match: clients look for the string that was signed in it ([`Error::mismatch`]). How it goes out
//! is in `reply`.

use std::fmt;

use super::code::Code;

/// What this dialect's functions give back.
pub type Result<T> = std::result::Result<T, Error>;

/// Characters of a parameter's name that a message repeats.
const NAME_MAX: usize = 64;
/// Stands for the name of a parameter that is not known: `MissingParameter` is a code of its own.
const UNNAMED: &str = "Parameter";

/// A refused request. Its `Debug` does not show what was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    words: Words,
}

#[derive(Clone, PartialEq, Eq)]
enum Words {
    /// The code's own.
    General,
    /// The code's own, about a parameter.
    About(String),
    /// The caller's.
    Said(String),
    /// A message that repeats parts of the request.
    Echoed(String),
}

impl Error {
    /// A refusal in the code's own words.
    pub fn new(code: Code) -> Self {
        Self { code, words: Words::General }
    }

    /// A refusal in the caller's words. They must hold no secrets.
    pub fn said(code: Code, message: impl Into<String>) -> Self {
        Self { code, words: Words::Said(message.into()) }
    }

    /// `MissingDBInstanceId` and its like.
    pub fn missing(name: &'static str) -> Self {
        Self { code: Code::Missing, words: Words::About(name.to_owned()) }
    }

    /// `InvalidParameter`: malformed, out of range, too long or named twice.
    pub fn invalid(name: &str) -> Self {
        // A name is the sender's text too.
        let clean = |c: char| if c.is_control() || c == '"' { '?' } else { c };
        let name = name.chars().take(NAME_MAX).map(clean).collect();
        Self { code: Code::InvalidParameter, words: Words::About(name) }
    }

    /// `SignatureDoesNotMatch` with a message that holds what we signed. It goes to who sent the
    /// request, and nowhere else: it repeats parameters.
    pub(super) fn mismatch(message: String) -> Self {
        Self { code: Code::SignatureDoesNotMatch, words: Words::Echoed(message) }
    }

    /// Which of the table's codes it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What clients branch on.
    pub fn word(&self) -> String {
        self.code.word().replacen("{}", self.name(), 1)
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// What people read.
    pub fn message(&self) -> String {
        match &self.words {
            Words::General | Words::About(_) => self.code.message().replacen("{}", self.name(), 1),
            Words::Said(message) | Words::Echoed(message) => message.clone(),
        }
    }

    fn name(&self) -> &str {
        match &self.words {
            Words::About(name) => name,
            Words::General | Words::Said(_) | Words::Echoed(_) => UNNAMED,
        }
    }
}

impl fmt::Display for Error {
    /// For logs: nothing that repeats the request's values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Words::Echoed(_) => f.write_str(&self.word()),
            _ => write!(f, "{}: {}", self.word(), self.message()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

#[test]
fn codes_and_messages_name_the_parameter() {
    let error = Error::missing("DBInstanceId");
    assert_eq!(error.word(), "MissingDBInstanceId");
    assert_eq!(error.message(), "DBInstanceId is mandatory for this action.");
    let error = Error::invalid("PageSize");
    let expected = "InvalidParameter: The specified parameter \"PageSize\" is not valid.";
    assert_eq!((error.to_string().as_str(), error.status()), (expected, 400));
}

#[test]
fn a_parameter_without_a_name_is_called_so() {
    let error = Error::new(Code::Missing);
    assert_eq!(error.to_string(), "MissingParameter: Parameter is mandatory for this action.");
    let error = Error::said(Code::Missing, "One of them is mandatory.");
    assert_eq!(error.to_string(), "MissingParameter: One of them is mandatory.");
}

#[test]
fn a_hostile_name_is_cut_and_cleaned() {
    let message = Error::invalid(&format!("a\"\n{{}}{}", "x".repeat(1000))).message();
    assert!(message.starts_with("The specified parameter \"a??{}xxx"), "{message}");
    assert!(message.len() < 120);
}

#[test]
fn what_was_signed_is_for_the_sender_only() {
    let error = Error::mismatch("GET&%2F&DBInfo".to_owned());
    assert_eq!(error.message(), "GET&%2F&DBInfo");
    assert_eq!(format!("{error} {error:?}").matches("DBInfo").count(), 0);
}
