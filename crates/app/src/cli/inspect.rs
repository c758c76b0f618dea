//! `dbferry inspect`: what is in a dump, as a table for people or as one JSON document.
//!
//! Reads the file once and asks no server. Hazards do not make it fail; only a file that cannot be
//! read to its end does, and then what was found so far is still printed.
//! The JSON document is described in `docs/inspect.schema.json`.

mod page;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use dump::index::{self, DumpIndex, Options};
use dump::reader::Limits;
use dump::rules::Client;
use dump::source::{self, Input, Source};
use serde::Serialize;

use super::{Exit, address};

/// The document's kind and version. Fields may be added to a version; none changes its meaning.
pub const SCHEMA: &str = "dbferry.inspect/1";

/// The arguments as typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The dump: plain, gzip, zstd, bzip2, xz or zip, a path, an http or https URL, or
    /// s3://BUCKET/KEY; `-` is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON document (docs/inspect.schema.json)
    #[arg(long)]
    json: bool,
    /// Allow NUL bytes and keep \r\n, as the clients' --binary-mode does
    #[arg(long)]
    binary_mode: bool,
    /// The server it is meant for: how its client reads, and what it does not understand [default:
    /// the client by the tool that wrote the dump, and findings for both]
    #[arg(long, value_enum)]
    server: Option<Server>,
}

/// A kind of server.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Server {
    /// MariaDB
    #[value(name = "mariadb")]
    MariaDb,
    /// MySQL
    #[value(name = "mysql")]
    MySql,
}

impl Server {
    fn client(self) -> Client {
        match self {
            Server::MariaDb => Client::MariaDb,
            Server::MySql => Client::MySql,
        }
    }
}

/// What the input itself is.
#[derive(Debug, Serialize)]
struct File {
    name: String,
    /// Bytes as stored, if known.
    size: Option<u64>,
    compression: String,
    encoding: String,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: &'a File,
    #[serde(flatten)]
    index: &'a DumpIndex,
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let input = match open(&args.file) {
        Ok(input) => input,
        Err((error, exit)) => {
            super::complain(&error);
            return exit;
        }
    };
    let file = File {
        name: input.name.clone(),
        size: input.size,
        compression: input.kind.to_string(),
        encoding: input.encoding.to_string(),
    };
    let options = Options {
        server: args.server.map(Server::client),
        binary_mode: args.binary_mode,
        limits: Limits::DEFAULT,
    };
    let index = index::read(input.reader, options);
    match args.json {
        true => super::print(&document(&file, &index)),
        false => super::print(&page::render(&file, &index)),
    }
    let Some(damage) = &index.damage else { return Exit::Done };
    super::complain(&format!(
        "{}: line {}, byte {}: {}",
        file.name, damage.line, damage.offset, damage.message
    ));
    Exit::DataFailed
}

fn open(path: &Path) -> Result<Input, (String, Exit)> {
    match path.to_str().filter(|text| address::is_meant(text)) {
        Some(text) => {
            address::open(text).map_err(|error| (error.to_string(), Exit::of(error.exit_code())))
        }
        None => Source::open(path).map_err(|error| (error.to_string(), exit_of(&error))),
    }
}

fn document(file: &File, index: &DumpIndex) -> String {
    let document = Document { schema: SCHEMA, file, index };
    let text = serde_json::to_string_pretty(&document);
    let mut text = text.expect("plain values with string keys always serialize");
    text.push('\n');
    text
}

/// What cannot be opened is a mistake in the arguments; what is opened and refused is bad data.
fn exit_of(error: &source::Error) -> Exit {
    match error {
        source::Error::Archive { .. } | source::Error::Io { .. } => Exit::DataFailed,
        _ => Exit::Usage,
    }
}
