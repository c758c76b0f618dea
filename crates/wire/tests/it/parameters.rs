//! Trees of parameters: what is refused, what survives flattening, and that nothing panics.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wire::request::Request;
use wire::tencent::call::Call;
use wire::tencent::code::Code;
use wire::tencent::credentials::Credentials;
use wire::tencent::error::Error;
use wire::tencent::language::Language;
use wire::tencent::parameters::{DEPTH_MAX, PARAMETERS_MAX, Parameters};
use wire::tencent::recognises;

/// Reads as if a TC3 signature were there: it is not looked at.
fn read(method: &str, query: &str, content_type: &str, body: &[u8]) -> Result<Parameters, Error> {
    let headers =
        vec![("authorization", b"x".as_slice()), ("content-type", content_type.as_bytes())];
    Parameters::read(&Request { method, path: "/", query, headers, body })
}

#[track_caller]
fn check_json(body: &str, expected: Result<Value, Code>) {
    let found = read("POST", "Unsigned=1", "application/json; charset=utf-8", body.as_bytes());
    let tree = found.map(|found| Value::Object(found.tree)).map_err(|error| error.code());
    assert_eq!(tree, expected, "{body}");
}

#[track_caller]
fn check_form(query: &str, expected: Result<Value, Code>) {
    let found = read("GET", query, "application/x-www-form-urlencoded", b"Unsigned=1");
    let tree = found.map(|found| Value::Object(found.tree)).map_err(|error| error.code());
    assert_eq!(tree, expected, "{query}");
}

#[test]
fn json_bodies_are_objects_with_each_name_once() {
    check_json("", Ok(json!({})));
    check_json(r#" {"A": [1, -2, 1.5, true, null, {"B": "x"}]} "#, {
        Ok(json!({"A": [1, -2, 1.5, true, null, {"B": "x"}]}))
    });
    for bad in ["[]", "1", "null", "{", "{}{}", "{\"A\":}", "\u{feff}{}", "A=1", "{\"A\":1e999}"] {
        check_json(bad, Err(Code::InvalidParameter));
    }
    check_json(r#"{"A":1,"A":1}"#, Err(Code::InvalidParameter));
    check_json(r#"{"A":{"B":1,"\u0042":1}}"#, Err(Code::InvalidParameter));
    let not_utf8 = read("POST", "", "application/json", b"{\"A\":\"\xff\"}");
    assert_eq!(not_utf8.err().map(|error| error.code()), Some(Code::InvalidParameter));
}

#[test]
fn flattened_names_make_a_tree() {
    check_form("", Ok(json!({})));
    check_form("A.0=x&A.1=y", Ok(json!({"A": ["x", "y"]})));
    check_form("A.1=y&A.0=x", Ok(json!({"A": ["x", "y"]})));
    check_form("T.0.Key=k&T.0.Value.0=a&T.0.Value.1=b", {
        Ok(json!({"T": [{"Key": "k", "Value": ["a", "b"]}]}))
    });
    check_form("A=&B=x+y", Ok(json!({"A": "", "B": "x y"})));
    for bad in [
        "A",
        "=1",
        "A=1&A=1",
        "A=1&A.0=1",
        "A.0=1&A=1",
        "A.0=1&A.2=1",
        "A.1=1",
        "A.0=1&A.x=1",
        "A.00=1",
        "A.0=1&A.01=1",
        "A.99999999999999999999=1",
        "A..B=1",
        ".A=1",
        "A.=1",
    ] {
        check_form(bad, Err(Code::InvalidParameter));
    }
}

#[test]
fn number_and_depth_are_bounded() {
    let form = |count: usize| (0..count).map(|at| format!("A.{at}=")).collect::<Vec<_>>().join("&");
    assert!(read("GET", &form(PARAMETERS_MAX), "", b"").is_ok());
    check_form(&form(PARAMETERS_MAX + 1), Err(Code::InvalidParameter));
    // The list itself counts too.
    let list = |count: usize| format!("{{\"A\":[{}]}}", vec!["0"; count].join(","));
    assert!(read("POST", "", "application/json", list(PARAMETERS_MAX - 1).as_bytes()).is_ok());
    check_json(&list(PARAMETERS_MAX), Err(Code::InvalidParameter));

    let name = |parts: usize| vec!["A"; parts].join(".");
    assert!(read("GET", &format!("{}=1", name(DEPTH_MAX)), "", b"").is_ok());
    check_form(&format!("{}=1", name(DEPTH_MAX + 1)), Err(Code::InvalidParameter));
    let nested = |levels: usize| format!("{}1{}", "{\"A\":".repeat(levels), "}".repeat(levels));
    assert!(read("POST", "", "application/json", nested(DEPTH_MAX).as_bytes()).is_ok());
    check_json(&nested(DEPTH_MAX + 1), Err(Code::InvalidParameter));
    check_json(&nested(100_000), Err(Code::InvalidParameter));
    check_form(&format!("{}=1", name(100_000)), Err(Code::InvalidParameter));
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let message = |query: &str| {
        let error = read("GET", query, "", b"").err().unwrap();
        error.message(Language::English)
    };
    assert_eq!(message("A"), "Url key and value should be splited by `=`.");
    assert!(message("A=1&A=1").contains("`A` is given more than once"));
    assert!(message("A.1=1").contains("`A`"));
}

#[test]
fn content_types_go_with_signature_methods() {
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        let error = read("POST", "", content_type, b"A=1").err().unwrap();
        assert_eq!(error.code(), Code::InvalidParameter, "{content_type}");
    }
    let error = read("POST", "", "multipart/form-data", b"A=1").err().unwrap();
    assert_eq!(error.code(), Code::InvalidRequest);
}

