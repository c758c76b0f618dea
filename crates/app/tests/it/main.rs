//! The integration tests of the crate, one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod alibaba_sdk;
mod benchmark_inputs;
mod copy;
mod depot;
mod dry_run;
mod encryption;
mod events;
mod fast;
mod fetch;
mod import_errors;
mod indexes;
mod inspect;
mod installed;
mod interrupt;
mod lexer_oracle;
mod memory;
mod native;
mod objects;
mod openapi;
mod operations;
mod passwords;
mod port;
mod prefix;
mod refusals;
mod remote;
mod repeated;
mod resume;
mod sameness;
mod sameness_cases;
mod schema;
mod service;
mod signed;
mod tencent_sdk;
mod tidy;
