//! Every captured request is let in, understood, and refused once anything signed is altered.

use wire::tencent::call::{
    Action, Call, CreateDbImportJob, DescribeDbImportRecords, DescribeDbInstances,
    DescribeUploadedFiles, Page,
};
use wire::tencent::code::Code;
use wire::tencent::credentials::{Credentials, SKEW_MAX, Scheme};
use wire::tencent::job_id::JobId;
use wire::tencent::language::Language;
use wire::tencent::recognises;
use wire::tencent::signature::V1Hash;
use wire::{form, secret::Secret};

use crate::capture::{self, Captured, KEY_ID, SECRET};

/// Sent with `SkipSign`: there is no signature in it.
const UNSIGNED: &str = "py-common-call_json-skipsign";

fn signed() -> Vec<Captured> {
    let all = capture::all();
    all.into_iter().filter(|captured| captured.name != UNSIGNED).collect()
}

fn credentials(captured: &Captured) -> Credentials {
    Credentials::read(&captured.request()).unwrap_or_else(|e| panic!("{}: {e}", captured.name))
}

#[test]
fn every_captured_request_is_let_in() {
    for captured in signed() {
        let request = captured.request();
        assert!(recognises(&request), "{}", captured.name);
        let credentials = credentials(&captured);
        assert_eq!(credentials.key_id, KEY_ID);
        let scheme = match captured.name.as_str() {
            name if !name.contains("-v1-") => Scheme::Tc3,
            name if name.contains("HmacSHA1") => Scheme::V1(V1Hash::Sha1),
            _ => Scheme::V1(V1Hash::Sha256),
        };
        assert_eq!(credentials.scheme, scheme, "{}", captured.name);
        assert_eq!(credentials.nonce.is_some(), scheme != Scheme::Tc3);
        let verified = credentials.verify(SECRET, credentials.timestamp, &request);
        assert_eq!(verified, Ok(()), "{}", captured.name);
    }
}

#[test]
fn a_request_without_a_signature_is_refused() {
    let captured = capture::named(UNSIGNED);
    assert!(recognises(&captured.request()));
    let error = Credentials::read(&captured.request()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidAuthorization);
}

#[test]
fn time_and_secret_must_fit() {
    for captured in signed() {
        let request = captured.request();
        let credentials = credentials(&captured);
        let verify = |secret: &str, now: i64| credentials.verify(secret, now, &request);
        let code = |secret: &str, now: i64| verify(secret, now).unwrap_err().code();
        let sent = credentials.timestamp;
        for skew in [-SKEW_MAX, SKEW_MAX] {
            assert_eq!(verify(SECRET, sent + skew), Ok(()));
            assert_eq!(code(SECRET, sent + skew + skew.signum()), Code::SignatureExpire);
        }
        assert_eq!(code(SECRET, i64::MIN), Code::SignatureExpire);
        assert_eq!(code(&SECRET.to_lowercase(), sent), Code::SignatureFailure);
        assert_eq!(code("", sent), Code::SignatureFailure);
    }
}

/// Flips each bit of `length` bytes in turn and tells what became of it.
fn flips(
    captured: &Captured,
    length: usize,
    change: impl Fn(&mut Captured, usize, u8) -> bool,
    is_accepted: bool,
) -> usize {
    let now = credentials(captured).timestamp;
    let mut tried = 0;
    for at in 0..length {
        for bit in 0..8 {
            let mut changed = captured.clone();
            if !change(&mut changed, at, 1 << bit) {
                continue;
            }
            tried += 1;
            let found = changed.is_accepted(SECRET, now);
            assert_eq!(found, is_accepted, "{}: byte {at}, bit {bit}", captured.name);
        }
    }
    tried
}

fn flip_header(captured: &Captured, name: &str, length: usize, is_accepted: bool) -> usize {
    let original = captured.clone().header(name).clone();
    let change = |changed: &mut Captured, at: usize, bit: u8| {
        let value = changed.header(name);
        value[at] ^= bit;
        // Host and content type may be signed in lower case, so their case does not count.
        is_accepted || !value.eq_ignore_ascii_case(&original)
    };
    flips(captured, length, change, is_accepted)
}

/// What the signature of a v1 request covers: the decoded values.
fn pairs(text: &[u8]) -> Option<Vec<(String, String)>> {
    form::pairs(text, 100).ok()
}

fn flip_query(captured: &Captured) -> usize {
    let change = |changed: &mut Captured, at: usize, bit: u8| {
        let mut bytes = changed.query.clone().into_bytes();
        bytes[at] ^= bit;
        let is_v1 = captured.name.contains("-v1-");
        let is_same = is_v1 && pairs(&bytes) == pairs(captured.query.as_bytes());
        // A server's query is text.
        String::from_utf8(bytes).map(|query| changed.query = query).is_ok() && !is_same
    };
    flips(captured, captured.query.len(), change, false)
}

