//! The integration tests of the crate, one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod inspect;
mod lexer_oracle;
mod prefix;
mod sameness;
mod sameness_cases;
mod tidy;