#[test]
fn common_parameters_are_not_the_actions_own() {
    let query = "Action=A&Version=V&Region=&Token=t&Timestamp=1&Nonce=1&SecretId=s&X=1";
    let found = read("GET", query, "", b"").unwrap();
    assert_eq!(Value::Object(found.tree), json!({"X": "1"}));
    assert_eq!(found.action.as_deref(), Some("A"));
    assert_eq!(found.region, None);
}

#[test]
fn headers_win_only_where_they_carry_the_signature() {
    let request = |headers| {
        let query = "Action=Signed&Region=signed";
        let request = Request { method: "GET", path: "/", query, headers, body: b"" };
        let found = Parameters::read(&request).unwrap();
        (found.action.unwrap(), found.region.unwrap())
    };
    let own = |action: &str, region: &str| (action.to_owned(), region.to_owned());
    let header = ("x-tc-action", b"Header".as_slice());
    assert_eq!(request(vec![header, ("authorization", b"x")]), own("Header", "signed"));
    // v1 signs its parameters, and no header at all.
    assert_eq!(request(vec![header]), own("Signed", "signed"));
}

/// A tree as SDKs flatten it.
fn flatten(prefix: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let mut below = |name: &str, value: &Value| match prefix {
        "" => flatten(name, value, pairs),
        _ => flatten(&format!("{prefix}.{name}"), value, pairs),
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item));
        }
        Value::String(text) => pairs.push((prefix.to_owned(), text.clone())),
        _ => panic!("only texts are made"),
    }
}

/// Names of parameters have a letter first, and lists and objects are never empty: a flattened
/// form has no way to write those.
fn trees() -> impl Strategy<Value = Map<String, Value>> {
    let name = "[A-Z_%+&=é][a-z0-9_%+&=中 -]{0,6}";
    let leaf = any::<String>().prop_map(Value::String);
    let value = leaf.prop_recursive(4, 32, 4, move |inner| {
        let object = prop::collection::btree_map(name, inner.clone(), 1..4);
        prop_oneof![
            prop::collection::vec(inner, 1..13).prop_map(Value::Array),
            object.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    // A first letter that no common parameter has.
    prop::collection::btree_map("[XYZ][a-z]{0,6}", value, 0..5)
        .prop_map(|members| members.into_iter().collect())
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Bytes that look like requests often enough to get past the first checks.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "Action=DescribeTasks",
        "&",
        "=",
        "SecretId=K&Nonce=1&Timestamp=1795281428&Signature=x",
        "Version=2017-03-20",
        "TaskTypes.0=3",
        ".",
        "{\"Limit\":",
        "20}",
        "--b",
        "\r\n\r\n",
        "Content-Disposition: form-data; name=\"A\"",
        "TC3-HMAC-SHA256 Credential=K/2026-11-21/cdb/tc3_request, SignedHeaders=host, Signature=",
        "application/json",
        "multipart/form-data; boundary=b",
        "http://[::1]:80",
        "%",
        "\u{0}中",
    ]);
    let piece = prop_oneof![
        4 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_flattened_tree_is_read_back(tree in trees()) {
        let mut pairs = Vec::new();
        flatten("", &Value::Object(tree.clone()), &mut pairs);
        pairs.reverse();
        let query: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let found = read("GET", &query.join("&"), "", b"").unwrap();
        prop_assert!(found.from_text);
        prop_assert_eq!(Value::Object(found.tree), Value::Object(tree.clone()));

        let body = serde_json::to_vec(&tree).unwrap();
        let found = read("POST", "", "application/json", &body).unwrap();
        prop_assert_eq!(Value::Object(found.tree), Value::Object(tree));
    }

    #[test]
    fn no_bytes_make_it_panic(
        method in prop::sample::select(vec!["GET", "POST", "", "PUT"]),
        query in pieces(),
        values in prop::collection::vec((0..9_usize, pieces()), 0..7),
        body in pieces(),
    ) {
        let names = ["Authorization", "Host", "Content-Type", "X-TC-Action", "X-TC-Timestamp",
            "X-TC-Version", "X-TC-Region", "X-TC-Language", "X-TC-Content-SHA256"];
        let headers = values.iter().map(|(at, value)| (names[*at], value.as_slice())).collect();
        let query = String::from_utf8_lossy(&query);
        let request = Request { method, path: "/", query: &query, headers, body: &body };
        recognises(&request);
        Language::of(&request);
        if let Ok(credentials) = Credentials::read(&request) {
            prop_assert!(credentials.verify("x", credentials.timestamp, &request).is_err());
        }
        if let Err(error) = Call::read(&request) {
            prop_assert!(error.message(Language::Chinese).chars().count() < 200);
        }
    }
}
