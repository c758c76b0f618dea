//! What a request asks for: every parameter, every range, every code.

use wire::alibaba::call::{
    Action, Call, DescribeDbInstanceAttribute, DescribeDbInstances, DescribeTasks, Page,
};
use wire::alibaba::code::Code;
use wire::alibaba::engine::Engine;
use wire::alibaba::error::Error;
use wire::alibaba::region::Language;
use wire::request::Request;

/// Names and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Each action, how many of its parameters are required, and all of them, those first.
const WHOLE: [(&str, usize, Pairs<'_>); 8] = [
    (
        "ImportDatabaseBetweenInstances",
        3,
        &[
            ("DBInstanceId", "rm-1"),
            ("SourceDBInstanceId", "rm-2"),
            ("DBInfo", r#"{"DBNames":{"a":"b"}}"#),
            ("RegionId", "cn-hangzhou"),
        ],
    ),
    (
        "CancelImport",
        2,
        &[("DBInstanceId", "rm-1"), ("ImportId", "7"), ("RegionId", "cn-hangzhou")],
    ),
    (
        "DescibeImportsFromDatabase",
        4,
        &[
            ("DBInstanceId", "rm-1"),
            ("Engine", "MySQL"),
            ("StartTime", "2011-05-30T12:11Z"),
            ("EndTime", "2011-05-30T12:11:04Z"),
            ("ImportId", "7"),
            ("PageSize", "50"),
            ("PageNumber", "2"),
        ],
    ),
    (
        "DescribeDBInstances",
        1,
        &[
            ("RegionId", "cn-hangzhou"),
            ("DBInstanceId", "rm-1"),
            ("Engine", "SQLServer"),
            ("EngineVersion", "2012"),
            ("DBInstanceStatus", "Running"),
            ("SearchKey", "shop"),
            ("DBInstanceType", "Primary"),
            ("ZoneId", "cn-hangzhou-b"),
            ("ConnectionString", "db.example.test"),
            ("PageSize", "1"),
            ("PageNumber", "9"),
        ],
    ),
    ("DescribeDBInstanceAttribute", 1, &[("DBInstanceId", "rm-1")]),
    (
        "DescribeDatabases",
        1,
        &[
            ("DBInstanceId", "rm-1"),
            ("DBName", "shop"),
            ("DBStatus", "Running"),
            ("PageSize", "100"),
            ("PageNumber", "2"),
        ],
    ),
    ("DescribeRegions", 0, &[("AcceptLanguage", "zh-CN")]),
    (
        "DescribeTasks",
        1,
        &[
            ("DBInstanceId", "rm-1"),
            ("StartTime", "2011-05-30T12:11Z"),
            ("EndTime", "2011-05-30T12:12Z"),
            ("TaskAction", "ImportDatabaseBetweenInstances"),
            ("PageSize", "31"),
            ("PageNumber", "2"),
        ],
    ),
];

fn call(action: &str, parameters: Pairs<'_>) -> Result<Call, Error> {
    let mut query = format!("Action={action}&Version=2014-08-15");
    for (name, value) in parameters {
        query.push_str(&format!("&{name}={}", wire::alibaba::signature::encode(value)));
    }
    let headers = vec![("host", b"rds.example.test".as_slice())];
    Call::read(&Request { method: "GET", path: "/", query: &query, headers, body: b"" })
}

fn whole(action: &str) -> Pairs<'static> {
    WHOLE.iter().find(|(own, ..)| *own == action).unwrap().2
}

/// What becomes of an action with one parameter changed or added.
#[track_caller]
fn check(action: &str, name: &str, value: &str, expected: Option<&str>) {
    let mut parameters = whole(action).to_vec();
    parameters.retain(|(own, _)| *own != name);
    parameters.push((name, value));
    let word = call(action, &parameters).err().map(|error| error.word());
    assert_eq!(word.as_deref(), expected, "{action} {name} {value}");
}

#[test]
fn every_parameter_reaches_the_call() {
    for (action, _, parameters) in WHOLE {
        let all = call(action, parameters).unwrap_or_else(|error| panic!("{action}: {error}"));
        assert_eq!(all.action.name(), action);
        assert_eq!(all.action.per_second(), 20);
        for at in 0..parameters.len() {
            let mut less = parameters.to_vec();
            less.remove(at);
            assert_ne!(call(action, &less).ok(), Some(all.clone()), "{action} {at}");
        }
    }
}

#[test]
fn what_is_required_is_missed() {
    for (action, required, parameters) in WHOLE {
        for (at, (name, _)) in parameters.iter().enumerate() {
            for is_empty in [false, true] {
                let mut less = parameters.to_vec();
                if is_empty {
                    less[at].1 = "";
                } else {
                    less.remove(at);
                }
                let found = call(action, &less);
                if at < required {
                    let error = found.unwrap_err();
                    assert_eq!(error.word(), format!("Missing{name}"), "{action}");
                    assert_eq!(error.message(), format!("{name} is mandatory for this action."));
                } else {
                    assert!(found.is_ok(), "{action} {name}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn what_nobody_asks_for_is_passed_over() {
    for (action, _, parameters) in WHOLE {
        let all = call(action, parameters).unwrap();
        let mut more = parameters.to_vec();
        more.extend([("ResourceOwnerId", "x"), ("OwnerAccount", ""), ("dbInstanceId", "rm-9")]);
        assert_eq!(call(action, &more), Ok(all));
    }
}

#[test]
fn both_spellings_of_the_list_of_imports_are_read() {
    let parameters = whole("DescibeImportsFromDatabase");
    let misspelt = call("DescibeImportsFromDatabase", parameters).unwrap();
    assert_eq!(call("DescribeImportsFromDatabase", parameters), Ok(misspelt));
}

#[test]
fn action_and_version_are_checked_first() {
    let word = |query: &str| {
        let headers = vec![];
        let request = Request { method: "GET", path: "/", query, headers, body: b"" };
        let error = Call::read(&request).unwrap_err();
        (error.word(), error.status())
    };
    let bad = |word: &str, status| (word.to_owned(), status);
    assert_eq!(word(""), bad("MissingAction", 400));
    assert_eq!(word("Action=DescribeRegions"), bad("MissingVersion", 400));
    assert_eq!(word("Action=X&Version=2014-05-26"), bad("InvalidVersion", 400));
    for action in ["CreateAccount", "describeRegions", "DescribeRegions%20"] {
        let query = format!("Action={action}&Version=2014-08-15");
        assert_eq!(word(&query), bad("InvalidAction.NotFound", 404));
    }
    let region = "Action=DescribeRegions&Version=2014-08-15&RegionId=CN%20";
    assert_eq!(word(region), bad("InvalidParameter", 400));
}

#[test]
fn acs3_has_the_action_in_a_header() {
    let read = |query: &str, content_type: &str, body: &str| {
        let headers = vec![
            ("authorization", b"ACS3-HMAC-SHA256 x".as_slice()),
            ("X-Acs-Action", b"CancelImport"),
            ("x-acs-version", b"2014-08-15"),
            ("content-type", content_type.as_bytes()),
        ];
        let body = body.as_bytes();
        Call::read(&Request { method: "POST", path: "/", query, headers, body })
    };
    let expected = call("CancelImport", &[("DBInstanceId", "rm-1"), ("ImportId", "7")]);
    let whole = "DBInstanceId=rm-1&ImportId=7";
    let form = "application/x-www-form-urlencoded";
    assert_eq!(read(whole, "", ""), expected);
    assert_eq!(read("", form, whole), expected);
    assert_eq!(read("DBInstanceId=rm-1", form, "ImportId=7"), expected);
    assert_eq!(read(&format!("{whole}&Action=X&Version=Y"), "", ""), expected);
    // What is signed and not understood is not passed over.
    let error = read(whole, "application/json", "{}").unwrap_err();
    assert_eq!(error.message(), "The specified parameter \"Content-Type\" is not valid.");
}

#[test]
fn version_1_reads_no_body_that_it_does_not_sign() {
    let headers = vec![("content-type", b"text/plain".as_slice())];
    let query = "Action=CancelImport&Version=2014-08-15&DBInstanceId=rm-1";
    let request = Request { method: "POST", path: "/", query, headers, body: b"ImportId=7" };
    assert_eq!(Call::read(&request).unwrap_err().word(), "MissingImportId");
}

#[test]
fn an_import_needs_two_instances_and_a_list() {
    let action = "ImportDatabaseBetweenInstances";
    check(action, "SourceDBInstanceId", "rm-1", Some("OperationDenied.DBInstanceId"));
    check(action, "SourceDBInstanceId", "RM-1", None);
    check(action, "DBInfo", "mydb", Some("InvalidDBInfo.Malformed"));
    check(action, "DBInfo", &"x".repeat(300_000), Some("InvalidDBInfo.Malformed"));
    check(action, "DBInfo", "{“DBNames”:[“a”]}", None);
    let denied = call(
        action,
        &[
            ("DBInstanceId", "rm-1"),
            ("SourceDBInstanceId", "rm-1"),
            ("DBInfo", r#"{"DBNames":["a"]}"#),
        ],
    );
    let denied = denied.unwrap_err();
    assert_eq!((denied.code(), denied.status()), (Code::SameInstance, 403));
}

#[test]
fn ids_and_texts_are_bounded() {
    for (action, _, parameters) in WHOLE {
        for (name, value) in parameters {
            let is_text = !value.starts_with("{") && !value.bytes().all(|b| b.is_ascii_digit());
            if is_text && *name != "DBInstanceId" {
                check(action, name, &"x".repeat(10_000), Some("InvalidParameter"));
            }
        }
    }
    check("CancelImport", "DBInstanceId", &"x".repeat(257), Some("InvalidParameter"));
    check("CancelImport", "DBInstanceId", &"x".repeat(256), None);
    for id in ["0", "-1", "2147483648", "x", "1.0", "99999999999999999999"] {
        check("CancelImport", "ImportId", id, Some("InvalidParameter"));
        check("DescibeImportsFromDatabase", "ImportId", id, Some("InvalidParameter"));
    }
    check("CancelImport", "ImportId", "2147483647", None);
}

#[test]
fn pages_are_the_documents() {
    let bad = Some("InvalidParameter");
    for action in ["DescibeImportsFromDatabase", "DescribeDatabases"] {
        for (size, expected) in [("30", None), ("50", None), ("100", None), ("31", bad)] {
            check(action, "PageSize", size, expected);
        }
    }
    for (size, expected) in [("30", None), ("77", None), ("100", None), ("29", bad), ("101", bad)] {
        check("DescribeTasks", "PageSize", size, expected);
    }
    for (size, expected) in [("1", None), ("100", None), ("0", bad), ("101", bad), ("x", bad)] {
        check("DescribeDBInstances", "PageSize", size, expected);
        check("DescribeDBInstances", "MaxResults", size, expected);
    }
    for (number, expected) in
        [("1", None), ("2147483647", None), ("0", bad), ("2147483648", bad), ("+1", bad)]
    {
        for action in ["DescibeImportsFromDatabase", "DescribeDatabases", "DescribeTasks"] {
            check(action, "PageNumber", number, expected);
        }
    }
}

fn instances(parameters: Pairs<'_>) -> DescribeDbInstances {
    let mut all = vec![("RegionId", "cn-hangzhou")];
    all.extend(parameters);
    match call("DescribeDBInstances", &all).unwrap().action {
        Action::DescribeDbInstances(asked) => asked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn instances_are_paged_by_number_or_by_token() {
    let page = |parameters: Pairs<'_>| instances(parameters).page;
    let first = page(&[]);
    assert_eq!(first, Page { offset: 0, limit: 30, by_token: false });
    assert_eq!((first.number(), first.next_token(100)), (1, None));
    let third = page(&[("PageSize", "10"), ("PageNumber", "3")]);
    assert_eq!((third.offset, third.limit, third.number()), (20, 10, 3));

    let first = page(&[("MaxResults", "40"), ("PageNumber", "3")]);
    assert_eq!(first, Page { offset: 0, limit: 40, by_token: true });
    let token = first.next_token(100).unwrap();
    let second = page(&[("MaxResults", "40"), ("NextToken", &token)]);
    assert_eq!((second.offset, second.number()), (40, 2));
    let token = second.next_token(100).unwrap();
    let last = page(&[("MaxResults", "40"), ("NextToken", &token)]);
    assert_eq!((last.offset, last.next_token(100)), (80, None));
    assert_eq!(first.next_token(40), None);
    assert_eq!(page(&[("NextToken", "40")]).limit, 30);
    check("DescribeDBInstances", "NextToken", "x", Some("InvalidParameter"));
}

#[test]
fn engines_and_languages_are_words() {
    let bad = Some("InvalidParameter");
    check("DescibeImportsFromDatabase", "Engine", "SQLServer", None);
    check("DescibeImportsFromDatabase", "Engine", "Oracle", bad);
    check("DescribeDBInstances", "Engine", "Oracle", bad);
    assert_eq!(instances(&[("Engine", "mysql")]).engine, Some(Engine::MySql));
    check("DescribeRegions", "AcceptLanguage", "fr-FR", bad);
    let language = |parameters: Pairs<'_>| match call("DescribeRegions", parameters).unwrap().action
    {
        Action::DescribeRegions(asked) => asked.language,
        other => panic!("{other:?}"),
    };
    assert_eq!(language(&[]), Language::English);
    assert_eq!(language(&[("AcceptLanguage", "ZH-cn")]), Language::Chinese);
}

#[test]
fn times_are_in_order() {
    for action in ["DescibeImportsFromDatabase", "DescribeTasks"] {
        check(action, "EndTime", "2011-05-30T12:11Z", None);
        check(action, "EndTime", "2011-05-30T12:10Z", Some("InvalidStartTimeAndEndTime.Malformed"));
        for time in ["2011-05-30", "2011-05-30 12:11:00", "1306757464", "2011-02-30T12:11Z"] {
            check(action, "StartTime", time, Some("InvalidParameter"));
        }
    }
    let found = call("DescribeTasks", whole("DescribeTasks")).unwrap().action;
    let expected = DescribeTasks {
        instance_id: "rm-1".to_owned(),
        start_time: Some(1_306_757_460),
        end_time: Some(1_306_757_520),
        task_action: Some("ImportDatabaseBetweenInstances".to_owned()),
        page: Page { offset: 31, limit: 31, by_token: false },
    };
    assert_eq!(found, Action::DescribeTasks(expected));
}

#[test]
fn attributes_of_thirty_instances_at_most() {
    let ids = |list: &str| call("DescribeDBInstanceAttribute", &[("DBInstanceId", list)]);
    let read = |list: &str| match ids(list).unwrap().action {
        Action::DescribeDbInstanceAttribute(DescribeDbInstanceAttribute { instance_ids }) => {
            instance_ids
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(read("rm-1, rm-2,rm-1,"), ["rm-1", "rm-2"]);
    let many = |count: usize| (0..count).map(|at| format!("rm-{at}")).collect::<Vec<_>>().join(",");
    assert_eq!(read(&many(30)).len(), 30);
    assert_eq!(ids(&many(31)).unwrap_err().word(), "InvalidParameter");
    assert_eq!(ids(&"x".repeat(257)).unwrap_err().word(), "InvalidParameter");
    assert_eq!(ids(",").unwrap_err().word(), "MissingDBInstanceId");
}
