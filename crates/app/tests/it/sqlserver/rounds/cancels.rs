//! Copies that are stopped by Ctrl-C, or cancelled as jobs: the target is as before, and nothing is left.

use serde_json::{Value, json};

use super::*;
use crate::alibaba_sdk::Client;
use crate::interrupt::{end, interrupt};
use crate::native::{ask, check, create, is_over, job_when};
use crate::service::Site;
use crate::sqlserver::{SOURCE, TARGET, submit};

/// Cancels in an ordinary run; `DBFERRY_KILLS` sets another number.
const CANCELS: usize = 4;

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn ctrl_c_leaves_the_target_as_it_was() {
    let mut yard = Yard::start(11);
    for round in 0..rounds("DBFERRY_KILLS", CANCELS) {
        yard.reset();
        let mut child = yard.command().stdout(Stdio::piped()).spawn().unwrap();
        if yard.wait_with(&mut child) {
            interrupt(&child);
        }
        let ended = end(child);
        let what = format!("round {round}: {}", ended.stderr);
        yard.wait_gone();
        match ended.exit {
            // Not while the databases change places.
            Some(0) => yard.check(true, &what),
            Some(130) => {
                ended.check(130, &["copy interrupted", "shows what it showed before"]);
                yard.check(false, &what);
            }
            _ => panic!("{what}"),
        }
    }
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_job_that_is_cancelled_leaves_the_target_as_it_was() {
    let mut yard = Yard::start(12);
    let (site, _settings) = yard.bench.site_with("", &[]);
    let mut client = Client::start(&site, &site.key, "classic-typed");
    for round in 0..rounds("DBFERRY_KILLS", CANCELS) {
        yard.reset();
        let id = match round % 2 == 0 {
            true => cancelled_by_sdk(&mut yard, &site, &mut client),
            false => cancelled_natively(&mut yard, &site),
        };
        let ended = job_when(&site, &id, is_over);
        wait_until(|| yard.leftovers().is_empty());
        yard.wait_gone();
        let what = format!("round {round}: {ended}");
        match ended["state"].as_str() {
            Some("succeeded") => yard.check(true, &what),
            Some("cancelled") => yard.check(false, &what),
            _ => panic!("{what}"),
        }
    }
}

/// A copy that Alibaba Cloud's client begins and cancels; the job's id.
fn cancelled_by_sdk(yard: &mut Yard, site: &Site, client: &mut Client) -> String {
    let import = submit(client);
    let listed = check(site, &site.key, ("GET", "/api/v1/jobs?limit=1", b""), 200);
    yard.wait();
    let asked = json!({"DBInstanceId": TARGET, "ImportId": import.parse::<i64>().unwrap()});
    // One that is over, or as good as over, cannot be cancelled.
    if let Err((code, message)) =
        client.told(&json!({"action": "CancelImport", "parameters": asked}))
    {
        assert_eq!(code, "OperationDenied.IncorrectTaskStatus", "{message}");
    }
    listed["jobs"][0]["id"].as_str().unwrap().to_owned()
}

/// The same with the native API.
fn cancelled_natively(yard: &mut Yard, site: &Site) -> String {
    let (status, job) = create(site, &site.key, &request());
    assert_eq!(status, 201, "{job}");
    let id = job["id"].as_str().unwrap();
    yard.wait();
    let (status, answer) = ask(site, &site.key, "POST", &format!("/api/v1/jobs/{id}/cancel"), b"");
    assert!([202, 409].contains(&status), "{status}: {answer}");
    id.to_owned()
}

/// The copy that [`Yard::command`] makes, as a job.
pub(super) fn request() -> Value {
    json!({
        "kind": "copy",
        "source": SOURCE,
        "instance": TARGET,
        "databases": [{"name": SHOP, "as": NEW_SHOP}, {"name": STOCK, "as": NEW_STOCK}],
        "replace": true,
    })
}
