//! Bytes that nobody meant: nothing panics, and nothing is let in.

use proptest::prelude::*;
use wire::alibaba::call::Call;
use wire::alibaba::credentials::Credentials;
use wire::alibaba::db_info;
use wire::alibaba::format::Format;
use wire::alibaba::recognises;
use wire::alibaba::reply::{Envelope, render};
use wire::alibaba::signature::encode;
use wire::request::Request;
use wire::tencent;

use super::replies::xml_fields;

/// Bytes that look like requests often enough to get past the first checks.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "Action=ImportDatabaseBetweenInstances",
        "DBInstanceId=rm-1&SourceDBInstanceId=rm-2",
        "&",
        "=",
        "AccessKeyId=K&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n",
        "Timestamp=2026-11-21T17:20:57Z&Signature=x",
        "2026-11-21T17:20:57Z",
        "Version=2014-08-15",
        "2014-08-15",
        "DescribeDBInstances",
        "RegionId=cn-hangzhou",
        "DBInfo={\"DBNames\":[\"a\"]}",
        "{“DBNames”:",
        "ACS3-HMAC-SHA256 Credential=K,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
         x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=00",
        "application/x-www-form-urlencoded",
        "http://[::1]:80",
        "Format=XML",
        "%",
        "\u{0}中",
    ]);
    let piece = prop_oneof![
        4 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

const HEADERS: [&str; 8] = [
    "Authorization",
    "Host",
    "Content-Type",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
];

/// Names of databases, with what JSON and typography make special.
const NAME: &str = "[a-z\"“”\\\\ 中-]{1,20}";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        method in prop::sample::select(vec!["GET", "POST", "", "PUT"]),
        query in pieces(),
        values in prop::collection::vec((0..HEADERS.len(), pieces()), 0..9),
        body in pieces(),
    ) {
        let headers = values.iter().map(|(at, value)| (HEADERS[*at], value.as_slice())).collect();
        let query = String::from_utf8_lossy(&query);
        let request = Request { method, path: "/", query: &query, headers, body: &body };
        prop_assert!(!(recognises(&request) && tencent::recognises(&request)));
        let mut envelope = Envelope::of(&request, "r");
        if let Ok(credentials) = Credentials::read(&request) {
            let error = credentials.verify("x", credentials.timestamp, &request).unwrap_err();
            prop_assert!(error.message().contains(':') || error.message().ends_with('.'));
            envelope.format = Format::Xml;
            let found = xml_fields(&render(&Err(error), &envelope).body);
            prop_assert_eq!(found.len(), 5);
        }
        if let Err(error) = Call::read(&request) {
            prop_assert!(error.message().chars().count() < 200);
            prop_assert!(!render(&Err(error), &envelope).body.is_empty());
        }
    }

    #[test]
    fn any_databases_come_back_as_they_were_given(
        names in prop::collection::hash_map(NAME, NAME, 1..8),
    ) {
        let text = serde_json::to_string(&serde_json::json!({ "DBNames": names })).unwrap();
        let mut targets: Vec<&String> = names.values().collect();
        targets.sort();
        targets.dedup();
        match db_info::parse(&text) {
            Ok(pairs) => {
                prop_assert_eq!(pairs.len(), names.len());
                prop_assert!(pairs.iter().all(|pair| names[&pair.source] == pair.target));
            }
            Err(_) => prop_assert!(targets.len() < names.len()),
        }
    }

    #[test]
    fn no_text_makes_db_info_panic(text in "[\\{\\}\\[\\]\",:“”a\\\\ DBNames]{0,40}") {
        if let Ok(pairs) = db_info::parse(&text) {
            prop_assert!(!pairs.is_empty());
        }
    }

    #[test]
    fn what_is_encoded_is_read_back(name in any::<String>(), value in any::<String>()) {
        let text = format!("{}={}", encode(&name), encode(&value));
        prop_assert_eq!(wire::form::pairs(text.as_bytes(), 1), Ok(vec![(name, value)]));
    }
}
