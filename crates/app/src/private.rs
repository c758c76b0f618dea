//! Folders that only their owner may enter: what the service keeps on disk lies in such.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a folder that only its owner may enter.
pub fn make_folder(path: &Path) -> Result<(), String> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("make the folder {}: {error}", path.display()))
}
