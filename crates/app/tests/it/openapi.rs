//! The native API's description: the committed copy is what the service serves, and the service
//! answers as described, whatever it is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::installed;
use crate::service::Site;

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

#[test]
fn the_service_answers_as_described() {
    // What a key may ask a second is tested elsewhere; here all that is asked is to be answered.
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::write(settings.path(), "[rates]\nreads = 100000\nwrites = 100000\n").unwrap();
    let site = Site::start(&["--config", settings.path().to_str().unwrap()]);
    site.upload(&site.key, "shop.sql", b"CREATE TABLE IF NOT EXISTS imp.t (id INT);\n");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let program = installed::folder("schemathesis", &folder.join("requirements.txt"));
    let output = Command::new(program.join("bin/schemathesis"))
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", site.service.address))
        .current_dir(site.scratch("schemathesis"))
        .env("HOME", site.scratch("home"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .env("DBFERRY_KEY_ID", &site.key.id)
        .env("DBFERRY_KEY_SECRET", &site.key.secret)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}");
    // All were asked.
    let document = serde_json::to_value(app::http::native::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    assert!(said.contains(&format!("Tested: {operations}\n")), "{operations}: {said}");
    assert!(!site.service.log().contains("a request failed"), "{}", site.service.log());
}
