//! The `dbferry` binary: arguments in, exit code out.
//!
//! Exit codes: 0 done; 1 the data failed; 2 usage or configuration; 3 a server could not be reached
//! or refused the login; 130 interrupted. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::cli::main()
}
