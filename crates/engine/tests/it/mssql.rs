//! SQL Server's catalog, as rows that its documents describe, made into scripts: golden files.
//!
//! A case has rows by the names of the questions' columns; a column that is left out has what the catalog
//! says of a plain thing. No server is needed: what is tested is pure.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use engine::mssql::catalog::question::{Answer, Answers, Facts, Question};
use engine::mssql::catalog::schema::{Database, Table};
use engine::mssql::catalog::{self, sys, unsupported};
use engine::mssql::script::rename::Renames;
use engine::mssql::script::{chunk, digest, load, script, table};
use engine::mssql::value::{Row, Value};
use serde_json::Value as Json;

/// Numbers of a plain thing that are not 0.
const PLAIN: [(&str, Option<i64>); 16] = [
    ("allow_row_locks", Some(1)),
    ("allow_page_locks", Some(1)),
    ("is_ansi_padded", Some(1)),
    ("uses_ansi_nulls", Some(1)),
    ("uses_quoted_identifier", Some(1)),
    ("parent_class", Some(1)),
    ("referenced_class", Some(1)),
    ("is_used", Some(1)),
    ("compatibility_level", Some(160)),
    ("encryption_type", None),
    ("graph_type", None),
    ("is_persisted", None),
    ("history_table_id", None),
    ("history_retention_period", None),
    ("referenced_id", None),
    ("compression_delay", None),
];

fn value(question: &Question, name: &str, answer: Answer, given: Option<&Json>) -> Value {
    match (given, answer) {
        (Some(Json::Null), _) => Value::Null,
        (Some(Json::String(text)), Answer::Text) => Value::Text(text.clone()),
        (Some(Json::Number(number)), Answer::Int) => Value::Int(number.as_i64().unwrap()),
        (Some(other), _) => panic!("{}.{name} is {other}", question.name),
        (None, Answer::Int) => {
            let plain = PLAIN.iter().find(|(column, _)| *column == name);
            plain.map_or(Some(0), |(_, value)| *value).map_or(Value::Null, Value::Int)
        }
        (None, Answer::Text | Answer::Bytes) => Value::Null,
    }
}

fn row(question: &Question, given: &Json) -> Row {
    let given = given.as_object().unwrap();
    for name in given.keys() {
        let is_asked = question.columns.iter().any(|column| column.name == name);
        assert!(is_asked, "{} does not ask for {name}", question.name);
    }
    let cells = question.columns.iter();
    cells.map(|asked| value(question, asked.name, asked.answer, given.get(asked.name))).collect()
}

fn questions() -> Vec<&'static Question> {
    let unsupported = unsupported::ALL.iter().map(|kind| &kind.question);
    sys::ALL.into_iter().chain(unsupported).collect()
}

fn answers(case: &Json) -> Answers {
    let catalog = case["catalog"].as_object().unwrap();
    let known = questions();
    let rows = catalog.iter().map(|(name, rows)| {
        let question = known.iter().find(|question| question.name == name);
        let question = question.unwrap_or_else(|| panic!("no question {name}"));
        let rows = rows.as_array().unwrap().iter().map(|given| row(question, given));
        (question.name, rows.collect())
    });
    rows.collect()
}

fn cases() -> Vec<(String, Json)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mssql");
    let mut cases: Vec<(String, Json)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        })
        .collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

fn renames(case: &Json) -> Renames {
    let pairs = case["renames"].as_object().into_iter().flatten();
    Renames::new(pairs.map(|(old, new)| (old.clone(), new.as_str().unwrap().to_owned())))
}

/// All that comes of a case, for reading.
fn page(database: &Database, case: &Json) -> String {
    let target = case["target"].as_str().unwrap_or("target");
    let script = script(database, target, &renames(case));
    let mut page = String::new();
    let mut phase = None;
    for statement in &script.statements {
        if phase != Some(statement.phase) {
            writeln!(page, "==== {:?}", statement.phase).unwrap();
            phase = Some(statement.phase);
        }
        let session = statement.session.map(|session| session.sql());
        if let Some(session) = session {
            writeln!(page, "-- {session}").unwrap();
        }
        writeln!(page, "{};", statement.sql).unwrap();
    }
    let findings: Vec<_> = database.findings.iter().chain(&script.findings).collect();
    if !findings.is_empty() {
        writeln!(page, "==== findings").unwrap();
    }
    for one in findings {
        writeln!(page, "{:?}: {} {}: {}", one.weight, one.what, one.object, one.why).unwrap();
    }
    page
}

/// The database of a case.
pub(crate) fn database(name: &str) -> Database {
    let cases = cases();
    let (_, case) = cases.iter().find(|(own, _)| own == name).unwrap();
    catalog::read(&answers(case)).unwrap()
}

/// The databases of all cases.
pub(crate) fn databases() -> Vec<Database> {
    cases().iter().map(|(_, case)| catalog::read(&answers(case)).unwrap()).collect()
}

