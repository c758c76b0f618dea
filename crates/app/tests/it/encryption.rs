//! TLS of the service's own port, as `curl` sees it: which certificate is shown, and when another.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use sandbox::tls::{self, Certificates};

use crate::interrupt::wait_until;
use crate::port::impatient;
use crate::refusals::connect;
use crate::service::Site;

/// Whether the service is the one that this authority knows.
fn is_trusted(site: &Site, authority: &Path) -> bool {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--cacert"])
        .arg(authority)
        .arg(format!("https://{}/healthz", site.service.address))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => assert_eq!(output.stdout, b"ok\n"),
        // The certificate is not to be verified.
        code => assert_eq!(code, Some(60), "{said}"),
    }
    output.status.success()
}

/// Puts new files in the place of those that the settings name.
fn renew(folder: &Path, new: &Certificates) {
    for (name, path) in [("key.pem", &new.server_key), ("certificate.pem", &new.server)] {
        let draft = folder.join("draft.pem");
        fs::copy(path, &draft).unwrap();
        fs::rename(&draft, folder.join(name)).unwrap();
    }
}

/// New certificates in a folder of that name.
fn certificates(folder: &Path, name: &str) -> Certificates {
    let place = folder.join(name);
    fs::create_dir(&place).unwrap();
    tls::create(&place).unwrap()
}

/// A service with a certificate of its own, whose files are in this folder.
pub(crate) fn encrypted(folder: &Path) -> (Certificates, Site) {
    let made = certificates(folder, "first");
    renew(folder, &made);
    let settings = folder.join("dbferry.toml");
    let at = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n[connections]\nhandshake_seconds = 1\n",
        at("certificate.pem"),
        at("key.pem")
    );
    fs::write(&settings, text).unwrap();
    (made, Site::start(&["--config", settings.to_str().unwrap()]))
}

#[test]
fn the_port_shows_its_certificate_and_takes_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (first, mut site) = encrypted(folder.path());
    let [second, third] = ["second", "third"].map(|name| certificates(folder.path(), name));
    let made = [first, second, third];
    assert!(is_trusted(&site, &made[0].ca));
    assert!(!is_trusted(&site, &made[0].unrelated_ca));
    // A client that does not speak TLS, and one that does not speak at all.
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut connect(&site), &mut answer);
    assert_eq!(answer, b"");
    let plain = site.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!plain.starts_with(b"HTTP/"), "{plain:?}");

    renew(folder.path(), &made[1]);
    site.service.signal(Signal::SIGHUP);
    wait_until(|| is_trusted(&site, &made[1].ca));
    assert!(!is_trusted(&site, &made[0].ca));
    // Nobody says anything, and it is seen all the same.
    renew(folder.path(), &made[2]);
    wait_until(|| is_trusted(&site, &made[2].ca));
    // A key that does not fit, then no certificate at all, then the good one again.
    fs::copy(&made[0].server_key, folder.path().join("key.pem")).unwrap();
    site.service.signal(Signal::SIGHUP);
    wait_until(|| site.service.log().contains("is not the key of the certificate"));
    assert!(is_trusted(&site, &made[2].ca));
    fs::write(folder.path().join("certificate.pem"), "nothing").unwrap();
    site.service.signal(Signal::SIGHUP);
    wait_until(|| site.service.log().contains("holds no certificate"));
    assert!(is_trusted(&site, &made[2].ca));
    renew(folder.path(), &made[1]);
    wait_until(|| is_trusted(&site, &made[1].ca));
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0), "{}", site.service.log());
    assert!(!site.service.log().contains("BEGIN"));
}

#[test]
fn without_a_certificate_a_hangup_changes_nothing() {
    let (_folder, mut site) = impatient("");
    site.service.signal(Signal::SIGHUP);
    wait_until(|| site.service.log().contains("reloaded"));
    assert!(site.request("GET", "/healthz", &site.key, b"").starts_with("HTTP/1.1 200 "));
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0));
}
