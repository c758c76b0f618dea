//! The examples that Tencent publishes for its signature methods, stage by stage.

use wire::tencent::signature::{self, V1Hash};

use crate::capture::SECRET;

/// From the document on signature method v3.
#[test]
fn the_published_example_of_tc3() {
    let body = concat!(
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "#,
        r#""Name": "instance-name"}]}"#
    );
    let payload_hash = signature::sha256_hex(body.as_bytes());
    assert_eq!(payload_hash, "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");

    let headers = [
        ("content-type".to_owned(), b"application/json; charset=utf-8".to_vec()),
        ("host".to_owned(), b"cvm.tencentcloudapi.com".to_vec()),
    ];
    let canonical =
        signature::canonical_request("POST", "", &headers, "content-type;host", &payload_hash);
    let expected = format!(
        "POST\n/\n\ncontent-type:application/json; charset=utf-8\n\
         host:cvm.tencentcloudapi.com\n\ncontent-type;host\n{payload_hash}"
    );
    assert_eq!(canonical, expected.as_bytes());

    let text = signature::string_to_sign("1551113065", "2019-02-25", "cvm", &canonical);
    let canonical_hash = "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031";
    let expected =
        format!("TC3-HMAC-SHA256\n1551113065\n2019-02-25/cvm/tc3_request\n{canonical_hash}");
    assert_eq!(text, expected);

    assert_eq!(
        signature::tc3(SECRET, "2019-02-25", "cvm", &text),
        "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    );
}

/// From the document on signature method v1.
#[test]
fn the_published_example_of_v1() {
    let pairs = [
        ("Action", "DescribeInstances"),
        ("InstanceIds.0", "ins-09dx96dg"),
        ("Limit", "20"),
        ("Nonce", "11886"),
        ("Offset", "0"),
        ("Region", "ap-guangzhou"),
        ("SecretId", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"),
        ("Timestamp", "1465185768"),
        ("Version", "2017-03-12"),
    ];
    let mut pairs: Vec<(String, String)> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    pairs.reverse();
    let text = signature::v1_string("GET", "cvm.tencentcloudapi.com", "/", &pairs);
    assert_eq!(
        text,
        "GETcvm.tencentcloudapi.com/?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20\
         &Nonce=11886&Offset=0&Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE\
         &Timestamp=1465185768&Version=2017-03-12"
    );
    assert_eq!(signature::v1(SECRET, V1Hash::Sha1, &text), "EliP9YW3pW28FpsEdkXt/+WcGeI=");
}

#[test]
fn v1_names_are_sorted_by_their_bytes() {
    let pairs = ["b", "a.2", "a.12", "B"].map(|name| (name.to_owned(), String::new()));
    assert_eq!(signature::v1_string("GET", "h", "/p", &pairs), "GETh/p?B=&a.12=&a.2=&b=");
}
