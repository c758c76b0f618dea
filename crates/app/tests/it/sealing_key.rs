//! `dbferry sealing-key rotate`: killed at any moment, everything opens.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::native::{check, create, is_over, job_when};
use crate::sameness::dbferry;
use crate::service::{INSTANCE, Site};

/// Rotations that are killed.
const KILLS: usize = 12;

fn rotation(site: &Site) -> Command {
    let mut command = dbferry();
    command.args(["sealing-key", "rotate", "--data"]).arg(site.data());
    command
}

/// The key opens the API, and the registered login the server: both are sealed.
fn check_opens(site: &Site, run: usize) {
    let name = format!("{run}.sql");
    site.upload(&site.key, &name, b"SELECT 1;\n");
    let (status, job) = create(site, &site.key, &json!({"instance": INSTANCE, "file": name}));
    assert_eq!(status, 201, "{job}");
    let ended = job_when(site, job["id"].as_str().unwrap(), is_over);
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
}

#[test]
fn a_rotation_that_is_killed_leaves_one_key_for_all() {
    let mut site = Site::start(&[]);
    let refused = rotation(&site).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), said.contains("a service")), (Some(2), true), "{said}");
    check(&site, &site.key, ("GET", "/api/v1/jobs", b""), 200);
    site.service.end(Signal::SIGTERM);
    let path = site.data().join("sealing.key");
    let first = std::fs::read(&path).unwrap();
    for run in 0..KILLS {
        let mut child = rotation(&site).stderr(Stdio::null()).spawn().unwrap();
        // A little later each time: what it does first takes the longest.
        for _ in 0..run {
            dbferry().arg("--version").output().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if run % 4 == 3 {
            site.restart();
            check_opens(&site, run);
            site.service.end(Signal::SIGTERM);
        }
    }
    let output = rotation(&site).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.contains("new key")), (Some(0), true), "{said}");
    assert_ne!(std::fs::read(&path).unwrap(), first);
    site.restart();
    check_opens(&site, KILLS);
}
