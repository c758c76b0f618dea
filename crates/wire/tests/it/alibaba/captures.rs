//! Every captured request is let in, understood, and refused once anything signed is altered.

use wire::alibaba::call::{
    Action, Call, CancelImport, DescribeDatabases, DescribeDbInstanceAttribute,
    DescribeDbInstances, DescribeImportsFromDatabase, ImportDatabaseBetweenInstances, Page,
};
use wire::alibaba::code::Code;
use wire::alibaba::credentials::{Credentials, SKEW_MAX, Scheme};
use wire::alibaba::db_info::DatabasePair;
use wire::alibaba::engine::Engine;
use wire::alibaba::format::Format;
use wire::alibaba::import_id::ImportId;
use wire::alibaba::recognises;
use wire::alibaba::signature::V1Hash;
use wire::{form, tencent};

use super::capture::{self, KEY_ID, SECRET, is_accepted, is_acs3};
use crate::capture::Captured;

fn credentials(captured: &Captured) -> Credentials {
    Credentials::read(&captured.request()).unwrap_or_else(|e| panic!("{}: {e}", captured.name))
}

#[test]
fn every_captured_request_is_let_in() {
    let mut nonces = Vec::new();
    for captured in capture::all() {
        let request = captured.request();
        let credentials = credentials(&captured);
        assert_eq!(credentials.key_id, KEY_ID);
        let scheme = if is_acs3(&captured) { Scheme::Acs3 } else { Scheme::V1(V1Hash::Sha1) };
        assert_eq!(credentials.scheme, scheme, "{}", captured.name);
        let verified = credentials.verify(SECRET, credentials.timestamp, &request);
        assert_eq!(verified, Ok(()), "{}", captured.name);
        assert!(credentials.nonce.len() >= 32);
        nonces.push(credentials.nonce);
    }
    let count = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), count);
}

#[test]
fn no_request_is_recognised_by_two_dialects() {
    for captured in capture::all() {
        let mut bare = captured.clone();
        bare.headers.retain(|(name, _)| !name.starts_with("x-acs-"));
        for captured in [captured, bare] {
            assert!(recognises(&captured.request()), "{}", captured.name);
            assert!(!tencent::recognises(&captured.request()), "{}", captured.name);
        }
    }
    for captured in crate::capture::all() {
        assert!(!recognises(&captured.request()), "{}", captured.name);
    }
}

#[test]
fn time_and_secret_must_fit() {
    for captured in capture::all() {
        let request = captured.request();
        let credentials = credentials(&captured);
        let verify = |secret: &str, now: i64| credentials.verify(secret, now, &request);
        let code = |secret: &str, now: i64| verify(secret, now).unwrap_err().code();
        let sent = credentials.timestamp;
        for skew in [-SKEW_MAX, SKEW_MAX] {
            assert_eq!(verify(SECRET, sent + skew), Ok(()));
            assert_eq!(code(SECRET, sent + skew + skew.signum()), Code::TimestampExpired);
        }
        assert_eq!(code(SECRET, i64::MIN), Code::TimestampExpired);
        for secret in ["testsecre", "testsecret&", "TESTSECRET", ""] {
            assert_eq!(code(secret, sent), Code::SignatureDoesNotMatch);
        }
    }
}

/// Flips each bit of `length` bytes in turn: none is let in.
fn flips(
    captured: &Captured,
    length: usize,
    change: impl Fn(&mut Captured, usize, u8) -> bool,
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
            let found = is_accepted(&changed, SECRET, now);
            assert!(!found, "{}: byte {at}, bit {bit}", captured.name);
        }
    }
    tried
}

/// What a signature covers of a form: the decoded values.
fn pairs(text: &[u8]) -> Option<Vec<(String, String)>> {
    form::pairs(text, 100).ok()
}

fn flip_query(captured: &Captured) -> usize {
    flips(captured, captured.query.len(), |changed, at, bit| {
        let mut bytes = changed.query.clone().into_bytes();
        bytes[at] ^= bit;
        let is_same = pairs(&bytes) == pairs(captured.query.as_bytes());
        // A server's query is text.
        String::from_utf8(bytes).map(|query| changed.query = query).is_ok() && !is_same
    })
}

fn flip_body(captured: &Captured) -> usize {
    flips(captured, captured.body.len(), |changed, at, bit| {
        changed.body[at] ^= bit;
        // Only ACS3 signs the body as it was sent.
        is_acs3(captured) || pairs(&changed.body) != pairs(&captured.body)
    })
}

fn flip_header(captured: &Captured, name: &str) -> usize {
    let length = captured.clone().header(name).len();
    flips(captured, length, |changed, at, bit| {
        changed.header(name)[at] ^= bit;
        true
    })
}

/// The names in `SignedHeaders`.
fn signed_headers(captured: &Captured) -> Vec<String> {
    let header = String::from_utf8(captured.clone().header("authorization").clone()).unwrap();
    let (_, rest) = header.split_once("SignedHeaders=").unwrap();
    rest.split(',').next().unwrap().split(';').map(str::to_owned).collect()
}

