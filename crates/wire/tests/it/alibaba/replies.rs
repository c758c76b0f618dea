//! Rendered answers in both formats, held against the API's examples and against readers that are
//! not ours.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use wire::alibaba::call::Page;
use wire::alibaba::code::Code;
use wire::alibaba::database::Database;
use wire::alibaba::engine::Engine;
use wire::alibaba::error::{Error, Result};
use wire::alibaba::format::Format;
use wire::alibaba::import_id::ImportId;
use wire::alibaba::instance::{ClassType, Instance};
use wire::alibaba::region::{Language, Region};
use wire::alibaba::reply::{Envelope, Reply, render};
use wire::alibaba::state::{DatabaseStatus, InstanceStatus, JobState, LockMode};
use wire::alibaba::task::{ImportResult, TASK_ACTION, TaskProgress};
use wire::request::Request;

const PAGE: Page = Page { offset: 0, limit: 30, by_token: false };

fn envelope(format: Format) -> Envelope {
    let host_id = "rds.example.test".to_owned();
    let request_id = "5A77D650-27A1-4E08-AD9E-59008EDB6927".to_owned();
    Envelope { format, host_id, request_id }
}

fn rendered(result: &Result<Reply>, format: Format) -> String {
    let status = result.as_ref().map_or_else(Error::status, |_| 200);
    let expected = match format {
        Format::Json => "application/json;charset=utf-8",
        Format::Xml => "text/xml;charset=utf-8",
    };
    let found = render(result, &envelope(format));
    assert_eq!((found.status, found.content_type), (status, expected));
    found.body
}

fn import_id() -> ImportId {
    ImportId::new(2_122_321).unwrap()
}

fn import_result(state: JobState) -> ImportResult {
    ImportResult { import_id: import_id(), state, description: "1 of 2 <tables> & more".to_owned() }
}

fn instance() -> Instance {
    Instance {
        id: "rm-1".to_owned(),
        description: "shop".to_owned(),
        region: "cn-hangzhou".to_owned(),
        zone: "cn-hangzhou-b".to_owned(),
        engine: Engine::MySql,
        engine_version: "8.0".to_owned(),
        status: InstanceStatus::ImportingFromOthers,
        lock_mode: LockMode::Unlock,
        class: "rds.mysql.d1".to_owned(),
        class_type: ClassType::Dedicated,
        cpus: 4,
        memory_mib: 8192,
        storage_gib: 100,
        disk_used_mib: Some(345),
        databases_max: 500,
        connection_string: "db.example.test".to_owned(),
        port: 3306,
        created: 1_306_757_464,
    }
}

fn task() -> TaskProgress {
    TaskProgress {
        task_id: "2122321".to_owned(),
        task_action: TASK_ACTION.to_owned(),
        state: JobState::Running,
        percent: 45,
        progress_info: "rows".to_owned(),
        step: Some((2, 4)),
        step_name: "copy".to_owned(),
        remaining_seconds: 90,
        begin_time: Some(1_306_757_464),
        finish_time: None,
        databases: "mydb,mydb2".to_owned(),
        error_code: String::new(),
        error_message: String::new(),
    }
}

fn database() -> Database {
    Database {
        name: "mydb".to_owned(),
        instance_id: "rm-1".to_owned(),
        engine: Engine::MySql,
        status: DatabaseStatus::Running,
        character_set: "utf8mb4".to_owned(),
        description: "<&\u{1}中".to_owned(),
    }
}

fn region() -> Region {
    Region {
        id: "cn-hangzhou".to_owned(),
        zone: "cn-hangzhou-b".to_owned(),
        endpoint: "rds.example.test".to_owned(),
    }
}

