//! The native API's description: the committed copy is what the service serves.

use std::fs;
use std::path::{Path, PathBuf};

/// Set, the test writes the copy instead of comparing it.
const WRITE: &str = "DBFERRY_WRITE_OPENAPI";

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[test]
fn the_committed_description_is_what_is_served() {
    let mut text = serde_json::to_string_pretty(&app::http::native::document()).unwrap();
    text.push('\n');
    if std::env::var_os(WRITE).is_some() {
        fs::write(committed(), &text).unwrap();
    }
    let is_same = fs::read_to_string(committed()).is_ok_and(|committed| committed == text);
    assert!(is_same, "docs/openapi.json is another: `make openapi` writes it");
}
