//! The integration tests of the crate, one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod lexer_oracle;
