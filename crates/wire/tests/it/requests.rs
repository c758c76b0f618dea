//! Every action's table: what is taken, what is not, and with which words.

use serde_json::{Value, json};
use wire::request::Request;
use wire::tencent::call::{Action, Call, DescribeTasks, InstanceOrder, Page};
use wire::tencent::code::Code;
use wire::tencent::error::Error;
use wire::tencent::language::Language;

/// Every action with all its parameters, the required ones named first.
fn whole() -> Vec<(&'static str, usize, Value)> {
    let (id, job) = ("cdb-c1nl9rpv", "be9f64a6-fa652dc6-f5c878b6-a6a50746");
    let time = "2016-01-01 00:00:01";
    vec![
        (
            "CreateDBImportJob",
            2,
            json!({"InstanceId": id, "User": "root", "FileName": "a.sql", "Password": "hunter2",
                "DbName": "db1", "CosUrl": "https://x.example.test/a.sql"}),
        ),
        (
            "DescribeDBImportRecords",
            1,
            json!({"InstanceId": id, "StartTime": time, "EndTime": time, "Offset": 1, "Limit": 2}),
        ),
        ("StopDBImportJob", 1, json!({"AsyncRequestId": job})),
        ("DescribeAsyncRequestInfo", 1, json!({"AsyncRequestId": job})),
        (
            "DescribeTasks",
            0,
            json!({"InstanceId": id, "AsyncRequestId": job, "TaskTypes": [3, 13],
                "TaskStatus": [-1, 6], "StartTimeBegin": time, "StartTimeEnd": time, "Offset": 1,
                "Limit": 2}),
        ),
        ("DescribeUploadedFiles", 1, json!({"Path": "100000983328", "Offset": 1, "Limit": 2})),
        ("DescribeDBInstances", 0, instances()),
        (
            "DescribeDatabases",
            1,
            json!({"InstanceId": id, "Offset": 1, "Limit": 2, "DatabaseRegexp": "^a"}),
        ),
        (
            "DescribeTables",
            2,
            json!({"InstanceId": id, "Database": "d", "Offset": 1, "Limit": 2, "TableRegexp": "x"}),
        ),
        ("DescribeTableColumns", 3, json!({"InstanceId": id, "Database": "d", "Table": "t"})),
        (
            "CreateDatabase",
            3,
            json!({"InstanceId": id, "DBName": "d", "CharacterSetName": "utf8mb4"}),
        ),
    ]
}

fn instances() -> Value {
    let mut all = json!({
        "ProjectId": 0, "InstanceTypes": [1], "Vips": ["172.16.0.1"], "Status": [1], "Offset": 1,
        "Limit": 2, "SecurityGroupId": "sg-1", "PayTypes": [1], "InstanceNames": ["n"],
        "TaskStatus": [2], "EngineVersions": ["8.0"], "VpcIds": [0], "ZoneIds": [720001],
        "SubnetIds": [0], "CdbErrors": [0], "OrderBy": "createTime", "OrderDirection": "ASC",
        "WithSecurityGroup": 0, "WithExCluster": 0, "ExClusterId": "cdb-1",
        "InstanceIds": ["cdb-1"], "InitFlag": 0, "WithDr": 0, "WithRo": 0, "WithMaster": 0,
    });
    let rest = json!({
        "DeployGroupIds": ["p"], "TagKeysForSearch": ["k"], "CageIds": ["c"], "TagValues": ["v"],
        "UniqueVpcIds": ["v"], "UniqSubnetIds": ["s"], "Tags": [{"Key": "k", "Value": "v"}],
        "ProxyVips": ["v"], "ProxyIds": ["i"], "EngineTypes": ["InnoDB"],
        "QueryClusterInfo": true,
    });
    all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    all
}

fn call(action: &str, body: &Value) -> Result<Call, Error> {
    let body = body.to_string();
    let headers = vec![
        ("authorization", b"x".as_slice()),
        ("content-type", b"application/json"),
        ("x-tc-action", action.as_bytes()),
        ("x-tc-version", b"2017-03-20"),
    ];
    let request = Request { method: "POST", path: "/", query: "", headers, body: body.as_bytes() };
    Call::read(&request)
}

fn refusal(action: &str, body: &Value) -> (Code, String) {
    let error = call(action, body).unwrap_err();
    (error.code(), error.message(Language::English))
}

#[test]
fn every_parameter_reaches_the_call() {
    for (action, _, body) in whole() {
        let all = call(action, &body).unwrap_or_else(|error| panic!("{action}: {error}"));
        assert_eq!(all.action.name(), action);
        if action == "DescribeDBInstances" {
            continue;
        }
        for name in body.as_object().unwrap().keys() {
            let mut less = body.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_ne!(call(action, &less).ok(), Some(all.clone()), "{action} {name}");
        }
    }
}

