//! Every refusal that a client can cause: the exact code reaches the SDK's exception.

use sandbox::{Flavor, Server};
use serde_json::{Value, json};

use super::{Client, DATABASES, NODE_MODES, PYTHON_MODES, Pair, SOURCE, TARGET, request};

/// More requests than any action may have in a second.
const REQUESTS_MAX: usize = 200;
const IMPORT: &str = "ImportDatabaseBetweenInstances";
/// Nothing listens there.
const NO_SQL_SERVER: &str = "mssql://sa:x@127.0.0.1:1";

/// A table that says of itself that it has 15 GiB.
const VAST: &str = "
    CREATE TABLE shop.vast (id INT PRIMARY KEY) STATS_PERSISTENT=1 STATS_AUTO_RECALC=0;
    ANALYZE TABLE shop.vast;
    UPDATE mysql.innodb_table_stats SET clustered_index_size = 1000000
        WHERE database_name = 'shop' AND table_name = 'vast';
";

/// What the cases need: instances that no copy may have a part in.
fn register(pair: &Pair, mysql: &Server) {
    let (site, key) = (&pair.site, &pair.site.key);
    let there = site.server.url(None);
    let here = pair.target.url(None);
    let mariadb = here.replacen("mysql://", "mariadb://", 1);
    site.register("rm-same1", key, &there, &[]);
    site.register("rm-engine1", key, &mariadb, &[]);
    site.register("rm-class1", key, &here, &["--class", "shared"]);
    site.register("rm-region1", key, &here, &["--region", "cn-hangzhou"]);
    site.register("rm-small1", key, &here, &["--storage-gb", "1"]);
    site.register("rm-mysql1", key, &mysql.url(None), &[]);
    // Nothing listens there.
    site.register("rm-down1", key, "mysql://root:x@127.0.0.1:1", &[]);
    let stranger = site.new_key("stranger");
    site.register("rm-theirs1", &stranger, &here, &[]);
    // What needs no server is refused before one is asked.
    site.register("rm-sql1", key, NO_SQL_SERVER, &[]);
    site.register("rm-sql2", key, NO_SQL_SERVER, &[]);
    site.register("rm-sql3", key, NO_SQL_SERVER, &["--class", "cluster"]);
}