#[test]
fn one_flipped_bit_in_what_is_signed_is_refused() {
    for captured in capture::all() {
        let mut tried = flip_query(&captured) + flip_body(&captured);
        if is_acs3(&captured) {
            tried += flip_header(&captured, "authorization");
            for name in signed_headers(&captured) {
                tried += flip_header(&captured, &name);
            }
        }
        assert!(tried > 1000, "{}: {tried}", captured.name);
    }
}

#[test]
fn method_and_for_acs3_the_path_are_signed() {
    for captured in capture::all() {
        let now = credentials(&captured).timestamp;
        let method = if captured.method == "GET" { "POST" } else { "GET" }.to_owned();
        assert!(!is_accepted(&Captured { method, ..captured.clone() }, SECRET, now));
        let path = "/x".to_owned();
        let found = is_accepted(&Captured { path, ..captured.clone() }, SECRET, now);
        assert_eq!(found, !is_acs3(&captured), "{}", captured.name);
    }
}

#[test]
fn a_parameter_cannot_be_added() {
    for captured in capture::all() {
        let now = credentials(&captured).timestamp;
        for more in ["&X=", "&DBInstanceId=rm-other", "&dBInstanceId=1", "&%00=", "&X"] {
            let query = format!("{}{more}", captured.query);
            let changed = Captured { query, ..captured.clone() };
            assert!(!is_accepted(&changed, SECRET, now), "{}: {more}", captured.name);
            let mut changed = captured.clone();
            changed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            let form = b"application/x-www-form-urlencoded".to_vec();
            changed.headers.push(("content-type".to_owned(), form));
            changed.body.extend_from_slice(more.as_bytes());
            assert!(!is_accepted(&changed, SECRET, now), "{}: {more}", captured.name);
        }
    }
}

#[track_caller]
fn check(name: &str, expected: Result<Action, Code>) -> Captured {
    let captured = capture::named(name);
    let found = Call::read(&captured.request());
    let action = found.clone().map(|call| call.action).map_err(|error| error.code());
    assert_eq!(action, expected, "{name}");
    if let Ok(call) = found {
        let region = name.starts_with("py-classic").then_some("cn-hangzhou");
        assert_eq!(call.region.as_deref(), region, "{name}");
    }
    captured
}

fn import(names: &[&str]) -> Action {
    let same = |name: &&str| DatabasePair { source: (*name).into(), target: (*name).into() };
    Action::ImportDatabaseBetweenInstances(ImportDatabaseBetweenInstances {
        instance_id: "rm-target".to_owned(),
        source_instance_id: "rm-source".to_owned(),
        databases: names.iter().map(same).collect(),
    })
}

#[test]
fn captured_imports_are_understood() {
    let mut count = 0;
    for captured in capture::all() {
        let other = ["Describe", "Cancel", "cancel", "Descibe", "imports", "-class-"];
        if other.iter().any(|word| captured.name.contains(word)) {
            continue;
        }
        count += 1;
        check(&captured.name, Ok(import(&["mydb", "my db*~2", "数据库/+"])));
    }
    assert_eq!(count, 23);
    check("py-classic-class-endpoint", Ok(import(&["mydb", "mydb2"])));
}

#[test]
fn other_captured_calls_are_understood() {
    let instance_id = || "rm-target".to_owned();
    let import_id = ImportId::new(2_122_321).unwrap();
    let cancel =
        || Ok(Action::CancelImport(CancelImport { instance_id: instance_id(), import_id }));
    check("py-classic-CancelImport", cancel());
    check("py-rds-3-cancel", cancel());

    let page = Page { offset: 0, limit: 30, by_token: false };
    let imports = DescribeImportsFromDatabase {
        instance_id: instance_id(),
        engine: Engine::MySql,
        // The year 2024, but for its last day.
        start_time: 1_704_067_200,
        end_time: 1_735_603_200,
        import_id: Some(import_id),
        page,
    };
    for name in [
        "node-rds-15-imports",
        "py-classic-DescibeImportsFromDatabase",
        "py-rds-16-imports-v3",
        "py-rds-16-imports-v3-strings",
    ] {
        check(name, Ok(Action::DescribeImportsFromDatabase(imports.clone())));
    }
    let instance_ids = vec![instance_id()];
    let attribute = DescribeDbInstanceAttribute { instance_ids: instance_ids.clone() };
    let expected = Action::DescribeDbInstanceAttribute(attribute);
    check("py-classic-DescribeDBInstanceAttribute", Ok(expected));
    let instances = DescribeDbInstances {
        region: "cn-hangzhou".to_owned(),
        instance_ids,
        engine: None,
        engine_version: None,
        status: None,
        search_key: None,
        instance_type: None,
        zone: None,
        connection_string: None,
        page,
    };
    check("py-classic-DescribeDBInstances", Ok(Action::DescribeDbInstances(instances)));
    let database = Some("mydb".to_owned());
    let databases = DescribeDatabases { instance_id: instance_id(), database, status: None, page };
    check("py-classic-DescribeDatabases", Ok(Action::DescribeDatabases(databases)));
}

#[test]
fn each_client_gets_the_format_it_reads() {
    for captured in capture::all() {
        let expected = match captured.name.as_str() {
            // It hands out what it gets, unread.
            "py-classic-common-do_action" | "py-classic-common-do_action-xml" => Format::Xml,
            _ => Format::Json,
        };
        assert_eq!(Format::of(&captured.request()), expected, "{}", captured.name);
    }
}