/// How a table is read, cut and compared.
fn reading(one: &Table) -> String {
    let name = table::full_name(one);
    let mut page = format!("== {name}\nselect: {}\n", load::select_list(one));
    writeln!(page, "bulk: {}", load::bulk_columns(one)).unwrap();
    if let Some(key) = chunk::key(one) {
        let bound = |digit: &str| vec![digit.to_owned(); key.width()];
        let (lower, upper) = (bound("1"), bound("2"));
        writeln!(page, "key: {} {} {}", key.index, key.is_unique, key.is_clustered).unwrap();
        writeln!(page, "next: {}", key.next_bound(&name, Some(&lower), 1000)).unwrap();
        let condition = key.condition(Some(&lower), Some(&upper));
        writeln!(page, "chunk: {}", condition.unwrap()).unwrap();
    }
    let asked = digest::question(one, digest::Form::Bytes, &name, None);
    writeln!(page, "digest: {asked}").unwrap();
    writeln!(page, "of texts: {}", digest::row(one, digest::Form::Texts)).unwrap();
    page
}

#[test]
fn catalogs_become_scripts() {
    let cases = cases();
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    for (name, case) in &cases {
        let database = catalog::read(&answers(case)).unwrap();
        insta::assert_snapshot!(name.as_str(), page(&database, case));
        if case["reading"] == Json::Bool(true) {
            let pages: Vec<String> = database.tables.iter().map(reading).collect();
            insta::assert_snapshot!(format!("{name}-reading"), pages.concat());
        }
    }
}

#[test]
fn a_reading_is_the_same_again() {
    for (name, case) in cases() {
        let read = || catalog::read(&answers(&case)).unwrap();
        assert_eq!(read(), read(), "{name}");
    }
}

#[test]
fn a_row_of_another_shape_is_an_error_that_names_the_question() {
    for (name, case) in cases() {
        let whole = answers(&case);
        for question in sys::ALL.iter().filter(|one| whole.contains_key(one.name)) {
            let mut cut = whole.clone();
            cut.get_mut(question.name).unwrap()[0].pop();
            let error = catalog::read(&cut).unwrap_err();
            assert!(error.message.contains(question.name), "{name}: {}", error.message);
            let Some(at) = question.columns.iter().position(|one| one.name == "name") else {
                continue;
            };
            let mut wrong = whole.clone();
            wrong.get_mut(question.name).unwrap()[0][at] = Value::Bytes(vec![1]);
            let error = catalog::read(&wrong).unwrap_err();
            assert!(error.message.contains(question.name), "{name}: {}", error.message);
        }
    }
}

#[test]
fn no_value_of_a_cell_makes_the_reader_panic() {
    for (_, case) in cases() {
        let whole = answers(&case);
        let script_of = |answers: &Answers| {
            catalog::read(answers).map(|database| script(&database, "x", &renames(&case)))
        };
        script_of(&whole).unwrap();
        for question in whole.keys() {
            for cell in 0..whole[question][0].len() {
                for wrong in [Value::Null, Value::Int(-7), Value::Text("?".into())] {
                    let mut answers = whole.clone();
                    answers.get_mut(question).unwrap()[0][cell] = wrong;
                    drop(script_of(&answers));
                }
            }
        }
    }
}

#[test]
fn every_question_has_a_name_of_its_own_and_reads_only() {
    let all = questions();
    let mut names: Vec<&str> = all.iter().map(|question| question.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    let views = all.iter().flat_map(|question| question.views_named());
    let views: std::collections::BTreeSet<&str> = views.collect();
    let rows = views.iter().map(|view| vec![Value::Text((*view).into()), Value::Text("x".into())]);
    let facts = Facts::read(&rows.collect::<Vec<Row>>()).unwrap();
    let asked = catalog::questions(&facts);
    assert_eq!(asked.len(), all.len());
    assert!(asked.iter().all(|(_, sql)| sql.starts_with("SELECT ")));
    assert!(catalog::questions(&Facts::default()).is_empty());
    let fewer = catalog::questions_of_carried(&facts);
    assert!(fewer.len() < asked.len() && fewer.iter().all(|one| asked.contains(one)));
}

#[test]
fn what_is_carried_is_read_without_asking_for_what_never_is() {
    let carried = sys::ALL.map(|question| question.name);
    let mut is_shorter = false;
    for (name, case) in cases() {
        let whole = answers(&case);
        let mut fewer = whole.clone();
        fewer.retain(|question, _| carried.contains(question));
        is_shorter |= fewer.len() < whole.len();
        let (mut one, mut other) = (catalog::read(&whole).unwrap(), catalog::read(&fewer).unwrap());
        one.findings.clear();
        other.findings.clear();
        assert_eq!(one, other, "{name}");
    }
    assert!(is_shorter);
}
