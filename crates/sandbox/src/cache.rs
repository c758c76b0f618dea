//! The cache folder that `scripts/mysql` and this crate share.
//!
//! The only place in this crate that reads the environment. Nothing in the cache is precious: it
//! can be deleted at any time while no server starts.

use crate::{Error, Result};
use std::env;
use std::fs::{self, File};
use std::path::PathBuf;

/// The cache folder: `$DBFERRY_CACHE`, else `$XDG_CACHE_HOME/dbferry`, else `$HOME/.cache/dbferry`.
pub(crate) fn dir() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DBFERRY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("dbferry")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/dbferry")))
        .ok_or_else(|| Error::Missing {
            what: "a cache folder".into(),
            remedy: "export DBFERRY_CACHE=FOLDER",
        })
}

/// A program on `$PATH`, or in the administrator's folders that are often not on it.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Takes an exclusive lock between processes; it ends when the returned file is dropped.
pub(crate) fn lock(name: &str) -> Result<File> {
    let dir = dir()?;
    fs::create_dir_all(&dir).map_err(Error::path("create", &dir))?;
    let path = dir.join(format!("{name}.lock"));
    let file = File::create(&path).map_err(Error::path("create", &path))?;
    file.lock().map_err(Error::path("lock", &path))?;
    Ok(file)
}
