//! A refusal: its code and what exactly is wrong.
//!
//! Messages name parameters, never their values. How it goes out is in `reply`.

use std::fmt;

use super::code::Code;
use super::language::Language;

/// What this dialect's functions give back.
pub type Result<T> = std::result::Result<T, Error>;

/// Characters of a parameter's name that a message repeats.
const NAME_MAX: usize = 64;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    words: Words,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    /// The code's own.
    General,
    /// A sentence about a parameter, in both languages; `{}` stands for the name.
    About(&'static str, &'static str, String),
    /// The caller's.
    Said(String, String),
}

impl Error {
    /// A refusal in the code's own words.
    pub fn new(code: Code) -> Self {
        Self { code, words: Words::General }
    }

    /// A refusal in the caller's words. They must hold no secrets.
    pub fn said(code: Code, english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { code, words: Words::Said(english.into(), chinese.into()) }
    }

    /// `MissingParameter`.
    pub fn missing(name: &str) -> Self {
        let english = "The request is missing a required parameter `{}`.";
        Self::about(Code::MissingParameter, english, "请求缺少必要的参数`{}`。", name)
    }

    /// `UnknownParameter`.
    pub fn unknown(name: &str) -> Self {
        let english = "The parameter `{}` is not recognized.";
        Self::about(Code::UnknownParameter, english, "参数`{}`无法识别。", name)
    }

    /// `InvalidParameter`: of another type than documented.
    pub fn mistyped(name: &str) -> Self {
        let english = "The value type of parameter `{}` is not valid.";
        Self::about(Code::InvalidParameter, english, "参数`{}`的类型不正确。", name)
    }

    /// `InvalidParameter`: named more than once.
    pub fn repeated(name: &str) -> Self {
        let english = "The parameter `{}` is given more than once.";
        Self::about(Code::InvalidParameter, english, "参数`{}`重复。", name)
    }

    /// A value that is malformed or out of range; which code says so differs between actions.
    pub fn value(code: Code, name: &str) -> Self {
        let english = "A value specified in `{}` is not valid, is unsupported, or cannot be used.";
        Self::about(code, english, "参数`{}`的取值无效、不被支持或不可用。", name)
    }

    fn about(code: Code, english: &'static str, chinese: &'static str, name: &str) -> Self {
        // A name is the sender's text too.
        let clean = |c: char| if c.is_control() || c == '`' { '?' } else { c };
        let name = name.chars().take(NAME_MAX).map(clean).collect();
        Self { code, words: Words::About(english, chinese, name) }
    }

    /// What clients branch on.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What people read.
    pub fn message(&self, language: Language) -> String {
        let is_english = language == Language::English;
        match &self.words {
            Words::General => self.code.message(language).to_owned(),
            Words::About(english, chinese, name) => {
                (if is_english { english } else { chinese }).replacen("{}", name, 1)
            }
            Words::Said(english, chinese) => (if is_english { english } else { chinese }).clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.message(Language::English))
    }
}

impl std::error::Error for Error {}

#[test]
fn messages_name_the_parameter_in_both_languages() {
    let error = Error::missing("Region");
    assert_eq!(
        error.message(Language::English),
        "The request is missing a required parameter `Region`."
    );
    assert_eq!(error.message(Language::Chinese), "请求缺少必要的参数`Region`。");
    assert_eq!(
        Error::unknown("$schema").to_string(),
        "UnknownParameter: The parameter `$schema` is not recognized."
    );
}

#[test]
fn a_hostile_name_is_cut_and_cleaned() {
    let error = Error::unknown(&format!("a`\n{{}}{}", "x".repeat(1000)));
    let message = error.message(Language::English);
    assert!(message.starts_with("The parameter `a??{}xxx"), "{message}");
    assert!(message.len() < 120);
}
