//! What URLs mean, and that no message gives a password away.

use super::*;

#[track_caller]
fn parsed(url: &str) -> Endpoint {
    Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[track_caller]
fn refused(url: &str, expected: &str) {
    let error = Endpoint::parse(url).expect_err(url);
    assert_eq!((error.kind, error.exit_code()), (ErrorKind::Usage, 2));
    assert!(error.to_string().contains(expected), "{url}: {error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn a_full_url() {
    let endpoint = parsed(
        "mysql://ro%40ot:p%2Fw%3A%40x@db.example.com:3307/my%20db\
         ?tls=verify-full&ca=/a%20b/ca.pem&cert=/c&key=/k&charset=gbk&connect_timeout=3",
    );
    assert_eq!(endpoint.user, "ro@ot");
    assert_eq!(endpoint.password.as_ref().map(Secret::reveal), Some("p/w:@x"));
    assert_eq!((endpoint.host.as_str(), endpoint.port), ("db.example.com", 3307));
    assert_eq!(endpoint.database.as_deref(), Some("my db"));
    assert_eq!(endpoint.tls.mode, TlsMode::VerifyFull);
    assert_eq!(endpoint.tls.ca, Some("/a b/ca.pem".into()));
    assert_eq!(endpoint.default_charset, "gbk");
    assert_eq!(endpoint.connect_timeout, Duration::from_secs(3));
    assert_eq!(endpoint.redacted(), "mysql://ro%40ot@db.example.com:3307/my%20db");
    assert!(!format!("{endpoint:?}").contains("p/w"), "{endpoint:?}");
}

#[test]
fn defaults() {
    let endpoint = parsed("mariadb://db");
    let expected = Endpoint::tcp("db", 3306, "");
    assert_eq!(endpoint, expected);
    assert_eq!(parsed("mysql://u:@db").password, Some(Secret::new("")));
    assert_eq!(parsed("mysql://u@db/").database, None);
    assert_eq!(parsed("mysql://u:p@w@db").password, Some(Secret::new("p@w")));
}

#[test]
fn addresses() {
    assert_eq!(parsed("mysql://u@[::1]:33").address(), "[::1]:33");
    assert_eq!(parsed("mysql://u@[fe80::1]").host, "fe80::1");
    assert_eq!(parsed("mysql://u@localhost?socket=/run/s").address(), "/run/s");
    assert_eq!(
        parsed("mysql://u@/d?socket=/run/s").redacted(),
        "mysql://u@localhost/d?socket=/run/s"
    );
    assert_eq!(parsed("mysql://u@localhost").socket, None);
}

#[test]
fn malformed_parts_are_named_and_passwords_are_not() {
    refused("postgres://u:s3cret@h", "mysql://, mariadb:// or mssql://");
    refused("mysql://u:s3cret", "port");
    refused("mysql://u:s3cret@", "no host");
    refused("mysql://u:a/s3cret@h/d", "'@' after the host");
    refused("mysql://u:1?s3cret@h/d", "'@' after the host");
    refused("mysql://u:s3cret#@h o", "no host name");
    refused("mysql://u:s3cret@h:0", "port");
    refused("mysql://u:s3cret@h:99999", "port");
    refused("mysql://u:s3cret@::1", "brackets");
    refused("mysql://u:s3cret@[::1", "closing bracket");
    refused("mysql://u:s3cret@[x]", "no IPv6");
    refused("mysql://u:s3cret@[::1]x", "a port or nothing");
    refused("mysql://u:s3cret%@h", "the password of the server URL has a %");
    refused("mysql://u:s3cret%ff@h", "the password of the server URL is not UTF-8");
    refused("mysql://u:s3cret@h/a/b", "one database name");
    refused("mysql://u:s3cret@h?ssl=1", "unknown option ssl");
    refused("mysql://u@h?S3cret=s3cret", "unknown option (unreadable)");
    refused("mysql://u:s3cret@h?tls", "option tls has no value");
    refused("mysql://u:s3cret@h?tls=s3cret", "tls is one of");
    refused("mysql://u:s3cret@h?connect_timeout=0", "connect_timeout");
    refused("mysql://u:s3cret@h?charset=a;b", "character set");
    refused("mysql://u:s3cret@h?ca=/x", "verify-ca");
    refused("mysql://u:s3cret@h?cert=/x", "belong together");
    refused("mysql://u:s3cret@h?socket=/x", "localhost");
    refused("mysql://u:s3cret@localhost:1?socket=/x", "not both");
    refused("mysql://u:s3cret@localhost?socket=/x&tls=require", "never encrypted");
}

#[test]
fn a_url_of_sql_server() {
    let endpoint = parsed("mssql://sa:p%2Fw@db.example.com/my%20db?tls=verify-ca&ca=/ca.pem");
    assert_eq!((endpoint.family, endpoint.port), (Family::SqlServer, SQL_SERVER_PORT_DEFAULT));
    assert_eq!((endpoint.tls.mode, endpoint.tls.strict), (TlsMode::VerifyCa, false));
    assert_eq!(endpoint.redacted(), "mssql://sa@db.example.com:1433/my%20db");
    let strict = parsed("sqlserver://sa@db:1434?tls=strict").tls;
    assert_eq!((strict.mode, strict.strict), (TlsMode::VerifyFull, true));
    assert_eq!(parsed("mssql://db").family, Family::SqlServer);
    refused("mssql://sa:s3cret@db?charset=gbk", "known: tls, ca, connect_timeout");
    refused("mssql://sa:s3cret@?socket=/s", "known: tls, ca, connect_timeout");
    refused("mssql://sa@db?cert=/s3cret&key=/k", "known: tls, ca, connect_timeout");
    refused("mysql://root:s3cret@db?tls=strict", "tls is one of");
    refused("postgres://root:s3cret@db", "starts with mysql://, mariadb:// or mssql://");
}
