//! What whoever runs the service relies on: settings that are checked, what the service manager is
//! told, logs, figures, completions and manual pages.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::refusals::{connect, signer};
use crate::sameness::dbferry;
use crate::service::{INSTANCE, Site};

fn checked(text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dbferry.toml");
    std::fs::write(file, text).unwrap();
    // The file that is there without a word about it.
    dbferry().args(["config", "check"]).current_dir(folder.path()).output().unwrap()
}

#[track_caller]
fn check_refused(text: &str, parts: &[&str]) {
    let output = checked(text);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}: {said}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(said.contains(part), "{text}: {said}");
    }
}

#[test]
fn settings_are_checked_before_they_are_used() {
    let output = checked("workers = 3\nstore = \"mysql://u:top-secret@db.example/d\"\n");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for line in ["workers = 3\n", "lease_seconds = 15\n", "[connections]\nmax = 512\n", "u:***@"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("top-secret"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not encrypted"));
    check_refused("\nworker = 3\n", &["dbferry.toml: line 2: unknown field `worker`"]);
    check_refused("workers = 0\n", &["dbferry.toml: line 1: workers: must be from 1"]);
    check_refused("[connections]\nmax = 9\nmin = 1\n", &["line 3: unknown field `min`"]);
    check_refused("listen = \"0.0.0.0:1\"\n", &["line 1: listen", "not a loopback address"]);
    let missing = "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    check_refused(missing, &["read c.pem: No such file"]);
    let output = dbferry().args(["config", "check", "missing.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let serve = dbferry().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(serve.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&serve.stderr).contains("not a loopback address"));
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let notify = ("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut site = Site::start_in(&[], &[notify, ("WATCHDOG_USEC", "1000000")]);
    let others = |wanted: &str| loop {
        match told() {
            text if text.contains(wanted) => return text,
            text => assert_eq!(text, "WATCHDOG=1\n", "before {wanted}"),
        }
    };
    others("READY=1\n");
    for _ in 0..3 {
        assert_eq!(told(), "WATCHDOG=1\n");
    }
    site.service.signal(Signal::SIGHUP);
    assert!(others("RELOADING=1\n").contains("MONOTONIC_USEC="));
    others("READY=1\n");
    site.service.signal(Signal::SIGTERM);
    others("STOPPING=1\n");
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0));
}

#[test]
fn logs_are_documents_with_ids_and_without_secrets() {
    let mut site = Site::start(&["--log", "json"]);
    let (root, wrong) = (site.server.root_password().to_owned(), "wrong-password-4711");
    site.upload(
        &site.key,
        "good.sql",
        b"CREATE TABLE t (v TEXT);\nINSERT INTO t VALUES ('row-4711');\n",
    );
    site.upload(&site.key, "bad.sql", b"INSERT INTO missing VALUES ('row-4712');\n");
    let create = |file: &str, password: &str| {
        let body = json!({"InstanceId": INSTANCE, "FileName": file, "DbName": "imp",
            "User": "root", "Password": password});
        let request = signer(&site).post("CreateDBImportJob", body.to_string().as_bytes(), false);
        document(&site.raw(&request))
    };
    let refused = create("good.sql", wrong);
    assert_eq!(refused["Response"]["Error"]["Code"], json!("OperationDenied.WrongPassword"));
    let mut jobs = Vec::new();
    for file in ["good.sql", "bad.sql"] {
        let made = create(file, &root);
        let id = made["Response"]["AsyncRequestId"].as_str().unwrap_or_else(|| panic!("{made}"));
        jobs.push(id.replace('-', ""));
        while running(&site, &jobs[jobs.len() - 1]) {}
    }
    let v1 = signer(&site).v1("GET", "DescribeDBInstances", &[]);
    let answered = document(&site.raw(&v1));
    let listed = site.request("GET", "/api/v1/jobs", &site.key, b"");
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0));

    let log = site.service.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no document: {line}")))
        .collect();
    let by = |at: &str, id: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["span"][at] == json!(id)).collect()
    };
    for answer in [&refused, &answered] {
        let found = by("request_id", answer["Response"]["RequestId"].as_str().unwrap());
        assert!(found.iter().any(|line| line["message"] == json!("answered")), "{log}");
    }
    let native = listed.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert_eq!(by("request_id", native)[0]["action"], json!("GET /api/v1/jobs"));
    for (job, end) in jobs.iter().zip(["job succeeded", "job failed"]) {
        assert!(by("job", job).iter().any(|line| line["message"] == json!(end)), "{log}");
    }
    let mut secrets = vec![root.as_str(), wrong, &site.key.secret, "row-471"];
    let request = String::from_utf8(v1).unwrap();
    secrets.extend(request.split_once("Signature=").unwrap().1.split([' ', '&']).next());
    for secret in secrets {
        assert!(secret.len() >= 7 && !log.contains(secret), "a secret is in the log");
    }
}

