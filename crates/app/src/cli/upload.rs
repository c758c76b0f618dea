//! `dbferry upload`: sends a file to a service.
//!
//! Promises: what broke off goes on where it broke off, also in a later run; it is done only when the
//! service has the file's SHA-256.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use clap::Args as ClapArgs;
use futures_util::{Stream, stream};
use reqwest::{Body, Method, header};
use sha2::{Digest, Sha256};

use super::meter::Meter;
use super::remote::{self, Remote, Trouble};
use super::{Exit, say};
use crate::http::native::uploads::Upload;
use crate::size;

/// Bytes that are read and sent at once.
const READ_BYTES: usize = 256 << 10;
/// How often it is tried again without anything having arrived.
const TRIES_MAX: u32 = 10;

/// Arguments of `dbferry upload`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The file
    file: PathBuf,
    /// Its name there [default: its name here]
    #[arg(long, value_name = "N")]
    name: Option<String>,
    #[command(flatten)]
    server: remote::Server,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    remote::run(&args.server, async |remote| {
        let name = match &args.name {
            Some(name) => name.clone(),
            None => own_name(&args.file)?,
        };
        let began = Instant::now();
        let local = Local::open(&args.file)?;
        let upload = upload(&remote, &local, &name).await?;
        if args.server.json {
            remote::print_json(&serde_json::json!(upload));
        }
        let bytes = size::bytes(local.size);
        say(&format!("uploaded {name}: {bytes} in {}", size::duration(began.elapsed())));
        Ok(Exit::Done)
    })
}

fn own_name(path: &Path) -> Result<String, Trouble> {
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Trouble::usage("the file's name is no text: give one by --name"))
}

/// The file to be sent.
struct Local {
    path: PathBuf,
    size: u64,
}

impl Local {
    fn open(path: &Path) -> Result<Local, Trouble> {
        let found = std::fs::metadata(path).map_err(|error| unread(path, &error))?;
        if !found.is_file() {
            return Err(Trouble::usage(format!("{} is no file", path.display())));
        }
        Ok(Local { path: path.to_owned(), size: found.len() })
    }
}

fn unread(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::usage(format!("read {}: {error}", path.display()))
}

async fn upload(remote: &Remote, local: &Local, name: &str) -> Result<Upload, Trouble> {
    let found = there(remote, name).await?;
    let from = found.filter(|upload| !upload.finished && upload.size_bytes == Some(local.size));
    let from = from.map_or(0, |upload| upload.received_bytes);
    let (upload, sha256) = send_all(remote, local, name, from).await?;
    if upload.sha256.as_ref() == Some(&sha256) {
        return Ok(upload);
    }
    let changed = "the file that arrived is another: it changed while it was sent";
    if from == 0 {
        return Err(Trouble { exit: Exit::DataFailed, ..Trouble::usage(changed) });
    }
    // What an earlier run has sent under this name was of another file.
    say("what was there was the beginning of another file: sending it anew");
    let (upload, sha256) = send_all(remote, local, name, 0).await?;
    match upload.sha256.as_ref() == Some(&sha256) {
        true => Ok(upload),
        false => Err(Trouble { exit: Exit::DataFailed, ..Trouble::usage(changed) }),
    }
}

