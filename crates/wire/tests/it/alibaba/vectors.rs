//! The examples that Alibaba Cloud publishes for its signature methods, stage by stage.

use wire::alibaba::signature::{self, V1Hash};

use super::capture::SECRET;

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// From the document on the signature of RPC APIs.
#[test]
fn the_published_example_of_version_1() {
    let pairs = owned(&[
        ("Version", "2014-05-26"),
        ("Timestamp", "2016-02-23T12:46:24Z"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("Format", "XML"),
        ("Action", "DescribeRegions"),
        ("AccessKeyId", "testid"),
    ]);
    let text = signature::v1_string("GET", &pairs);
    let expected = "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML\
                    %26SignatureMethod%3DHMAC-SHA1\
                    %26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf\
                    %26SignatureVersion%3D1.0%26Timestamp%3D2016-02-23T12%253A46%253A24Z\
                    %26Version%3D2014-05-26";
    assert_eq!(text, expected);
    assert_eq!(signature::v1(SECRET, V1Hash::Sha1, &text), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
}

/// From the document of this product, whose printed signature is one of a string that is malformed.
#[test]
fn the_products_own_example_of_version_1() {
    let pairs = owned(&[
        ("Timestamp", "2013-06-01T10:33:56Z"),
        ("Format", "XML"),
        ("AccessKeyId", "testid"),
        ("Action", "DescribeDBInstances"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("RegionId", "region1"),
        ("SignatureNonce", "NwDAxvLU6tFE0DVb"),
        ("Version", "2014-08-15"),
        ("SignatureVersion", "1.0"),
    ]);
    let text = signature::v1_string("GET", &pairs);
    assert_eq!(signature::v1(SECRET, V1Hash::Sha1, &text), "jSgwMBJz7IHnP7lPLu8NeibG7Y4=");
}

/// From the document on signature version 3.
#[test]
fn the_published_example_of_acs3() {
    let query = signature::canonical_query(&owned(&[
        ("RegionId", "cn-shanghai"),
        ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
    ]));
    let payload_hash = signature::sha256_hex(b"");
    let headers = [
        ("host", "ecs.cn-shanghai.aliyuncs.com"),
        ("x-acs-action", "RunInstances"),
        ("x-acs-content-sha256", &payload_hash),
        ("x-acs-date", "2023-10-26T10:22:32Z"),
        ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
        ("x-acs-version", "2014-05-26"),
    ];
    let names = headers.map(|(name, _)| name).join(";");
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let canonical =
        signature::canonical_request("POST", "/", &query, &headers, &names, &payload_hash);
    let text = signature::string_to_sign(&canonical);
    let expected = "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259";
    assert_eq!(text, format!("ACS3-HMAC-SHA256\n{expected}"));
    let expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
    assert_eq!(signature::acs3("YourAccessKeySecret", &text), expected);
}

#[test]
fn names_are_sorted_by_their_bytes_and_empty_values_stay() {
    let pairs = owned(&[("b", "1"), ("a.2", ""), ("a.12", "*"), ("B", "~ "), ("é", "+")]);
    let expected = "B=~%20&a.12=%2A&a.2=&b=1&%C3%A9=%2B";
    assert_eq!(signature::canonical_query(&pairs), expected);
}
