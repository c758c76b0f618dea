//! The service by its native API: uploads, jobs, their end, and who may see what.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::service::{INSTANCE, Key, Site};

/// An answer's status and document; null where there is none.
pub(crate) fn ask(site: &Site, key: &Key, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    ask_with(site, key, method, path, "", body)
}

pub(crate) fn ask_with(
    site: &Site,
    key: &Key,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (u16, Value) {
    let mut answer = site.request_with(method, path, key, headers, body);
    // A loop that waits for something may ask more often than a key may.
    while answer.contains("urn:dbferry:problem:too-often") {
        answer = site.request_with(method, path, key, headers, body);
    }
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let document = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(document).unwrap_or(Value::Null))
}

#[track_caller]
pub(crate) fn check(site: &Site, key: &Key, request: (&str, &str, &[u8]), expected: u16) -> Value {
    let (method, path, body) = request;
    let (status, document) = ask(site, key, method, path, body);
    assert_eq!(status, expected, "{method} {path}: {document}");
    document
}

/// Makes a job for a file; its id.
#[track_caller]
pub(crate) fn job(site: &Site, key: &Key, file: &str, database: Option<&str>) -> String {
    let (status, document) = create(site, key, &request(file, database));
    assert_eq!(status, 201, "{document}");
    document["id"].as_str().unwrap().to_owned()
}

pub(crate) fn request(file: &str, database: Option<&str>) -> Value {
    json!({"instance": INSTANCE, "file": file, "user": "root", "database": database})
}

pub(crate) fn create(site: &Site, key: &Key, request: &Value) -> (u16, Value) {
    let body = request.to_string();
    let headers = "Content-Type: application/json\r\n";
    ask_with(site, key, "POST", "/api/v1/jobs", headers, body.as_bytes())
}

/// Asks for a job until it is as wanted.
pub(crate) fn job_when(site: &Site, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let job = check(site, &site.key, ("GET", &format!("/api/v1/jobs/{id}"), b""), 200);
        if is_so(&job) {
            return job;
        }
        assert!(!is_over(&job), "{job}");
    }
}

pub(crate) fn is_over(job: &Value) -> bool {
    !matches!(job["state"].as_str(), Some("queued" | "running"))
}

#[test]
fn uploads_come_whole_or_in_parts() {
    let site = Site::start(&[]);
    let key = &site.key;
    let put = |path: &str, headers: &str, body: &[u8]| {
        ask_with(&site, key, "PUT", &format!("/api/v1/uploads/{path}"), headers, body)
    };
    let (status, whole) = put("a.sql", "", b"SELECT 1;\n");
    assert_eq!((status, &whole["finished"]), (201, &json!(true)));
    // Of these ten bytes, by sha256sum.
    let sha256 = "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd";
    assert_eq!(whole["sha256"], json!(sha256));
    let (status, first) = put("b.sql", "Content-Range: bytes 0-3/10\r\n", b"SELE");
    assert_eq!((status, &first["received_bytes"]), (202, &json!(4)));
    let (status, wrong) = put("b.sql", "Content-Range: bytes 5-9/10\r\n", b" 1;\n.");
    assert_eq!((status, &wrong["received_bytes"]), (409, &json!(4)));
    let (status, last) = put("b.sql", "Content-Range: bytes 4-9/10\r\n", b"CT 1;\n");
    assert_eq!((status, &last["sha256"]), (201, &whole["sha256"]));
    assert_eq!(put("c.sql", "Content-Range: bytes 9-3/10\r\n", b"").0, 400);
    for name in ["..%2Fc.sql", ".c", "c%00", "a%2Fb"] {
        assert_eq!(put(name, "", b"x").0, 400, "{name}");
    }
    let listed = check(&site, key, ("GET", "/api/v1/uploads", b""), 200);
    assert_eq!(listed["total"], json!(2));
    check(&site, key, ("DELETE", "/api/v1/uploads/b.sql", b""), 204);
    check(&site, key, ("GET", "/api/v1/uploads/b.sql", b""), 404);
}

#[test]
fn nobody_sees_what_is_anothers() {
    let site = Site::start(&[]);
    let (own, other) = (&site.key, &site.new_key("other"));
    site.upload(own, "a.sql", b"SELECT 1;\n");
    let id = job(&site, own, "a.sql", None);
    job_when(&site, &id, is_over);
    for path in ["/api/v1/uploads/a.sql", &format!("/api/v1/jobs/{id}")] {
        check(&site, own, ("GET", path, b""), 200);
        check(&site, other, ("GET", path, b""), 404);
    }
    check(&site, other, ("DELETE", "/api/v1/uploads/a.sql", b""), 404);
    check(&site, other, ("POST", &format!("/api/v1/jobs/{id}/cancel"), b""), 404);
    let jobs = check(&site, other, ("GET", "/api/v1/jobs", b""), 200);
    assert_eq!(jobs["total"], json!(0));
    site.upload(other, "a.sql", b"SELECT 2;\n");
    assert_eq!(create(&site, other, &request("a.sql", None)).0, 404);
    let wrong = Key { secret: "x".repeat(32), ..site.new_key("other") };
    check(&site, &wrong, ("GET", "/api/v1/uploads", b""), 401);
    let stranger = Key { id: "AKIDnobody".to_owned(), ..site.new_key("other") };
    check(&site, &stranger, ("GET", "/api/v1/uploads", b""), 401);
    site.disable(own);
    check(&site, own, ("GET", "/api/v1/uploads", b""), 401);
}

