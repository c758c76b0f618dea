//! The integration tests of the crate, one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod alibaba_sdk;
mod benchmark_inputs;
mod copy;
mod dry_run;
mod fast;
mod import_errors;
mod indexes;
mod inspect;
mod interrupt;
mod lexer_oracle;
mod memory;
mod native;
mod passwords;
mod prefix;
mod resume;
mod sameness;
mod sameness_cases;
mod schema;
mod service;
mod tencent_sdk;
mod tidy;