fn flip_body(captured: &Captured, is_accepted: bool) -> usize {
    let change = |changed: &mut Captured, at: usize, bit: u8| {
        changed.body[at] ^= bit;
        let is_v1 = captured.name.contains("-v1-");
        !is_v1 || pairs(&changed.body) != pairs(&captured.body)
    };
    flips(captured, captured.body.len(), change, is_accepted)
}

#[test]
fn one_flipped_bit_in_what_is_signed_is_refused() {
    for captured in signed() {
        let is_v1 = captured.name.contains("-v1-");
        let host = captured.clone().header("host").len();
        // Node.js leaves the port out of a TC3 signature.
        let has_port = is_v1 || !captured.name.starts_with("node");
        let port = if has_port { 0 } else { ":18099".len() };
        let mut tried = flip_header(&captured, "host", host - port, false);
        tried += flip_query(&captured);
        if !captured.name.ends_with("unsigned-payload") {
            tried += flip_body(&captured, false);
        }
        if !is_v1 {
            for name in ["authorization", "content-type", "x-tc-timestamp"] {
                let length = captured.clone().header(name).len();
                tried += flip_header(&captured, name, length, false);
            }
        }
        assert!(tried > 1000, "{}: {tried}", captured.name);
    }
}

#[test]
fn what_tc3_does_not_sign_may_differ() {
    for captured in signed().into_iter().filter(|c| !c.name.contains("-v1-")) {
        for name in ["x-tc-action", "x-tc-version", "x-tc-requestclient", "user-agent"] {
            let Some((_, value)) =
                captured.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))
            else {
                continue;
            };
            assert!(flip_header(&captured, name, value.len(), true) > 0);
        }
        // The Go SDK signs "/" when its endpoint has a path.
        let now = credentials(&captured).timestamp;
        let elsewhere = Captured { path: "/api/x".to_owned(), ..captured.clone() };
        assert!(elsewhere.is_accepted(SECRET, now), "{}", captured.name);
    }
    assert!(flip_body(&capture::named("py-tc3-post-unsigned-payload"), true) > 1000);
}

#[test]
fn v1_signs_the_path() {
    let captured = capture::named("py-v1-post-HmacSHA1");
    let now = credentials(&captured).timestamp;
    assert!(captured.is_accepted(SECRET, now));
    let elsewhere = Captured { path: "/api/x".to_owned(), ..captured };
    assert!(!elsewhere.is_accepted(SECRET, now));
}

#[track_caller]
fn check(name: &str, expected: Result<Action, Code>) -> Option<Call> {
    let captured = capture::named(name);
    let found = Call::read(&captured.request());
    let action = found.clone().map(|call| call.action).map_err(|error| error.code());
    assert_eq!(action, expected, "{name}");
    found.ok()
}

fn full_import(file_name: &str) -> Action {
    Action::CreateDbImportJob(CreateDbImportJob {
        instance_id: "cdb-c1nl9rpv".to_owned(),
        user: "root".to_owned(),
        password: Some(Secret::new("P@ss w0rd&=+%")),
        file_name: Some(file_name.to_owned()),
        cos_url: None,
        database: Some("db1".to_owned()),
    })
}

fn simple_import() -> Action {
    Action::CreateDbImportJob(CreateDbImportJob {
        instance_id: "cdb-c1nl9rpv".to_owned(),
        user: "root".to_owned(),
        password: None,
        file_name: Some("a.sql".to_owned()),
        cos_url: None,
        database: None,
    })
}

fn instances(ids: &[&str], statuses: &[i64], with_cluster_info: bool) -> Action {
    Action::DescribeDbInstances(DescribeDbInstances {
        instance_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        instance_names: Vec::new(),
        vips: Vec::new(),
        statuses: statuses.to_vec(),
        task_statuses: Vec::new(),
        instance_types: Vec::new(),
        engine_versions: Vec::new(),
        order_by: None,
        is_descending: true,
        with_masters: true,
        with_read_only: true,
        with_disaster_recovery: true,
        with_cluster_info,
        page: Page { offset: 0, limit: 20 },
    })
}

