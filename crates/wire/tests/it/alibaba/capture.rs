//! Requests that SDKs really sent, signed with the example key of the documents.
//!
//! The files in `tests/cases/alibaba` are what a socket received, but for the kernel's version in a
//! header that no signature covers.

use std::fs;
use std::path::Path;

use wire::alibaba::credentials::Credentials;

use crate::capture::{Captured, read};

/// The id of the example key of Alibaba Cloud's documents.
pub(super) const KEY_ID: &str = "testid";
/// Its secret.
pub(super) const SECRET: &str = "testsecret";

/// All of them, by name.
pub(super) fn all() -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/alibaba");
    let mut found: Vec<Captured> =
        fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path())).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 30, "only {} captures found", found.len());
    found
}

/// One of them.
pub(super) fn named(name: &str) -> Captured {
    all().into_iter().find(|captured| captured.name == name).unwrap()
}

/// Whether it is signed with `ACS3-HMAC-SHA256`.
pub(super) fn is_acs3(captured: &Captured) -> bool {
    captured.headers.iter().any(|(name, _)| name == "Authorization")
}

/// Whether a request would be let in at `now`, where `secret` belongs to [`KEY_ID`] and nobody else
/// has a key.
pub(super) fn is_accepted(captured: &Captured, secret: &str, now: i64) -> bool {
    let request = captured.request();
    let read = Credentials::read(&request);
    read.is_ok_and(|c| c.key_id == KEY_ID && c.verify(secret, now, &request).is_ok())
}
