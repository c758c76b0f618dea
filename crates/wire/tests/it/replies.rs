//! Rendered answers, held against the examples of the API's document, field by field.

use std::fs;
use std::path::Path;

use serde_json::Value;
use wire::tencent::code::Code;
use wire::tencent::error::Error;
use wire::tencent::instance::Instance;
use wire::tencent::job_id::JobId;
use wire::tencent::language::Language;
use wire::tencent::reply::{
    Database, ImportRecord, Reply, SqlFileInfo, TaskAttachInfo, TaskDetail, TaskType, UploadInfo,
    render,
};
use wire::tencent::state::{InstanceStatus, InstanceTask, JobState};
use wire::tencent::time;

/// The fields of `InstanceInfo`, in the document's order.
const INSTANCE_INFO: &str = "WanStatus Zone InitFlag RoVipInfo Memory Status VpcId SlaveInfo \
    InstanceId Volume AutoRenew ProtectMode RoGroups SubnetId InstanceType ProjectId Region \
    DeadlineTime DeployMode TaskStatus MasterInfo DeviceType EngineVersion InstanceName DrInfo \
    WanDomain WanPort PayType CreateTime Vip Vport CdbError UniqVpcId UniqSubnetId PhysicalId Cpu \
    Qps ZoneName DeviceClass DeployGroupId ZoneId InstanceNodes TagList EngineType MaxDelayTime \
    DiskType ExpandCpu ClusterInfo AnalysisNodeInfos DeviceBandwidth DestroyProtect \
    DiskEncryption CpuModel AnalysisUpgradeVersionInfo";