#[test]
fn captured_imports_are_understood() {
    for name in [
        "node-tc3-get-CreateDBImportJob",
        "node-tc3-post-CreateDBImportJob",
        "node-tc3-post-localhost",
        "node-tc3-post-token-lang",
        "node-v1-get-HmacSHA256",
        "node-v1-post-HmacSHA1",
        "node-v1-post-HmacSHA256",
        "py-tc3-get-CreateDBImportJob",
        "py-tc3-post-CreateDBImportJob",
        "py-tc3-post-endpoint-with-scheme",
        "py-tc3-post-localhost",
        "py-tc3-post-noregion",
        "py-tc3-post-token-zhCN",
        "py-tc3-post-unsigned-payload",
        "py-v1-get-HmacSHA1",
        "py-v1-get-HmacSHA256-token",
        "py-v1-post-HmacSHA1",
        "py-v1-post-HmacSHA256",
        "py-v1-post-endpoint-with-scheme",
    ] {
        let call = check(name, Ok(full_import("中文 dump+1.sql"))).unwrap();
        let region = (!name.contains("noregion")).then_some("ap-guangzhou");
        assert_eq!(call.region.as_deref(), region, "{name}");
        assert!(!format!("{call:?}").contains("w0rd"), "{name}");
    }
    check("tccli-CreateDBImportJob-endpoint-http", Ok(full_import("a.sql")));
    for name in [
        "node-tc3-post-multipart",
        "node-v1-get-HmacSHA1-simple",
        "py-common-call_json-multipart",
        "tccli-CreateDBImportJob-language-en",
        "tccli-CreateDBImportJob-unfold",
    ] {
        check(name, Ok(simple_import()));
    }
}

#[test]
fn other_captured_calls_are_understood() {
    let two = ["cdb-c1nl9rpv", "cdb-2"];
    for name in [
        "node-tc3-get-DescribeDBInstances-arrays",
        "node-tc3-post-DescribeDBInstances-arrays",
        "node-v1-post-DescribeDBInstances-arrays",
        "py-tc3-get-DescribeDBInstances-arrays",
        "py-v1-post-DescribeDBInstances-arrays",
    ] {
        check(name, Ok(instances(&two, &[1], true)));
    }
    check("tccli-DescribeDBInstances", Ok(instances(&two[..1], &[], false)));

    let records = |start_time, end_time, limit| {
        let instance_id = "cdb-c1nl9rpv".to_owned();
        let page = Page { offset: 0, limit };
        let records = DescribeDbImportRecords { instance_id, start_time, end_time, page };
        Ok(Action::DescribeDbImportRecords(records))
    };
    // 2026-11-21 00:00:00 in China.
    let day = records(Some(1_795_190_400), Some(1_795_276_800), 1);
    check("py-tc3-get-DescribeDBImportRecords", day.clone());
    check("py-tc3-post-DescribeDBImportRecords", day);
    check("tccli-DescribeDBImportRecords-endpoint-http", records(None, None, 5));

    let id = JobId::new(0xbe9f_64a6_fa65_2dc6_f5c8_78b6_a6a5_0746);
    check("tccli-StopDBImportJob", Ok(Action::StopDbImportJob(id)));
    let info = || Ok(Action::DescribeAsyncRequestInfo(id));
    check("node-tc3-post-DescribeAsyncRequestInfo", info());
    check("py-tc3-post-DescribeAsyncRequestInfo", info());
    check("tccli-DescribeAsyncRequestInfo-waiter", info());

    let path = "100000983328".to_owned();
    let page = Page { offset: 0, limit: 20 };
    let files = DescribeUploadedFiles { path, page };
    check("tccli-configured-endpoint", Ok(Action::DescribeUploadedFiles(files)));
}

#[test]
fn captured_calls_that_make_no_sense_are_refused() {
    check("node-tc3-post-noregion", Err(Code::InvalidAsyncRequestId));
    check("tccli-https", Err(Code::InvalidAsyncRequestId));
    check("node-tc3-octet", Err(Code::InvalidParameter));
    check("py-common-octet-stream", Err(Code::InvalidParameter));
}

#[test]
fn language_and_client_are_read_from_either_place() {
    for (name, language, client) in [
        ("py-tc3-post-CreateDBImportJob", Language::English, Some("SDK_PYTHON_3.1.195")),
        ("py-tc3-post-token-zhCN", Language::Chinese, Some("SDK_PYTHON_3.1.195")),
        ("py-v1-post-HmacSHA1", Language::English, Some("SDK_PYTHON_3.1.195")),
        ("node-v1-post-HmacSHA1", Language::Chinese, Some("SDK_NODEJS_4.1.313")),
        ("node-tc3-post-CreateDBImportJob", Language::Chinese, Some("SDK_NODEJS_4.1.313")),
    ] {
        let captured = capture::named(name);
        let call = Call::read(&captured.request()).unwrap();
        assert_eq!((call.language, call.request_client.as_deref()), (language, client), "{name}");
        assert_eq!(Language::of(&captured.request()), language, "{name}");
    }
}
