//! Other programs that tests run, as `scripts/setup` has installed them into the cache folder.

use std::path::{Path, PathBuf};

/// The folder of that name; its copy of the file with the pins is put there last.
pub(crate) fn folder(name: &str, pins: &Path) -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("DBFERRY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("dbferry")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/dbferry")))
        .unwrap();
    let folder = cache.join(name);
    let ours = std::fs::read(pins).unwrap();
    let copy = folder.join(pins.file_name().unwrap());
    let is_ready = std::fs::read(copy).is_ok_and(|installed| installed == ours);
    let (folder_shown, pins) = (folder.display(), pins.display());
    assert!(is_ready, "{folder_shown} is not what {pins} asks for: run scripts/setup");
    folder
}