/// The document's example of an action's answer.
fn example(action: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tencent_replies");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let file = files.iter().find(|file| file.file_stem().unwrap() == action).unwrap();
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn rendered(reply: Reply, request_id: &str) -> Value {
    let rendered = render(&Ok(reply), request_id, Language::English);
    assert_eq!((rendered.status, rendered.content_type), (200, "application/json"));
    serde_json::from_str(&rendered.body).unwrap()
}

/// The answer is the document's example, to the last value.
#[track_caller]
fn check(action: &str, reply: Reply) {
    let expected = example(action);
    let request_id = expected["Response"]["RequestId"].as_str().unwrap();
    assert_eq!(rendered(reply, request_id), expected);
}

fn job_id(text: &str) -> JobId {
    JobId::parse(text).unwrap()
}

fn texts(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn small_answers_are_the_documents() {
    let async_request_id = job_id("be9f64a6-fa652dc6-f5c878b6-a6a50746");
    check("CreateDBImportJob", Reply::CreateDbImportJob { async_request_id });
    check("StopDBImportJob", Reply::Done {});
    check("CreateDatabase", Reply::Done {});
    let (status, info) = (JobState::Succeeded, "删除库表成功".to_owned());
    check("DescribeAsyncRequestInfo", Reply::DescribeAsyncRequestInfo { status, info });
    let items = texts(&example("DescribeTables")["Response"]["Items"]);
    check("DescribeTables", Reply::DescribeTables { total_count: 10, items });
    let items = texts(&example("DescribeTableColumns")["Response"]["Items"]);
    check("DescribeTableColumns", Reply::DescribeTableColumns { total_count: 20, items });
}

/// One record of the example, told in our terms.
fn record(example: &Value) -> ImportRecord {
    let text = |name: &str| example[name].as_str().unwrap().to_owned();
    ImportRecord {
        status: JobState::Failed,
        code: 1,
        cost_time: 0,
        instance_id: text("InstanceId"),
        work_id: text("WorkId"),
        file_name: text("FileName"),
        process: 5,
        create_time: time::parse(&text("CreateTime")).unwrap(),
        file_size: text("FileSize").parse().unwrap(),
        message: text("Message"),
        job_id: example["JobId"].as_i64().unwrap(),
        db_name: text("DbName"),
        async_request_id: job_id(&text("AsyncRequestId")),
    }
}

#[test]
fn import_records_are_the_documents() {
    let examples = example("DescribeDBImportRecords");
    let items: Vec<ImportRecord> =
        examples["Response"]["Items"].as_array().unwrap().iter().map(record).collect();
    let first = items[0].clone();
    check("DescribeDBImportRecords", Reply::DescribeDbImportRecords { total_count: 4, items });
    let only = Reply::DescribeDbImportRecords { total_count: 1, items: vec![first] };
    let expected = r#"{"Response":{"TotalCount":1,"Items":[{"Status":3,"Code":1,"CostTime":0,"InstanceId":"e318ecb8-863f-11e7-85a5-80fb06afab26","WorkId":"1649290","FileName":"monkey_1501490864.sql","Process":5,"CreateTime":"2017-11-09 14:26:31","FileSize":"12","Message":"lock_inst.cgi: 某些实例id不存在对应的实例记录","JobId":16242,"DbName":"db1","AsyncRequestId":"a4788d0a-df23758a-ac961e5a-af414d33"}],"RequestId":"r"}}"#;
    assert_eq!(render(&Ok(only), "r", Language::Chinese).body, expected);
}

#[test]
fn uploaded_files_are_the_documents() {
    let file = SqlFileInfo {
        upload_time: time::parse("2016-11-28 15:16:13").unwrap(),
        upload_info: UploadInfo { all_slice_num: 5, complete_num: 3 },
        file_name: "joellwang.sql".to_owned(),
        file_size: 8_581_633,
        is_upload_finished: false,
        file_id: "5596d7433fe211da4b487228db4e7c57".to_owned(),
    };
    let reply = Reply::DescribeUploadedFiles { total_count: 1, items: vec![file] };
    check("DescribeUploadedFiles", reply);
}

#[test]
fn tasks_have_the_documents_fields() {
    let task = TaskDetail {
        code: 0,
        message: String::new(),
        job_id: 1,
        progress: 50,
        task_status: JobState::Cancelling,
        task_type: TaskType::ImportData,
        start_time: Some(0),
        end_time: None,
        instance_ids: vec!["cdb-1".to_owned()],
        async_request_id: JobId::new(0),
        task_attach_info: vec![TaskAttachInfo {
            attach_key: "k".to_owned(),
            attach_value: "v".to_owned(),
        }],
    };
    let found = rendered(Reply::DescribeTasks { total_count: 1, items: vec![task] }, "r");
    let found = &found["Response"]["Items"][0];
    // The fourth of the example has a detail of its own.
    same_types(found, &example("DescribeTasks")["Response"]["Items"][3], "task");
    assert_eq!(found["TaskStatus"], "RUNNING");
    assert_eq!(found["TaskType"], "IMPORT DATA");
    assert_eq!(found["StartTime"], "1970-01-01 08:00:00");
    assert_eq!(found["EndTime"], "0000-00-00 00:00:00");
}

/// Whether every field of the example is there with its JSON type.
#[track_caller]
fn same_types(found: &Value, example: &Value, place: &str) {
    match (found, example) {
        (Value::Object(found), Value::Object(example)) => {
            for (name, value) in example {
                let own = found.get(name).unwrap_or_else(|| panic!("{place} lacks {name}"));
                same_types(own, value, name);
            }
        }
        (Value::Array(found), Value::Array(example)) => {
            if let (Some(found), Some(example)) = (found.first(), example.first()) {
                same_types(found, example, place);
            }
        }
        // What is not there has no fields.
        (Value::Null, Value::Object(_)) => {}
        _ => assert_eq!(kind(found), kind(example), "{place}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        _ => "something else",
    }
}

#[test]
fn instances_have_all_documented_fields() {
    let instance = Instance {
        id: "cdb-1".to_owned(),
        name: "shop".to_owned(),
        region: "ap-guangzhou".to_owned(),
        zone: "ap-guangzhou-3".to_owned(),
        status: InstanceStatus::Running,
        task: InstanceTask::Importing,
        vip: "db.example.test".to_owned(),
        port: 3306,
        engine_version: "8.0".to_owned(),
        memory_mib: 1000,
        volume_gib: 25,
        cpus: 2,
        created: 0,
        tags: vec![("owner".to_owned(), "shop".to_owned())],
    };
    let reply = Reply::DescribeDbInstances { total_count: 1, items: vec![instance] };
    let found = rendered(reply, "r");
    same_types(&found, &example("DescribeDBInstances"), "answer");
    let found = &found["Response"]["Items"][0];
    let names: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, INSTANCE_INFO.split_whitespace().collect::<Vec<_>>());
    let lists = ["RoGroups", "DrInfo", "TagList", "ClusterInfo", "AnalysisNodeInfos"];
    assert!(lists.iter().all(|name| found[*name].is_array()));
    let known = (&found["InstanceId"], &found["Vip"], &found["Vport"], &found["TaskStatus"]);
    assert_eq!(known, (&"cdb-1".into(), &"db.example.test".into(), &3306.into(), &2.into()));
    assert_eq!(found["TagList"], serde_json::json!([{"TagKey": "owner", "TagValue": "shop"}]));
}

#[test]
fn databases_are_listed_twice() {
    let database = Database { database_name: "db1".to_owned(), character_set: "UTF8".to_owned() };
    let body = render(&Ok(Reply::databases(7, vec![database])), "r", Language::Chinese).body;
    let expected = r#"{"Response":{"TotalCount":7,"Items":["db1"],"DatabaseList":[{"DatabaseName":"db1","CharacterSet":"UTF8"}],"RequestId":"r"}}"#;
    assert_eq!(body, expected);
    let found: Value = serde_json::from_str(&body).unwrap();
    same_types(&found, &example("DescribeDatabases"), "answer");
}

#[test]
fn empty_lists_are_lists() {
    for reply in [
        Reply::DescribeDbImportRecords { total_count: 0, items: vec![] },
        Reply::DescribeTasks { total_count: 0, items: vec![] },
        Reply::DescribeUploadedFiles { total_count: 0, items: vec![] },
        Reply::DescribeDbInstances { total_count: 0, items: vec![] },
        Reply::DescribeTables { total_count: 0, items: vec![] },
    ] {
        let body = render(&Ok(reply), "r", Language::English).body;
        assert_eq!(body, r#"{"Response":{"TotalCount":0,"Items":[],"RequestId":"r"}}"#);
    }
}

#[test]
fn refusals_are_answers_too() {
    let check = |language: Language, message: &str| {
        let found = render(&Err(Error::missing("Region")), "r-1", language);
        assert_eq!((found.status, found.content_type), (200, "application/json"));
        let expected = format!(
            r#"{{"Response":{{"Error":{{"Code":"MissingParameter","Message":"{message}"}},"RequestId":"r-1"}}}}"#
        );
        assert_eq!(found.body, expected);
    };
    check(Language::English, "The request is missing a required parameter `Region`.");
    check(Language::Chinese, "请求缺少必要的参数`Region`。");
}

#[test]
fn every_code_can_be_answered() {
    for code in Code::ALL {
        let body = render(&Err(Error::new(*code)), "r", Language::Chinese).body;
        let found: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(found["Response"]["Error"]["Code"], code.word());
    }
}
