//! Who is let into the native API, how often, and what the audit log says of it.

use serde_json::json;
use store::{SealingKey, Store};

use crate::native::{ask, check, create, is_over, job_when, request};
use crate::service::{INSTANCE, Site};

/// A site whose service has these settings.
fn site_with(settings: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.keep().join("dbferry.toml");
    std::fs::write(&path, settings).unwrap();
    Site::start(&["--config", path.to_str().unwrap()])
}

/// A header of an answer.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[test]
fn a_key_that_asks_too_often_is_told_so_and_others_are_not() {
    let site = site_with("[rates]\nreads = 1000\nwrites = 2\n");
    let other = site.new_key("other");
    let path = "/api/v1/instances/none";
    let delete = |key| site.request("DELETE", path, key, b"");
    let mut answers: Vec<String> = Vec::new();
    while answers.last().is_none_or(|answer| !answer.starts_with("HTTP/1.1 429 ")) {
        answers.push(delete(&site.key));
        assert!(answers.len() < 100, "{answers:#?}");
    }
    let first = &answers[0];
    assert!(first.starts_with("HTTP/1.1 404 "), "{first}");
    assert_eq!(header(first, "ratelimit-policy"), Some("\"writes\";q=2;w=1"));
    assert_eq!(header(first, "ratelimit"), Some("\"writes\";r=1;t=1"));
    let last = answers.last().unwrap();
    assert_eq!(
        (header(last, "retry-after"), header(last, "ratelimit")),
        (Some("1"), Some("\"writes\";r=0;t=1"))
    );
    assert!(last.contains("urn:dbferry:problem:too-often"), "{last}");
    // Another key, and what only asks, have buckets of their own.
    assert!(delete(&other).starts_with("HTTP/1.1 404 "));
    check(&site, &site.key, ("GET", "/api/v1/jobs", b""), 200);
}

#[test]
fn an_operator_may_keep_registering_to_himself() {
    let site = site_with("register_by_key = false\n");
    let path = format!("/api/v1/instances/{INSTANCE}");
    let (status, document) = ask(&site, &site.key, "DELETE", &path, b"");
    let kind = json!("urn:dbferry:problem:not-allowed");
    assert_eq!((status, &document["type"]), (403, &kind));
    check(&site, &site.key, ("GET", &path, b""), 200);
}

#[tokio::test]
async fn what_changes_something_is_in_the_audit_log() {
    let site = Site::start(&[]);
    let key = &site.key;
    site.upload(key, "a.sql", b"SELECT 1;\n");
    let part = "Content-Range: bytes 0-3/10\r\n";
    let sent = site.request_with("PUT", "/api/v1/uploads/b.sql", key, part, b"SELE");
    assert!(sent.starts_with("HTTP/1.1 202 "), "{sent}");
    let (status, job) = create(&site, key, &request("a.sql", None));
    assert_eq!(status, 201, "{job}");
    let id = job["id"].as_str().unwrap().to_owned();
    job_when(&site, &id, is_over);
    check(&site, key, ("POST", &format!("/api/v1/jobs/{id}/cancel"), b""), 409);
    check(&site, key, ("DELETE", "/api/v1/uploads/c%00", b""), 400);
    check(&site, key, ("DELETE", "/api/v1/instances/none", b""), 404);
    assert_eq!(create(&site, key, &json!({"instance": "db-9", "file": "a.sql"})).0, 404);

    let sealing = SealingKey::load_or_create(&site.data().join("sealing.key")).unwrap();
    let url = format!("sqlite:{}", site.data().join("store.db").display());
    let store = Store::open(&url, sealing).await.unwrap();
    let account = store.account_by_name(&key.account).await.unwrap().id;
    let mut entries = store.audit(account, 0, 100).await.unwrap().items;
    store.close().await;
    entries.reverse();
    assert!(entries.iter().all(|entry| entry.actor == key.id && entry.account == Some(account)));
    let told: Vec<[&str; 3]> = entries
        .iter()
        .map(|entry| [entry.action.as_str(), entry.object.as_str(), entry.outcome.as_str()])
        .collect();
    assert_eq!(
        told,
        [
            ["PUT /uploads/{name}", "a.sql", "done"],
            ["POST /jobs", INSTANCE, "done"],
            ["POST /jobs/{id}/cancel", id.as_str(), "ended"],
            ["DELETE /uploads/{name}", "c ", "invalid"],
            ["DELETE /instances/{id}", "none", "no-instance"],
            ["POST /jobs", "db-9", "no-instance"],
        ]
    );
}