#[test]
fn instances_are_filtered_by_what_they_have_here() {
    let Action::DescribeDbInstances(found) =
        call("DescribeDBInstances", &instances()).unwrap().action
    else {
        panic!("another action")
    };
    assert_eq!(found.instance_ids, ["cdb-1"]);
    assert_eq!(found.instance_names, ["n"]);
    assert_eq!(found.vips, ["172.16.0.1"]);
    assert_eq!((found.statuses, found.task_statuses), (vec![1], vec![2]));
    assert_eq!(found.instance_types, [1]);
    assert_eq!(found.engine_versions, ["8.0"]);
    assert_eq!(found.order_by, Some(InstanceOrder::Created));
    assert!(!found.is_descending && found.with_cluster_info);
    assert!(!found.with_masters && !found.with_read_only && !found.with_disaster_recovery);
    assert_eq!(found.page, Page { offset: 1, limit: 2 });
}

#[test]
fn what_is_required_is_missed() {
    for (action, required, body) in whole() {
        for (at, name) in body.as_object().unwrap().keys().enumerate() {
            let nothing = [None, Some(Value::Null), Some(json!(""))];
            for value in nothing {
                let mut less = body.clone();
                match value {
                    None => drop(less.as_object_mut().unwrap().remove(name)),
                    Some(value) => less[name] = value,
                }
                let found = call(action, &less);
                if at < required {
                    let expected = format!("The request is missing a required parameter `{name}`.");
                    let error = found.unwrap_err();
                    assert_eq!(error.code(), Code::MissingParameter, "{action} {name}");
                    assert_eq!(error.message(Language::English), expected);
                } else {
                    assert!(found.is_ok(), "{action} {name}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_in_the_table_is_unknown() {
    for (action, _, body) in whole() {
        let mut more = body.clone();
        more["instanceId"] = json!("x");
        let (code, message) = refusal(action, &more);
        assert_eq!(code, Code::UnknownParameter, "{action}");
        assert_eq!(message, "The parameter `instanceId` is not recognized.");
    }
}

#[test]
fn types_are_strict_in_json() {
    for (action, _, body) in whole() {
        for (name, value) in body.as_object().unwrap() {
            let wrong = match value {
                Value::String(_) => vec![json!(1), json!(["x"]), json!({}), json!(true)],
                Value::Number(_) => vec![json!("1"), json!(1.5), json!([1]), json!(false)],
                Value::Bool(_) => vec![json!("true"), json!(1)],
                Value::Array(items) if items[0].is_number() => vec![json!(1), json!(["1"])],
                _ => vec![json!("x"), json!([1]), json!([null]), json!({"0": "x"})],
            };
            for wrong in wrong {
                let mut changed = body.clone();
                changed[name] = wrong.clone();
                let (code, message) = refusal(action, &changed);
                assert_eq!(code, Code::InvalidParameter, "{action} {name} {wrong}");
                assert!(message.contains(&format!("`{name}`")), "{message}");
            }
        }
    }
}

#[track_caller]
fn check_value(action: &str, name: &str, value: Value, expected: Option<Code>) {
    let (_, _, mut body) = whole().into_iter().find(|(own, ..)| *own == action).unwrap();
    body[name] = value.clone();
    let code = call(action, &body).err().map(|error| error.code());
    assert_eq!(code, expected, "{action} {name} {value}");
}

#[test]
fn ranges_are_the_documents() {
    let bad = Some(Code::InvalidParameterValue);
    let worse = Some(Code::InvalidParameterValueError);
    for (action, max, expected) in [
        ("DescribeDBImportRecords", 100, bad),
        ("DescribeTasks", 100, bad),
        ("DescribeUploadedFiles", 5000, bad),
        ("DescribeDBInstances", 2000, worse),
        ("DescribeDatabases", 5000, worse),
        ("DescribeTables", 5000, worse),
    ] {
        for (limit, expected) in [(1, None), (max, None), (0, expected), (max + 1, expected)] {
            check_value(action, "Limit", json!(limit), expected);
        }
        check_value(action, "Offset", json!(0), None);
        check_value(action, "Offset", json!(-1), expected);
        check_value(action, "Limit", json!(u64::MAX), expected);
    }
    check_value("DescribeTasks", "TaskTypes", json!([1, 4]), bad);
    check_value("DescribeTasks", "TaskStatus", json!([7]), bad);
    check_value("DescribeTasks", "AsyncRequestId", json!("x"), bad);
    check_value("DescribeTasks", "StartTimeEnd", json!("2016-01-01"), bad);
    check_value("StopDBImportJob", "AsyncRequestId", json!("x"), Some(Code::InvalidAsyncRequestId));
    check_value("DescribeDBImportRecords", "StartTime", json!("2016-02-30 00:00:00"), bad);
    check_value("DescribeDBInstances", "OrderBy", json!("price"), worse);
    check_value("DescribeDBInstances", "OrderDirection", json!("asc"), worse);
    check_value("DescribeDBInstances", "WithRo", json!(2), worse);
    check_value("DescribeDBInstances", "Tags", json!([{"Key": "k", "Value": ["a", "b"]}]), None);
    check_value("CreateDatabase", "CharacterSetName", json!("utf16"), worse);
    check_value("CreateDatabase", "DBName", json!("名".repeat(64)), None);
    check_value("CreateDatabase", "DBName", json!("n".repeat(65)), worse);
    check_value("CreateDBImportJob", "DbName", json!("n".repeat(65)), bad);
    check_value("CreateDBImportJob", "CosUrl", json!("n".repeat(5000)), bad);
}

#[test]
fn an_import_needs_a_file() {
    let body =
        json!({"InstanceId": "cdb-1", "User": "root", "FileName": "", "Password": "hunter2"});
    let (code, message) = refusal("CreateDBImportJob", &body);
    assert_eq!((code, message.as_str()), {
        (Code::InvalidParameter, "One of `FileName` and `CosUrl` is required.")
    });
}

#[test]
fn passwords_and_links_are_not_shown() {
    let (_, _, body) = whole().remove(0);
    let shown = format!("{:?}", call("CreateDBImportJob", &body).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("example.test"), "{shown}");
    for (name, value) in [("Password", json!(["hunter2"])), ("hunter", json!("hunter2"))] {
        let mut changed = body.clone();
        changed[name] = value;
        let error = call("CreateDBImportJob", &changed).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn text_stands_for_numbers_and_booleans_where_all_is_text() {
    let query = "TaskTypes.0=3&TaskTypes.1=5&TaskStatus.0=-1&Limit=7&Action=DescribeTasks\
                 &Version=2017-03-20&Language=en-US";
    let read = |query: &str| {
        let headers = vec![];
        Call::read(&Request { method: "GET", path: "/", query, headers, body: b"" })
    };
    let found = read(query).unwrap();
    let expected = DescribeTasks {
        instance_id: None,
        job_id: None,
        task_types: vec![3, 5],
        task_statuses: vec![-1],
        start_time_begin: None,
        start_time_end: None,
        page: Page { offset: 0, limit: 7 },
    };
    assert_eq!(found.action, Action::DescribeTasks(expected));
    assert_eq!(found.language, Language::English);
    let code = |query: &str| read(query).err().map(|error| error.code());
    assert_eq!(code(&query.replace("Limit=7", "Limit=x")), Some(Code::InvalidParameter));
    assert_eq!(code(&query.replace("Limit=7", "Limit=7.0")), Some(Code::InvalidParameter));
    assert_eq!(code(&query.replace("Limit=7", "Limit=101")), Some(Code::InvalidParameterValue));
    for (word, expected) in [("True", None), ("false", None), ("1", Some(Code::InvalidParameter))] {
        let query =
            format!("Action=DescribeDBInstances&Version=2017-03-20&QueryClusterInfo={word}");
        assert_eq!(code(&query), expected, "{word}");
    }
}

#[test]
fn action_version_and_region_are_checked_first() {
    let read = |action: &str, version: &str, region: &str| {
        let query = format!("Action={action}&Version={version}&Region={region}&Unknown=1");
        let headers = vec![];
        let request = Request { method: "GET", path: "/", query: &query, headers, body: b"" };
        let error = Call::read(&request).unwrap_err();
        (error.code(), error.message(Language::English))
    };
    let missing = |name: &str| {
        (Code::MissingParameter, format!("The request is missing a required parameter `{name}`."))
    };
    assert_eq!(read("", "", ""), missing("Action"));
    assert_eq!(read("DescribeTasks", "", ""), missing("Version"));
    assert_eq!(read("DescribeTasks", "2017-03-12", "").0, Code::NoSuchVersion);
    assert_eq!(read("describeTasks", "2017-03-20", "").0, Code::InvalidAction);
    let (code, message) = read("DescribeTasks", "2017-03-20", "ap guangzhou");
    assert_eq!(code, Code::InvalidParameterValue);
    let expected =
        "A value specified in `X-TC-Region` is not valid, is unsupported, or cannot be used.";
    assert_eq!(message, expected);
    assert_eq!(read("DescribeTasks", "2017-03-20", "ap-guangzhou").0, Code::UnknownParameter);
}

#[test]
fn rates_are_the_documents() {
    let rates: Vec<u32> = whole()
        .iter()
        .map(|(action, _, body)| call(action, body).unwrap().action.per_second())
        .collect();
    assert_eq!(rates, [100, 100, 20, 40, 20, 1, 20, 20, 20, 20, 20]);
}
