//! `dbferry config check`: is a settings' file right, and what does it come to?
//!
//! Prints every setting with its value, also those that the file leaves out, on stdout in the form
//! of such a file. Reads the port's certificate and the file of object storage's credentials, and
//! opens nothing else: no store, no port, no storage.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{Exit, complain, print, say};
use crate::bucket::Credentials;
use crate::config::Settings;
use crate::http::certificate::Certificate;

/// Arguments of `dbferry config`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a file and print all settings that it comes to; exit code 2 if it is wrong
    Check {
        /// The file
        #[arg(default_value = "dbferry.toml")]
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let What::Check { file } = &args.what;
    let checked = Settings::read(file).and_then(|settings| {
        settings.tls.as_ref().map(Certificate::load).transpose()?;
        settings.s3.credentials.as_deref().map(Credentials::from_file).transpose()?;
        Ok((settings.shown()?, settings.tls.is_some()))
    });
    match checked {
        Ok((shown, is_encrypted)) => {
            print(&shown);
            if !is_encrypted {
                say("dbferry: there is no [tls]: requests are not encrypted");
            }
            Exit::Done
        }
        Err(text) => {
            complain(&text);
            Exit::Usage
        }
    }
}