#[test]
fn an_account_sees_its_own_instances_and_no_logins() {
    let site = Site::start(&[]);
    let (own, other) = (&site.key, &site.new_key("other"));
    let path = format!("/api/v1/instances/{INSTANCE}");
    let checked = check(&site, own, ("POST", &format!("{path}/check"), b""), 200);
    assert_eq!(checked["status"], json!("running"), "{checked}");
    assert!(checked["version"].as_str().unwrap().contains("MariaDB"), "{checked}");
    assert!(checked["used_bytes"].as_u64().is_some() && checked["checked_at_ms"].is_i64());
    assert_eq!(check(&site, own, ("GET", &path, b""), 200)["id"], json!(INSTANCE));
    let listed = check(&site, own, ("GET", "/api/v1/instances", b""), 200);
    assert_eq!((&listed["total"], &listed["instances"][0]["id"]), (&json!(1), &json!(INSTANCE)));
    let shown = format!("{checked} {listed}");
    assert!(!shown.contains("root") && !shown.contains(site.server.root_password()), "{shown}");
    check(&site, other, ("GET", &path, b""), 404);
    check(&site, other, ("POST", &format!("{path}/check"), b""), 404);
    assert_eq!(check(&site, other, ("GET", "/api/v1/instances", b""), 200)["total"], json!(0));
}

#[test]
fn jobs_are_filtered_and_paged() {
    let site = Site::start(&[]);
    site.upload(&site.key, "good.sql", b"SELECT 1;\n");
    site.upload(&site.key, "bad.sql", b"SELECT nothing FROM nowhere;\n");
    let run = |file: &str| {
        let id = job(&site, &site.key, file, Some("imp"));
        job_when(&site, &id, is_over);
        id
    };
    let (good, bad) = (run("good.sql"), run("bad.sql"));
    let ids = |query: &str, total: u64| -> String {
        let path = format!("/api/v1/jobs?{query}");
        let listed = check(&site, &site.key, ("GET", &path, b""), 200);
        assert_eq!(listed["total"], json!(total), "{query}");
        let jobs = listed["jobs"].as_array().unwrap();
        let ids: Vec<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
        ids.join(" ")
    };
    assert_eq!(ids("", 2), format!("{bad} {good}"));
    assert_eq!(ids("limit=1", 2), bad);
    assert_eq!(ids("limit=1&offset=1", 2), good);
    assert_eq!(ids("state=failed", 1), bad);
    assert_eq!(ids("state=failed,succeeded", 2), format!("{bad} {good}"));
    assert_eq!(ids(&format!("state=succeeded&instance={INSTANCE}"), 1), good);
    assert_eq!(ids("instance=cdb-other", 0), "");
    for query in ["state=done", "state=", "limit=0", "limit=1001", "offset=-1", "page=2"] {
        check(&site, &site.key, ("GET", &format!("/api/v1/jobs?{query}"), b""), 400);
    }
}

#[test]
fn a_job_without_a_user_takes_the_registered_login_and_does_not_name_it() {
    let site = Site::start(&[]);
    site.upload(&site.key, "a.sql", b"CREATE TABLE whose SELECT CURRENT_USER() AS u;\n");
    let body = json!({"instance": INSTANCE, "file": "a.sql", "database": "imp"});
    let (status, made) = create(&site, &site.key, &body);
    assert_eq!((status, &made["user"]), (201, &Value::Null), "{made}");
    let ended = job_when(&site, made["id"].as_str().unwrap(), is_over);
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
    assert!(!ended.to_string().contains("root"), "{ended}");
    assert_eq!(ended["result"]["statements"], json!(1));
    let user = site.server.sql("SELECT u FROM imp.whose").unwrap();
    assert!(user.starts_with("root@"), "{user}");
}

#[test]
fn every_refusal_is_a_problem_document() {
    let site = Site::start(&[]);
    let json = "Content-Type: application/json\r\n";
    for (method, path, headers, body, status) in [
        ("GET", "/api/v1/nothing", "", "", 404),
        ("PATCH", "/api/v1/jobs", "", "", 405),
        ("GET", "/api/v1/jobs/%ff", "", "", 400),
        ("GET", "/api/v1/jobs?limit=x", "", "", 400),
        ("POST", "/api/v1/jobs", "", "{}", 415),
        ("POST", "/api/v1/jobs", json, "{", 400),
        ("POST", "/api/v1/jobs", json, "{}", 400),
        ("POST", "/api/v1/jobs", json, &" ".repeat(70_000), 413),
        ("GET", "/api/v1/jobs/0/events", "", "", 404),
        ("GET", "/api/v1/jobs/0/events", "Last-Event-ID: x\r\n", "", 400),
    ] {
        let answer = site.request_with(method, path, &site.key, headers, body.as_bytes());
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(head.contains("content-type: application/problem+json"), "{answer}");
        let document: Value = serde_json::from_str(text).unwrap();
        assert_eq!(document["status"], json!(status));
        assert!(document["type"].as_str().unwrap().starts_with("urn:dbferry:problem:"));
        assert_eq!(status == 405, head.contains("allow: GET"), "{head}");
    }
}