/// What the service has of the file.
async fn there(remote: &Remote, name: &str) -> Result<Option<Upload>, Trouble> {
    match remote.ask(remote.request(Method::GET, &["uploads", name], &[])).await {
        Ok(document) => remote::read(&document).map(Some),
        Err(trouble) if trouble.problem == "no-file" => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Sends the file from a byte on until it is there, and its digest here.
async fn send_all(
    remote: &Remote,
    local: &Local,
    name: &str,
    mut from: u64,
) -> Result<(Upload, String), Trouble> {
    let meter = Arc::new(Meter::new());
    let mut tries = 0;
    loop {
        let mut trouble = match send(remote, local, name, from, &meter).await {
            Ok(sent) => return Ok(sent),
            Err(trouble) => trouble,
        };
        // Nothing is sent before it is known what is there: a part at 0 would begin anew.
        let found = loop {
            tries += 1;
            // What the service has lost is sent anew.
            let may_pass = trouble.is_passing || trouble.problem == "no-file";
            if !may_pass || tries > TRIES_MAX {
                return Err(trouble);
            }
            tokio::time::sleep(remote::pause(tries)).await;
            match there(remote, name).await {
                Ok(found) => break found,
                Err(next) => trouble = next,
            }
        };
        let received = found.filter(|upload| !upload.finished).map_or(0, |it| it.received_bytes);
        if received > from {
            tries = 0;
        }
        from = received;
    }
}

/// Sends the file from a byte on, in one request.
async fn send(
    remote: &Remote,
    local: &Local,
    name: &str,
    from: u64,
    meter: &Arc<Meter>,
) -> Result<(Upload, String), Trouble> {
    let digest = Arc::new(Mutex::new(String::new()));
    let reading = Reading::begin(local, from, Arc::clone(meter), Arc::clone(&digest)).await?;
    let mut request = remote.request(Method::PUT, &["uploads", name], &[]);
    request = request.header(header::CONTENT_LENGTH, local.size - from);
    if local.size > 0 {
        let range = format!("bytes {from}-{}/{}", local.size - 1, local.size);
        request = request.header(header::CONTENT_RANGE, range);
    }
    let answer = remote.send(request.body(Body::wrap_stream(reading.chunks()))).await?;
    let upload: Upload = remote::read(&remote::document(answer).await?)?;
    let digest = digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((upload, digest))
}

/// A file that is read once, sent and digested on the way.
struct Reading {
    file: File,
    sha256: Sha256,
    at: u64,
    size: u64,
    meter: Arc<Meter>,
    /// Where the digest goes when all is read.
    digest: Arc<Mutex<String>>,
}

impl Reading {
    /// Opens the file and digests what is not to be sent.
    async fn begin(
        local: &Local,
        from: u64,
        meter: Arc<Meter>,
        digest: Arc<Mutex<String>>,
    ) -> Result<Reading, Trouble> {
        let (path, size) = (local.path.clone(), local.size);
        let begun = tokio::task::spawn_blocking(move || {
            let mut file = File::open(path)?;
            let mut sha256 = Sha256::new();
            let read = std::io::copy(&mut (&file).take(from), &mut sha256)?;
            if read < from {
                return Err(shorter());
            }
            file.seek(SeekFrom::Start(from))?;
            let reading = Reading { file, sha256, at: from, size, meter, digest };
            reading.settle();
            Ok(reading)
        });
        let begun = begun.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        begun.map_err(|error| unread(&local.path, &error))
    }

    /// The rest of the file.
    fn chunks(self) -> impl Stream<Item = std::io::Result<Bytes>> {
        stream::try_unfold(self, async |mut reading| {
            if reading.at == reading.size {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || {
                let chunk = reading.chunk()?;
                Ok(Some((chunk, reading)))
            });
            read.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
        })
    }

    fn chunk(&mut self) -> std::io::Result<Bytes> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let mut buffer = vec![0; left.min(READ_BYTES)];
        let read = self.file.read(&mut buffer)?;
        if read == 0 {
            return Err(shorter());
        }
        buffer.truncate(read);
        self.sha256.update(&buffer);
        self.at += read as u64;
        self.settle();
        let text = format!("{}/{}", size::bytes(self.at), size::bytes(self.size));
        self.meter.show(self.at as f64 / self.size.max(1) as f64, &text);
        Ok(Bytes::from(buffer))
    }

    /// Tells the digest, once all is read.
    fn settle(&self) {
        if self.at == self.size {
            let digest = self.sha256.clone().finalize();
            let text = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}

fn shorter() -> std::io::Error {
    std::io::Error::other("it has become shorter")
}
