//! SQL Server's instances as the SDKs see them: what is described of them, and every refusal that comes
//! before there is an import.
//!
//! The servers are peers that follow scripts, and execute nothing: no SQL Server comes with the build.
//! What a real one does with an import is in `sqlserver.rs`.

use std::net::TcpListener;

use app::service::instances::sql_server::{DATABASES, PRODUCT, USED, size_of};
use sandbox::tds::{Answer, Cell, Column, Peer, Rows, Script};
use serde_json::{Value, json};

use super::{Client, SOURCE, text};
use crate::service::{REGION, Site};

/// Of each generation of SDKs, and of both formats.
const MODES: [&str; 6] =
    ["classic-typed", "tea-typed", "newest", "newest-xml", "pop-get", "js-typed"];
const IMPORT: &str = "ImportDatabaseBetweenInstances";
const GIB: i64 = 1 << 30;

/// A type of the answers. Of texts the collation is Latin1_General_CI_AS.
enum Kind {
    Text,
    Int,
    Bigint,
    Guid,
}

/// A cell of an answer.
enum Told<'a> {
    Text(&'a str),
    Int(i64),
    Guid([u8; 16]),
}

use Told::{Guid, Int, Text};

fn answer(kinds: &[Kind], rows: &[Vec<Told<'_>>]) -> Answer {
    let column = |kind: &Kind| match kind {
        Kind::Text => Column::new("c", &[0xe7, 0, 2, 0x09, 0x04, 0xd0, 0x00, 0x34]),
        Kind::Int => Column::new("c", &[0x26, 4]),
        Kind::Bigint => Column::new("c", &[0x26, 8]),
        Kind::Guid => Column::new("c", &[0x24, 16]),
    };
    let cell = |(told, kind): (&Told<'_>, &Kind)| -> Cell {
        match (told, kind) {
            (Text(text), _) => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            (Int(number), Kind::Bigint) => Some(number.to_le_bytes().to_vec()),
            (Guid(guid), _) => Some(guid.to_vec()),
            (Int(number), _) => Some(i32::try_from(*number).unwrap().to_le_bytes().to_vec()),
        }
    };
    let row = |row: &Vec<Told<'_>>| row.iter().zip(kinds).map(cell).collect();
    Answer::Rows(Rows {
        columns: kinds.iter().map(column).collect(),
        rows: rows.iter().map(row).collect(),
        compact: false,
    })
}

/// A database as a server tells of it.
#[derive(Clone, Copy)]
struct Database {
    name: &'static str,
    state: i64,
    is_read_only: bool,
    is_open: bool,
}

/// One that can be copied.
fn usual(name: &'static str) -> Database {
    Database { name, state: 0, is_read_only: false, is_open: true }
}

/// A server: what it is, and what it has.
fn server(product: (&str, &str, i64), all: &[Database]) -> Peer {
    let (number, edition, always_on) = product;
    let collation = Text("SQL_Latin1_General_CP1_CI_AS");
    let product = vec![Text(number), Text(edition), Int(always_on), Text("SQL"), collation];
    let kinds = [Kind::Text, Kind::Text, Kind::Int, Kind::Text, Kind::Text];
    let mut answers = vec![(PRODUCT.to_owned(), answer(&kinds, &[product]))];
    answers.push((USED.to_owned(), answer(&[Kind::Bigint], &[vec![Int(GIB / 4)]])));
    // Servers are told from each other by that of tempdb.
    let mut guid = [0; 16];
    guid[..number.len()].copy_from_slice(number.as_bytes());
    let row = |own: &Database| {
        let flags = [own.state, i64::from(own.is_read_only), i64::from(own.is_open)];
        let texts = vec![Text(own.name), Text("Chinese_PRC_CI_AS")];
        texts.into_iter().chain(flags.map(Int)).chain([Guid(guid)]).collect()
    };
    let kinds = [Kind::Text, Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Guid];
    let own = ["master", "tempdb", "model", "msdb"].map(usual);
    let rows: Vec<_> = own.iter().chain(all).map(row).collect();
    answers.push((DATABASES.to_owned(), answer(&kinds, &rows)));
    for own in all {
        // A question has the name that was asked for.
        for name in [own.name.to_owned(), own.name.to_uppercase()] {
            answers.push((size_of(&name), answer(&[Kind::Bigint], &[vec![Int(GIB)]])));
        }
    }
    Peer::start(Script { answers, ..Script::default() }).unwrap()
}

fn url(port: u16) -> String {
    let Script { user, password, .. } = Script::default();
    // The peer has no encryption, and the password goes in clear only to those who ask for that.
    format!("mssql://{user}:{password}@127.0.0.1:{port}?tls=disable")
}

/// A service whose instances are SQL Servers, and those.
struct Fleet {
    site: Site,
    _peers: [Peer; 3],
    /// Takes connections and says nothing.
    _silent: TcpListener,
}

impl Fleet {
    fn start() -> Fleet {
        let down = Database { state: 6, is_open: false, ..usual("down") };
        let source = server(
            ("15.0.4312.2", "Standard Edition (64-bit)", 0),
            &[usual("a"), usual("c"), down, Database { is_open: false, ..usual("closed") }],
        );
        let edition = "Enterprise Edition: Core-based Licensing (64-bit)";
        let locked = Database { is_read_only: true, ..usual("locked") };
        let target = server(("13.0.5026.0", edition, 0), &[usual("old"), locked]);
        let cluster = server(("14.0.3456.2", "Enterprise Edition (64-bit)", 1), &[usual("a")]);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Site::start(&[]);
        let register = |id: &str, port: u16, arguments: &[&str]| {
            site.register(id, &site.key, &url(port), arguments);
        };
        register("rm-source2", source.port(), &[]);
        register("rm-again2", source.port(), &[]);
        register("rm-target2", target.port(), &[]);
        register("rm-small2", target.port(), &["--storage-gb", "1"]);
        register("rm-shared2", target.port(), &["--class", "shared"]);
        register("rm-far2", target.port(), &["--region", "cn-hangzhou"]);
        register("rm-cluster2", cluster.port(), &[]);
        register("rm-silent2", silent.local_addr().unwrap().port(), &[]);
        register("rm-down2", 1, &[]);
        let wrong = url(source.port()).replace(":Sandbox-1@", ":wrong@");
        site.register("rm-login2", &site.key, &wrong, &[]);
        for id in ["rm-source2", "rm-target2", "rm-cluster2"] {
            site.look_at(id, &site.key);
        }
        Fleet { site, _peers: [source, target, cluster], _silent: silent }
    }
}

/// Of an import: code, source, target, databases.
const CASES: [(&str, &str, &str, &str); 24] = [
    ("OperationDenied.DBInstanceId", "rm-source2", "rm-source2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceId", "rm-source2", "rm-again2", r#"{"a":"A"}"#),
    ("InvalidDBInstanceId.NotFound", "rm-source2", "rm-nowhere2", r#"{"a":"b"}"#),
    ("OperationDenied.Engine", SOURCE, "rm-target2", r#"{"a":"b"}"#),
    ("OperationDenied.Engine", "rm-source2", SOURCE, r#"["a"]"#),
    ("OperationDenied.Region", "rm-source2", "rm-far2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceType", "rm-source2", "rm-shared2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceType", "rm-source2", "rm-cluster2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceType", "rm-cluster2", "rm-target2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceStatus", "rm-source2", "rm-down2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceStatus", "rm-down2", "rm-target2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceStatus", "rm-silent2", "rm-target2", r#"{"a":"b"}"#),
    ("OperationDenied.DBInstanceStatus", "rm-login2", "rm-target2", r#"{"a":"b"}"#),
    ("OperationDenied.DBStatus", "rm-source2", "rm-target2", r#"{"down":"b"}"#),
    ("OperationDenied.DBStatus", "rm-source2", "rm-target2", r#"{"a":"locked"}"#),
    ("QuotaExceeded.DBInstanceStorage", "rm-source2", "rm-small2", r#"{"a":"b"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"absent":"b"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"closed":"b"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"a":"b","c":"b"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"a":"b","c":"B"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"a":"b","A":"d"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"a":"b","a":"d"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#"{"a":"tempdb"}"#),
    ("InvalidDBInfo.Malformed", "rm-source2", "rm-target2", r#""a""#),
];

#[test]
fn refusals_reach_the_sdks_with_their_codes() {
    let fleet = Fleet::start();
    for mode in MODES {
        // Each key has a rate of its own, which these cases come near to.
        let key = fleet.site.new_key(&fleet.site.key.account);
        let mut client = Client::start(&fleet.site, &key, mode);
        for (code, source, target, databases) in CASES {
            let asked = json!({
                "DBInstanceId": target,
                "SourceDBInstanceId": source,
                "DBInfo": format!("{{\"DBNames\":{databases}}}"),
            });
            client.check_refused(code, IMPORT, &asked);
        }
    }
    assert!(!fleet.site.service.log().contains("a request failed"), "{}", fleet.site.service.log());
}

#[test]
fn instances_and_databases_are_described_to_the_sdks() {
    let fleet = Fleet::start();
    for mode in MODES {
        let mut client = Client::start(&fleet.site, &fleet.site.key, mode);
        // What the service itself has looked at meanwhile is left out.
        let asked = json!({
            "RegionId": REGION,
            "Engine": "SQLServer",
            "DBInstanceId": "rm-cluster2,rm-source2,rm-target2",
        });
        let answer = client.call("DescribeDBInstances", &asked);
        let items = answer["Items"]["DBInstance"].as_array().unwrap();
        let version = |item: &Value| {
            assert_eq!(item["Engine"], "SQLServer", "{mode}");
            (text(&item["DBInstanceId"]), text(&item["EngineVersion"]))
        };
        let versions: Vec<(String, String)> = items.iter().map(version).collect();
        let owned = |(id, version): (&str, &str)| (id.to_owned(), version.to_owned());
        let expected = [
            ("rm-source2", "2019_std_ha"),
            ("rm-target2", "2016_ent_ha"),
            ("rm-cluster2", "2017_ent"),
        ];
        assert_eq!(versions, expected.map(owned), "{mode}");

        let asked = json!({"DBInstanceId": "rm-source2"});
        let answer = client.call("DescribeDBInstanceAttribute", &asked);
        let item = &answer["Items"]["DBInstanceAttribute"][0];
        assert_eq!(version(item), owned(("rm-source2", "2019_std_ha")), "{mode}");
        assert_eq!(
            (&item["LockMode"], &item["DBInstanceStatus"]),
            (&json!("Unlock"), &json!("Running"))
        );

        let answer = client.call("DescribeDatabases", &asked);
        let items = answer["Databases"]["Database"].as_array().unwrap();
        let told = |item: &Value| {
            assert_eq!(item["Engine"], "SQLServer", "{mode}");
            assert_eq!(item["CharacterSetName"], "Chinese_PRC_CI_AS", "{mode}");
            format!("{} {}", text(&item["DBName"]), text(&item["DBStatus"]))
        };
        let told: Vec<String> = items.iter().map(told).collect();
        assert_eq!(told, ["a Running", "c Running", "closed Running", "down Creating"], "{mode}");
        for id in ["rm-silent2", "rm-down2", "rm-login2"] {
            let asked = json!({"DBInstanceId": id});
            client.check_refused("OperationDenied.DBInstanceStatus", "DescribeDatabases", &asked);
        }
    }
}
