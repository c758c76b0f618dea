//! Requests with an `Idempotency-Key` that are sent again.

use std::net::TcpListener;

use app::service::imports::{KIND, Payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use store::{Begin, Idempotency, NewJob, Outcome, SealingKey, Store};

use crate::native::{ask, ask_with, is_over, job_when};
use crate::service::{INSTANCE, Key, Site};

fn create(site: &Site, key: &Key, idempotency: &str, request: &Value) -> (u16, Value) {
    let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {idempotency}\r\n");
    ask_with(site, key, "POST", "/api/v1/jobs", &headers, request.to_string().as_bytes())
}

fn request(instance: &str, file: &str) -> Value {
    json!({"instance": instance, "file": file, "user": "root", "database": "imp"})
}

#[track_caller]
fn check(answer: &(u16, Value), status: u16, problem: &str) {
    let kind = format!("urn:dbferry:problem:{problem}");
    assert_eq!((answer.0, &answer.1["type"]), (status, &json!(kind)), "{}", answer.1);
}

#[test]
fn a_request_that_is_sent_again_makes_one_job() {
    let mut site = Site::start(&[]);
    site.upload(&site.key, "a.sql", b"CREATE TABLE IF NOT EXISTS t (id INT);\n");
    site.upload(&site.key, "b.sql", b"SELECT 2;\n");
    let asked = request(INSTANCE, "a.sql");
    let first = create(&site, &site.key, "one", &asked);
    assert_eq!(first.0, 201, "{}", first.1);
    job_when(&site, first.1["id"].as_str().unwrap(), is_over);
    // The job has ended, so without the key there would be another.
    assert_eq!(create(&site, &site.key, "one", &asked), first);
    site.service.end(Signal::SIGKILL);
    site.restart();
    assert_eq!(create(&site, &site.key, "one", &asked), first);
    // The order of fields says nothing, their values do.
    let reordered =
        json!({"database": "imp", "user": "root", "file": "a.sql", "instance": INSTANCE});
    assert_eq!(create(&site, &site.key, "one", &reordered), first);
    let other = create(&site, &site.key, "one", &request(INSTANCE, "b.sql"));
    check(&other, 422, "other-request");
    let mut with_password = asked.clone();
    with_password["password"] = json!("hunter2-hunter2");
    let other = create(&site, &site.key, "one", &with_password);
    check(&other, 422, "other-request");
    assert!(!other.1.to_string().contains("hunter2"), "{}", other.1);
    let second = create(&site, &site.key, "two", &asked);
    assert_eq!(second.0, 201, "{}", second.1);
    assert_ne!(second.1["id"], first.1["id"]);
    // Another account's key is another key.
    let stranger = site.new_key("stranger");
    check(&create(&site, &stranger, "one", &asked), 404, "no-instance");
    for wrong in ["", "a b", &"k".repeat(256)] {
        check(&create(&site, &site.key, wrong, &asked), 400, "invalid");
    }
}

#[test]
fn a_refused_request_may_be_tried_again() {
    let site = Site::start(&[]);
    let asked = request(INSTANCE, "late.sql");
    check(&create(&site, &site.key, "one", &asked), 404, "no-file");
    site.upload(&site.key, "late.sql", b"SELECT 1;\n");
    assert_eq!(create(&site, &site.key, "one", &asked).0, 201);
}

#[test]
fn a_request_is_refused_while_the_first_is_worked_on() {
    let site = Site::start(&[]);
    site.upload(&site.key, "a.sql", b"SELECT 1;\n");
    // A server that takes connections and does not say a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    site.add_instance_at("cdb-mute0001", &site.key, &mute.local_addr().unwrap().to_string());
    let asked = request("cdb-mute0001", "a.sql");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| create(&site, &site.key, "one", &asked));
        let (held, _) = mute.accept().unwrap();
        check(&create(&site, &site.key, "one", &asked), 409, "pending");
        check(&create(&site, &site.key, "one", &request(INSTANCE, "a.sql")), 422, "other-request");
        drop((held, mute));
        check(&first.join().unwrap(), 409, "instance-down");
    });
    check(&create(&site, &site.key, "one", &asked), 409, "instance-down");
}

#[test]
fn a_request_that_was_broken_off_after_it_made_its_job_finds_it() {
    let mut site = Site::start(&[]);
    site.upload(&site.key, "a.sql", b"SELECT 1;\n");
    site.service.end(Signal::SIGKILL);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(make_and_die(&site));
    site.restart();
    let found = create(&site, &site.key, "one", &request(INSTANCE, "a.sql"));
    assert_eq!((found.0, &found.1["state"]), (201, &json!("succeeded")), "{}", found.1);
    let (_, jobs) = ask(&site, &site.key, "GET", "/api/v1/jobs", b"");
    assert_eq!((&jobs["total"], &jobs["jobs"][0]["id"]), (&json!(1), &found.1["id"]));
}

/// What a service leaves in its store that begins a request, makes the job, does it, and is killed
/// before it has answered.
async fn make_and_die(site: &Site) {
    let data = site.data();
    let key = SealingKey::load_or_create(&data.join("sealing.key")).unwrap();
    let url = format!("sqlite:{}", data.join("store.db").display());
    let store = Store::open(&url, key).await.unwrap();
    let account = store.account_by_name(&site.key.account).await.unwrap().id;
    let instance = store.instance(account, INSTANCE).await.unwrap();
    let upload = store.upload(account, "a.sql").await.unwrap();
    // Ten minutes ago by the service's clock, whose time the upload's is.
    let then = upload.created_at - 600_000;
    let fields = json!(["import", INSTANCE, "a.sql", "root", null, "imp"]).to_string();
    let digest = wire::tencent::signature::sha256_hex(fields.as_bytes());
    let begun = store.begin_request(account, "one", &digest, 0, then).await.unwrap();
    let Begin::Yours(turn) = begun else { panic!("{begun:?}") };
    let payload = Payload {
        file: upload.name,
        size_bytes: upload.received_bytes,
        storage_key: upload.storage_key,
        fetched: None,
        instance_created_at: instance.created_at,
        address: None,
        user: "root".to_owned(),
        database: Some("imp".to_owned()),
        stored_password: true,
        registered_user: false,
    };
    let new = NewJob {
        kind: KIND,
        instance_id: INSTANCE,
        source_instance_id: None,
        exclusive_key: None,
        idempotency: Some(Idempotency { key: &turn.job_key, digest: &turn.job_key }),
        payload: &serde_json::to_string(&payload).unwrap(),
        secret: None,
    };
    store.enqueue(account, &new, then).await.unwrap();
    let claimed = store.claim("killed", 60_000, 1).await.unwrap().unwrap();
    store.finish(&claimed.lease, Outcome::Succeeded("{}")).await.unwrap();
    store.close().await;
}