/// One answer of each action, with one row in each list.
fn all() -> Vec<(&'static str, Reply)> {
    let (page, total) = (PAGE, 1);
    let items = vec![import_result(JobState::Running)];
    vec![
        ("import", Reply::ImportDatabaseBetweenInstances { import_id: import_id() }),
        ("cancel", Reply::CancelImport),
        ("imports", Reply::DescribeImportsFromDatabase { page, total, items }),
        ("instances", Reply::DescribeDbInstances { page, total, items: vec![instance()] }),
        ("attribute", Reply::DescribeDbInstanceAttribute { items: vec![instance()] }),
        ("databases", Reply::DescribeDatabases { items: vec![database()] }),
        ("regions", Reply::DescribeRegions { language: Language::Chinese, items: vec![region()] }),
        ("tasks", Reply::DescribeTasks { page, total, items: vec![task()] }),
    ]
}

/// An XML document as a tree, by another reader than our writer: lists look like fields.
#[derive(Debug, PartialEq)]
enum Xml {
    Leaf(String),
    Branch(Vec<(String, Xml)>),
}

/// An element that has not ended yet.
struct Open {
    name: String,
    text: String,
    branches: Vec<(String, Xml)>,
}

fn read_xml(text: &str) -> (String, Xml) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Open> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Decl(declaration) => {
                assert_eq!(declaration.encoding().unwrap().unwrap().as_ref(), b"UTF-8");
            }
            Event::Start(start) => {
                assert_eq!(start.attributes().count(), 0);
                let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                open.push(Open { name, text: String::new(), branches: Vec::new() });
            }
            Event::Text(own) => open.last_mut().unwrap().text.push_str(&own.decode().unwrap()),
            Event::GeneralRef(reference) => {
                let own = match reference.resolve_char_ref().unwrap() {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(&reference.decode().unwrap())
                        .unwrap()
                        .to_owned(),
                };
                open.last_mut().unwrap().text.push_str(&own);
            }
            Event::End(_) => {
                let Open { name, text, branches } = open.pop().unwrap();
                let node =
                    if branches.is_empty() { Xml::Leaf(text) } else { Xml::Branch(branches) };
                match open.last_mut() {
                    Some(above) => above.branches.push((name, node)),
                    None => return (name, node),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The names and texts of a document whose root has leaves only.
pub(super) fn xml_fields(text: &str) -> Vec<(String, String)> {
    let (_, Xml::Branch(fields)) = read_xml(text) else { panic!("an empty document") };
    let leaf = |(name, node)| match node {
        Xml::Leaf(own) => (name, own),
        Xml::Branch(_) => panic!("{name} has fields"),
    };
    fields.into_iter().map(leaf).collect()
}

/// Holds JSON against XML: the same names and values, each list under its wrapper.
#[track_caller]
fn same(json: &Value, xml: &Xml, place: &str) {
    match (json, xml) {
        (Value::Object(fields), Xml::Branch(branches)) => {
            if let Some((name, Value::Array(items))) = fields.iter().next() {
                assert!(branches.iter().all(|(own, _)| own == name), "{place}");
                assert_eq!(items.len(), branches.len(), "{place}");
                items.iter().zip(branches).for_each(|(item, (_, node))| same(item, node, name));
                return;
            }
            let names: BTreeSet<&str> = branches.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, fields.keys().map(String::as_str).collect(), "{place}");
            assert_eq!(branches.len(), fields.len(), "{place}");
            branches.iter().for_each(|(name, node)| same(&fields[name], node, name));
        }
        // An empty list.
        (Value::Object(fields), Xml::Leaf(own)) => {
            assert!(own.is_empty() && fields.values().all(|list| list == &Value::Array(vec![])));
        }
        // XML cannot hold every character.
        (Value::String(text), Xml::Leaf(own)) => {
            assert_eq!(&text.replace('\u{1}', "\u{fffd}"), own, "{place}");
        }
        (other, Xml::Leaf(own)) => assert_eq!(&other.to_string(), own, "{place}"),
        _ => panic!("{place}: {json} {xml:?}"),
    }
}

#[test]
fn answers_are_as_written_down() {
    for (name, reply) in all() {
        let reply = Ok(reply);
        insta::assert_snapshot!(format!("{name}.json"), rendered(&reply, Format::Json));
        insta::assert_snapshot!(format!("{name}.xml"), rendered(&reply, Format::Xml));
    }
}

#[test]
fn both_formats_say_the_same() {
    for (name, reply) in all() {
        let reply = Ok(reply);
        let json: Value = serde_json::from_str(&rendered(&reply, Format::Json)).unwrap();
        let (root, xml) = read_xml(&rendered(&reply, Format::Xml));
        assert!(root.ends_with("Response"), "{root}");
        same(&json, &xml, name);
        assert_eq!(json["RequestId"], envelope(Format::Json).request_id);
        // By its presence a client tells a refusal.
        assert_eq!(json.get("Code"), None);
    }
}

#[test]
fn the_documents_examples_of_an_import() {
    let reply = Ok(Reply::ImportDatabaseBetweenInstances { import_id: import_id() });
    let expected = r#"{"RequestId":"5A77D650-27A1-4E08-AD9E-59008EDB6927","ImportId":"2122321"}"#;
    assert_eq!(rendered(&reply, Format::Json), expected);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <ImportDatabaseBetweenInstancesResponse>\
        <ImportId>2122321</ImportId><RequestId>5A77D650-27A1-4E08-AD9E-59008EDB6927</RequestId>\
        </ImportDatabaseBetweenInstancesResponse>";
    assert_eq!(rendered(&reply, Format::Xml), expected);
}

#[test]
fn numbers_are_of_the_type_that_sdks_read() {
    let json =
        |reply| -> Value { serde_json::from_str(&rendered(&Ok(reply), Format::Json)).unwrap() };
    let replies: Vec<Value> = all().into_iter().map(|(_, reply)| json(reply)).collect();
    let imports = &replies[2]["Items"]["ImportResultFromDB"][0];
    assert_eq!(
        (&imports["ImportId"], &replies[0]["ImportId"]),
        (&2_122_321.into(), &"2122321".into())
    );
    for name in ["TotalRecordCount", "PageNumber", "PageRecordCount"] {
        assert_eq!(replies[2][name], 1);
    }
    let row = &replies[3]["Items"]["DBInstance"][0];
    assert_eq!((&row["DBInstanceMemory"], &row["DBInstanceCPU"]), (&8192.into(), &"4".into()));
    assert_eq!(row["MutriORsignle"], false);
    let attribute = &replies[4]["Items"]["DBInstanceAttribute"][0];
    assert_eq!(
        (&attribute["Port"], &attribute["DBInstanceStorage"]),
        (&"3306".into(), &100.into())
    );
    assert_eq!(attribute["DBInstanceDiskUsed"], "345");
    assert_eq!(attribute["DBInstanceStatus"], "ImportingFromOthers");
    assert_eq!(attribute["CreationTime"], "2011-05-30T12:11:04Z");
    let task = &replies[7]["Items"]["TaskProgressInfo"][0];
    assert_eq!((&task["TaskId"], &task["Remain"]), (&"2122321".into(), &90.into()));
    assert_eq!((&task["Progress"], &task["StepProgressInfo"]), (&"45".into(), &"2/4".into()));
    assert_eq!(
        (&task["BeginTime"], &task["FinishTime"]),
        (&"2011-05-30T12:11Z".into(), &"".into())
    );
}

#[test]
fn every_state_is_told() {
    let items = JobState::ALL.map(import_result).to_vec();
    let reply = Reply::DescribeImportsFromDatabase { page: PAGE, total: 6, items };
    let json: Value = serde_json::from_str(&rendered(&Ok(reply), Format::Json)).unwrap();
    let rows = json["Items"]["ImportResultFromDB"].as_array().unwrap();
    let found: Vec<&str> =
        rows.iter().map(|row| row["ImportDataStatus"].as_str().unwrap()).collect();
    let expected = ["NotStart", "FullImporting", "Canceling", "Success", "Failed", "Canceled"];
    assert_eq!(found, expected);
}

#[test]
fn empty_lists_are_lists() {
    let (page, total) = (PAGE, 0);
    let reply = Ok(Reply::DescribeImportsFromDatabase { page, total, items: vec![] });
    let json = rendered(&reply, Format::Json);
    assert!(json.ends_with(r#""Items":{"ImportResultFromDB":[]}}"#), "{json}");
    assert!(rendered(&reply, Format::Xml).contains("<Items></Items>"));
    for (reply, expected) in [
        (Reply::DescribeDbInstances { page, total, items: vec![] }, r#"{"DBInstance":[]}"#),
        (Reply::DescribeDbInstanceAttribute { items: vec![] }, r#"{"DBInstanceAttribute":[]}"#),
        (Reply::DescribeDatabases { items: vec![] }, r#"{"Database":[]}"#),
        (
            Reply::DescribeRegions { language: Language::English, items: vec![] },
            r#"{"RDSRegion":[]}"#,
        ),
        (Reply::DescribeTasks { page, total, items: vec![] }, r#"{"TaskProgressInfo":[]}"#),
    ] {
        let reply = Ok(reply);
        let json = rendered(&reply, Format::Json);
        assert!(json.ends_with(&format!("{expected}}}")), "{json}");
        same(
            &serde_json::from_str(&json).unwrap(),
            &read_xml(&rendered(&reply, Format::Xml)).1,
            "",
        );
    }
}

#[test]
fn a_token_is_given_to_who_asks_for_it() {
    let token = |by_token: bool, total: u64| {
        let page = Page { offset: 30, limit: 30, by_token };
        let reply = Reply::DescribeDbInstances { page, total, items: vec![instance()] };
        let json: Value = serde_json::from_str(&rendered(&Ok(reply), Format::Json)).unwrap();
        assert_eq!((&json["PageNumber"], &json["TotalRecordCount"]), (&2.into(), &total.into()));
        json.get("NextToken").cloned()
    };
    assert_eq!(token(true, 61), Some("60".into()));
    assert_eq!(token(true, 60), None);
    assert_eq!(token(false, 61), None);
}

#[test]
fn every_code_can_be_answered() {
    for code in Code::ALL {
        let error = Error::new(*code);
        let result = Err(error.clone());
        let json: Value = serde_json::from_str(&rendered(&result, Format::Json)).unwrap();
        let (root, xml) = read_xml(&rendered(&result, Format::Xml));
        assert_eq!(root, "Error");
        same(&json, &xml, code.word());
        assert_eq!(json["Code"], error.word());
        assert_eq!(json["Message"], error.message());
        assert_eq!(json["HostId"], "rds.example.test");
    }
}

#[test]
fn refusals_are_as_written_down() {
    for (name, error) in [
        ("missing", Error::missing("DBInstanceId")),
        ("malformed", Error::new(Code::DbInfoMalformed)),
        ("said", Error::said(Code::InternalError, "<it> & \"that\"")),
    ] {
        let result = Err(error);
        insta::assert_snapshot!(format!("{name}.json"), rendered(&result, Format::Json));
        insta::assert_snapshot!(format!("{name}.xml"), rendered(&result, Format::Xml));
    }
}

#[test]
fn codes_statuses_and_messages_are_the_documents() {
    let table: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("{} {} {}", code.status(), code.word(), code.message()))
        .collect();
    insta::assert_snapshot!("codes", table.join("\n"));
}

#[test]
fn the_envelope_is_the_requests() {
    let of = |host: &str, query: &str| {
        let headers = vec![("Host", host.as_bytes())];
        let request = Request { method: "GET", path: "/", query, headers, body: b"" };
        Envelope::of(&request, "5a77d650-27a1-4e08-ad9e-59008edb6927")
    };
    assert_eq!(of("rds.example.test", "Format=json"), envelope(Format::Json));
    assert_eq!(of("http://rds.example.test", ""), envelope(Format::Xml));
    assert_eq!(of(&"x".repeat(256), "").host_id, "");
}