/// The refused requests of [`IMPORT`]: code, source, target, databases.
const CASES: [(&str, &str, &str, &str); 27] = [
    ("OperationDenied.DBInstanceId", SOURCE, SOURCE, DATABASES),
    ("OperationDenied.DBInstanceId", SOURCE, "rm-same1", DATABASES),
    ("InvalidDBInstanceId.NotFound", SOURCE, "rm-nowhere1", DATABASES),
    ("InvalidDBInstanceId.NotFound", "rm-nowhere1", TARGET, DATABASES),
    ("InvalidDBInstanceId.NotFound", SOURCE, "rm-\0", DATABASES),
    ("InvalidDBInstanceId.NotFound", SOURCE, "rm-theirs1", DATABASES),
    ("InvalidDBInstanceId.NotFound", "rm-theirs1", TARGET, DATABASES),
    ("OperationDenied.Engine", SOURCE, "rm-engine1", DATABASES),
    ("OperationDenied.Engine", SOURCE, "rm-sql1", DATABASES),
    ("OperationDenied.Region", SOURCE, "rm-region1", DATABASES),
    ("OperationDenied.DBInstanceType", SOURCE, "rm-class1", DATABASES),
    ("OperationDenied.DBInstanceType", "rm-class1", SOURCE, DATABASES),
    ("OperationDenied.DBInstanceType", "rm-sql1", "rm-sql3", DATABASES),
    ("OperationDenied.DBInstanceStatus", "rm-sql1", "rm-sql2", DATABASES),
    ("InvalidDBInfo.Malformed", "rm-sql1", "rm-sql2", r#"{"DBNames":{"a":"c","b":"c"}}"#),
    ("InvalidDBInfo.Malformed", "rm-sql1", "rm-sql2", r#"{"DBNames":{"master":"c"}}"#),
    ("InvalidDBInfo.Malformed", "rm-sql1", "rm-sql2", r#"{"DBNames":{"a":"dbferry_copy_b"}}"#),
    ("OperationDenied.DBInstanceStatus", SOURCE, "rm-down1", DATABASES),
    ("OperationDenied.DBInstanceStatus", "rm-down1", TARGET, DATABASES),
    ("OperationDenied.DBStatus", SOURCE, "rm-mysql1", r#"{"DBNames":["shop"]}"#),
    ("QuotaExceeded.DBInstanceStorage", SOURCE, "rm-small1", DATABASES),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, r#"{"DBNames":["shop","there"]}"#),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, r#"{"DBNames":["here"]}"#),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, r#"{"DBNames":["mysql"]}"#),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, r#"{"DBNames":{"shop":"stock"}}"#),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, r#"{"DBNames":"shop"}"#),
    ("InvalidDBInfo.Malformed", SOURCE, TARGET, "shop"),
];

#[test]
fn refusals_reach_every_sdk_with_their_codes() {
    let pair = Pair::start(&[]);
    pair.fill();
    let mysql = Server::start(Flavor::MySql).unwrap();
    mysql.sql("CREATE DATABASE shop; ALTER DATABASE shop READ ONLY = 1").unwrap();
    register(&pair, &mysql);
    pair.site.server.sql("CREATE DATABASE there").unwrap();
    pair.target.sql("CREATE DATABASE here").unwrap();
    pair.site.server.sql(VAST).unwrap();
    // Only then does the server read what it has of the table.
    pair.site.server.restart().unwrap();
    let before = sandbox::state::canonical(&pair.target).unwrap();
    for mode in PYTHON_MODES.into_iter().chain(NODE_MODES) {
        // Each key has a rate of its own, which these cases come near to.
        let key = pair.site.new_key(&pair.site.key.account);
        let mut client = Client::start(&pair.site, &key, mode);
        for (code, source, target, databases) in CASES {
            let asked = json!({
                "DBInstanceId": target,
                "SourceDBInstanceId": source,
                "DBInfo": databases,
            });
            client.check_refused(code, IMPORT, &asked);
        }
        pair.target.sql("SET GLOBAL read_only = 1").unwrap();
        client.check_refused("OperationDenied.LockMode", IMPORT, &request());
        let answer = client.call("DescribeDBInstanceAttribute", &json!({"DBInstanceId": TARGET}));
        assert_eq!(answer["Items"]["DBInstanceAttribute"][0]["LockMode"], "ManualLock", "{mode}");
        pair.target.sql("SET GLOBAL read_only = 0").unwrap();
        let unknown = json!({"DBInstanceId": TARGET, "ImportId": 2_000_000_000});
        client.check_refused("InvalidTaskId.NotFound", "CancelImport", &unknown);
        client.check_refused("MissingDBInstanceId", "CancelImport", &json!({"ImportId": 1}));
        check_keys(&mut client);
    }
    pair.check_untouched(&before, "refused");
}

/// Keys, signatures and replays.
#[track_caller]
fn check_keys(client: &mut Client) {
    let mode = client.mode;
    let describe = |field: &str, value: &str| {
        let mut asked = json!({"action": "DescribeRegions", "parameters": {}, "once": true});
        asked[field] = Value::from(value);
        asked
    };
    let code = |told: Result<Value, (String, String)>| told.map_err(|(code, _)| code);
    let told = code(client.told(&describe("key_id", "LTAIabsent")));
    assert_eq!(told, Err("InvalidAccessKeyId.NotFound".to_owned()), "{mode}");
    let told = code(client.told(&describe("secret", "forged")));
    let expected = match mode {
        // It compares what was signed, and finds that only the secret can be wrong.
        "classic-typed" => "InvalidAccessKeySecret",
        _ => "SignatureDoesNotMatch",
    };
    assert_eq!(told, Err(expected.to_owned()), "{mode}");
    if mode.starts_with("classic") {
        let again = describe("nonce", mode);
        code(client.told(&again)).unwrap();
        assert_eq!(code(client.told(&again)), Err("SignatureNonceUsed".to_owned()), "{mode}");
    }
}

#[test]
fn a_disabled_key_is_refused() {
    let pair = Pair::start(&[]);
    let key = pair.site.new_key("shop");
    pair.site.disable(&key);
    for mode in ["classic-get", "newest", "pop-get", "js-typed"] {
        let mut client = Client::start(&pair.site, &key, mode);
        client.check_refused("InvalidAccessKeyId.Inactive", "DescribeRegions", &json!({}));
    }
}

#[test]
fn too_many_requests_are_refused() {
    let pair = Pair::start(&[]);
    for mode in ["classic-get", "newest", "pop-get"] {
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        let asked = json!({"action": "DescribeRegions", "parameters": {}, "once": true});
        let refused = (0..REQUESTS_MAX).find_map(|_| client.told(&asked).err());
        assert_eq!(refused.map(|(code, _)| code).as_deref(), Some("Throttling.User"), "{mode}");
    }
}

#[test]
fn what_is_no_action_is_refused() {
    let pair = Pair::start(&[]);
    for mode in ["classic-get", "classic-xml", "newest", "newest-xml", "pop-get"] {
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        client.check_refused("InvalidAction.NotFound", "DescribeNothing", &json!({}));
    }
}
