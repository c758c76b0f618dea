//! One throwaway S3 server: `s3s-fs`, on threads of this process and a free port of 127.0.0.1.
//!
//! Promises: it checks signatures, and knows parts, ranges and tags; objects are files in a temporary
//! folder, so that a test can put one there and see what is left. It ends with the value.
//!
//! Deliberately not here: conditions of requests for objects, which this server does not heed; TLS.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::{Error, Result};

/// What the server calls parts of uploads that are not complete.
const PART: &str = ".upload_id-";

/// A running server with some buckets.
#[derive(Debug)]
pub struct ObjectStorage {
    address: SocketAddr,
    folder: TempDir,
    _runtime: Runtime,
}

impl ObjectStorage {
    /// The name of its one key.
    pub const KEY_ID: &str = "AKIDSANDBOX";
    /// That key's secret.
    pub const SECRET: &str = "sandbox/se-cret+of=storage";

    /// Starts a server with these buckets, empty.
    pub fn start(buckets: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("dbferry-")
            .tempdir()
            .map_err(Error::io("create a temporary folder"))?;
        for bucket in buckets {
            let path = folder.path().join(bucket);
            fs::create_dir(&path).map_err(Error::path("create", &path))?;
        }
        let service = service(folder.path())?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(Error::io("start a runtime"))?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.map_err(Error::io("listen"))?;
        let address = listener.local_addr().map_err(Error::io("ask for a port"))?;
        runtime.spawn(serve(listener, service));
        Ok(Self { address, folder, _runtime: runtime })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, to which buckets are appended.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file of an object, whether it is there or not.
    #[must_use]
    pub fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.path().join(bucket).join(key)
    }

    /// Puts an object there, or another in its place.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(bucket, key);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(Error::path("create", above))?;
        }
        // In one step: whoever reads the old one goes on with it.
        let beside = self.folder.path().join(".put");
        fs::write(&beside, bytes).map_err(Error::path("write", &beside))?;
        fs::rename(&beside, &path).map_err(Error::path("write", &path))
    }

    /// The names of all objects of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Result<Vec<String>> {
        let root = self.path(bucket, "");
        let mut keys = Vec::new();
        gather(&root, &mut |path| {
            let below = path.strip_prefix(&root).unwrap_or(path);
            keys.push(below.to_string_lossy().into_owned());
        })
        .map_err(Error::path("list", &root))?;
        keys.sort();
        Ok(keys)
    }

    /// How many parts there are of uploads that are neither complete nor aborted.
    pub fn parts(&self) -> Result<usize> {
        let root = self.folder.path();
        let mut count = 0;
        for entry in fs::read_dir(root).map_err(Error::path("list", root))? {
            let entry = entry.map_err(Error::path("list", root))?;
            count += usize::from(entry.file_name().to_string_lossy().starts_with(PART));
        }
        Ok(count)
    }
}

fn service(root: &Path) -> Result<S3Service> {
    let files = FileSystem::new(root).map_err(|error| Error::Start {
        what: "the S3 server".into(),
        reason: format!("{error:?}"),
        log: String::new(),
    })?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ObjectStorage::KEY_ID, ObjectStorage::SECRET));
    Ok(builder.build())
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        // Clients that go away are part of the tests.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Calls back with every file below a folder.
fn gather(folder: &Path, found: &mut impl FnMut(&Path)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, found)?;
        } else {
            found(&path);
        }
    }
    Ok(())
}