#[test]
fn a_failed_job_says_where_and_shows_no_values() {
    let site = Site::start(&[]);
    let text = "CREATE TABLE t (id INT PRIMARY KEY, v TEXT);\nINSERT INTO t VALUES (471147114,'a');\n\
                INSERT INTO t VALUES (471147114,'b');\n";
    site.upload(&site.key, "bad.sql", text.as_bytes());
    let id = job(&site, &site.key, "bad.sql", Some("imp"));
    let ended = job_when(&site, &id, is_over);
    assert_eq!(ended["state"], json!("failed"));
    let message = ended["error"]["message"].as_str().unwrap();
    for part in ["bad.sql line 3", "table t", "server error 1062"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!ended.to_string().contains("471147114"), "{ended}");
    assert!(!site.service.log().contains("471147114"));
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "1");
    for (file, database, status) in [("no.sql", None, 404), ("bad.sql", Some("no_such"), 404)] {
        assert_eq!(create(&site, &site.key, &request(file, database)).0, status, "{file}");
    }
    let mut refused = request("bad.sql", None);
    refused["password"] = json!("wrong-secret");
    let (status, document) = create(&site, &site.key, &refused);
    assert_eq!(status, 409);
    assert!(!document.to_string().contains("wrong-secret"));
    assert!(!site.service.log().contains("wrong-secret"));
}

#[test]
fn a_cancelled_job_ends_and_leaves_the_instance_free() {
    let site = Site::start(&[]);
    let text = "CREATE TABLE t (id INT);\nINSERT INTO t VALUES (1);\nSELECT SLEEP(600);\n";
    site.upload(&site.key, "slow.sql", text.as_bytes());
    site.upload(&site.key, "next.sql", b"INSERT INTO t VALUES (2);\n");
    let id = job(&site, &site.key, "slow.sql", Some("imp"));
    let started = |job: &Value| job["progress"]["statements"].as_u64().unwrap_or(0) >= 2;
    job_when(&site, &id, started);
    // The same once more is the same job; another has to wait.
    assert_eq!(job(&site, &site.key, "slow.sql", Some("imp")), id);
    assert_eq!(create(&site, &site.key, &request("next.sql", Some("imp"))).0, 409);
    let cancel = format!("/api/v1/jobs/{id}/cancel");
    check(&site, &site.key, ("POST", &cancel, b""), 202);
    let ended = job_when(&site, &id, is_over);
    assert_eq!(ended["state"], json!("cancelled"));
    check(&site, &site.key, ("POST", &cancel, b""), 409);
    let next = job(&site, &site.key, "next.sql", Some("imp"));
    assert_eq!(job_when(&site, &next, is_over)["state"], json!("succeeded"));
    assert_eq!(site.server.sql("SELECT SUM(id) FROM imp.t").unwrap().trim_end(), "3");
}

#[test]
fn a_service_told_to_stop_puts_jobs_back_and_goes_on_later() {
    let mut site = Site::start(&["--drain-seconds", "0"]);
    let text = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n\
                SELECT IF(@@global.slow_query_log, SLEEP(600), 0);\nINSERT INTO t VALUES (2);\n";
    site.upload(&site.key, "stopped.sql", text.as_bytes());
    site.server.sql("SET GLOBAL slow_query_log = 1").unwrap();
    let id = job(&site, &site.key, "stopped.sql", Some("imp"));
    let started = |job: &Value| job["progress"]["statements"].as_u64().unwrap_or(0) >= 2;
    job_when(&site, &id, started);
    let ended = site.service.end(Signal::SIGTERM);
    assert_eq!(ended.code(), Some(0), "{}", site.service.log());
    site.server.sql("SET GLOBAL slow_query_log = 0").unwrap();
    site.restart();
    let ended = job_when(&site, &id, is_over);
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
    assert_eq!(ended["attempt"], json!(2));
    assert_eq!(site.server.sql("SELECT SUM(id) FROM imp.t").unwrap().trim_end(), "3");
}

#[test]
fn who_watches_is_told() {
    let site = Site::start(&[]);
    for (path, part) in [
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/metrics", "dbferry_jobs{state=\"queued\"} 0\n"),
    ] {
        let answer = site.request("GET", path, &site.key, b"");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(part), "{answer}");
    }
    assert!(site.request("GET", "/nothing", &site.key, b"").starts_with("HTTP/1.1 404 "));
}