fn document(answer: &[u8]) -> Value {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn running(site: &Site, job: &str) -> bool {
    let answer = site.request("GET", &format!("/api/v1/jobs/{job}"), &site.key, b"");
    let state = &document(answer.as_bytes())["state"];
    state == "queued" || state == "running"
}

#[test]
fn figures_follow_the_text_format_and_count() {
    let site = Site::start(&[]);
    // Enough for lanes to be worth it.
    let value = "x".repeat(1000);
    let insert = |at: usize| {
        let rows: Vec<String> =
            (at * 1000..(at + 1) * 1000).map(|row| format!("({row},'{value}')")).collect();
        format!("INSERT INTO t VALUES {};\n", rows.join(","))
    };
    let inserts: String = (0..12).map(insert).collect();
    let text = format!("CREATE TABLE t (id INT PRIMARY KEY, v TEXT);\n{inserts}");
    site.upload(&site.key, "rows.sql", text.as_bytes());
    let body = json!({"instance": INSTANCE, "file": "rows.sql", "user": "root", "database": "imp"});
    let headers = "Content-Type: application/json\r\n";
    let body = body.to_string();
    let made = site.request_with("POST", "/api/v1/jobs", &site.key, headers, body.as_bytes());
    let made = document(made.as_bytes());
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    while running(&site, id) {}
    let by = signer(&site);
    for action in ["DescribeDBInstances", "NoSuchAction", "{\"}\n"] {
        site.raw(&by.post(action.trim_end(), b"{}", false));
    }
    site.request("GET", "/api/v1/no/such/route", &site.key, b"");
    let mut stream = connect(&site);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    let samples = samples(answer.split_once("\r\n\r\n").unwrap().1);
    let value = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("{name}: {samples:#?}"));
    assert!(value("dbferry_loaded_bytes_total") >= text.len() as f64 - 2.0);
    assert!((value("dbferry_loaded_rows_total") - 12_000.0).abs() < 0.5);
    assert!(value("dbferry_lane_busy_seconds_total") > 0.0);
    assert!(value("dbferry_jobs{state=\"succeeded\"}") > 0.5);
    assert!(value("dbferry_queue_age_seconds") < 0.5);
    let count = |dialect: &str, action: &str, status: &str| {
        value(&format!(
            "dbferry_request_seconds_count{{dialect=\"{dialect}\",action=\"{action}\",status=\"{status}\"}}"
        ))
    };
    assert!((count("tencent", "DescribeDBInstances", "2xx") - 1.0).abs() < 0.5);
    assert!((count("tencent", "other", "4xx") - 2.0).abs() < 0.5);
    assert!((count("native", "other", "4xx") - 1.0).abs() < 0.5);
    assert!((count("native", "POST /api/v1/jobs", "2xx") - 1.0).abs() < 0.5);
    assert!((count("native", "PUT /api/v1/uploads/{name}", "2xx") - 1.0).abs() < 0.5);
}

/// The samples of a text in Prometheus' format 0.0.4, each line of which is held to it.
fn samples(text: &str) -> HashMap<String, f64> {
    let (mut samples, mut families) = (HashMap::new(), HashMap::new());
    let mut below = 0.0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let name = series.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|base| families.contains_key(*base)));
        let family = family.unwrap_or(name);
        assert!(families.contains_key(family), "no TYPE before {line}");
        if name.ends_with("_bucket") {
            below = if series.contains("le=\"0.001\"") { 0.0 } else { below };
            assert!(value >= below, "a bucket with less than the one before: {line}");
            below = value;
        }
        if let Some((_, labels)) = series.split_once('{') {
            check_labels(labels.strip_suffix('}').unwrap(), line);
        }
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

/// `name="value",…` without a quote, a line break or a backslash in a value.
fn check_labels(labels: &str, line: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("{line}"));
        assert!(!value.contains('\\'), "{line}");
        rest = after.strip_prefix(',').unwrap_or(after);
        assert!(rest.is_empty() || after.starts_with(','), "{line}");
    }
}

#[test]
fn shells_complete_and_manuals_are_written() {
    let script = dbferry().args(["completions", "bash"]).output().unwrap();
    assert!(script.status.success());
    let mut bash = Command::new("bash")
        .args(["--norc", "-e", "-u", "-c", "source /dev/stdin; complete -p dbferry"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(&script.stdout).unwrap();
    let loaded = bash.wait_with_output().unwrap();
    assert!(loaded.status.success());
    assert!(String::from_utf8_lossy(&loaded.stdout).contains("-F _dbferry"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = dbferry().args(["completions", shell]).output().unwrap();
        assert!(String::from_utf8_lossy(&script.stdout).contains("per-instance"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let written = dbferry().arg("man").arg(&pages).output().unwrap();
    assert!(written.status.success());
    for page in ["dbferry.1", "dbferry-import.1", "dbferry-serve.1", "dbferry-config-check.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH dbferry") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
}
