//! What files hold, beside them as `.mariadb.out` and `.mysql.out`.
//!
//! `INSTA_UPDATE=always cargo nextest run -p dump` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use dump::reader::{Item, Limits, Reader, Statement};
use dump::rules::{Client, Rules};
use dump::statement::{self, ObjectName};
use dump::token::Target;

/// How much of a text is shown.
const SHOWN: usize = 60;

#[test]
fn ok() {
    check_folder("ok");
}

#[test]
fn err() {
    check_folder("err");
}

fn check_folder(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data").join(folder);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let file = fs::read(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (client, version) in [(Client::MariaDb, 101_119), (Client::MySql, 90_704)] {
            let target = Target { server: client, version };
            let name = format!("{name}.{}", format!("{client:?}").to_ascii_lowercase());
            settings.bind(|| insta::assert_snapshot!(name, describe(&file, target)));
        }
    }
}

/// Every item on a line, its class below it.
fn describe(file: &[u8], target: Target) -> String {
    let mut reader = Reader::new(file, Rules::new(target.server), Limits::DEFAULT);
    let mut out = String::new();
    loop {
        match reader.next_item() {
            Ok(None) => break,
            Ok(Some(Item::Statement(statement))) => {
                describe_statement(&mut out, &statement, target)
            }
            Ok(Some(Item::Command(command, place))) => {
                let argument = command.argument.escape_ascii();
                let (line, offset) = (place.line, place.offset);
                writeln!(out, "{line}:{offset} command {:?} [{argument}]", command.kind).unwrap();
            }
            Ok(Some(Item::Part(_))) => panic!("an oversized statement"),
            Err(error) => {
                let place = error.place();
                writeln!(out, "{}:{} error: {error}", place.line, place.offset).unwrap();
            }
        }
    }
    if let Some(open) = reader.open() {
        writeln!(out, "open at the end: {open:?}").unwrap();
    }
    out
}

fn describe_statement(out: &mut String, statement: &Statement<'_>, target: Target) {
    let text = statement.text();
    let class = statement::classify(&text, statement.rules, target);
    let place = statement.place;
    let shown = text[..text.len().min(SHOWN)].escape_ascii();
    writeln!(out, "{}:{} {shown}", place.line, place.offset).unwrap();
    write!(out, "    {:?} {:?}", class.kind, class.action).unwrap();
    if let Some(object) = &class.object {
        write!(out, " {}", name(object)).unwrap();
    }
    if let Some(head) = statement.head {
        let columns = head.columns.as_ref().map_or(0, Vec::len);
        write!(out, " rows={} columns={columns}", statement.rows).unwrap();
    }
    let span = |range: &std::ops::Range<usize>| text[range.clone()].escape_ascii().to_string();
    if let Some(definer) = &class.definer {
        write!(out, " definer={}", span(definer)).unwrap();
    }
    if let Some(clause) = &class.definer_clause {
        write!(out, " clause=[{}]", span(clause)).unwrap();
    }
    if let Some(open) = statement.open {
        write!(out, " open={open:?}").unwrap();
    }
    for (flag, word) in [
        (statement.altered, "altered"),
        (statement.tail, "tail"),
        (statement.unterminated, "unterminated"),
        (class.temporary, "temporary"),
        (class.touches_files, "touches_files"),
        (class.may_change_rules(), "may_change_rules"),
        (class.may_change_session(), "may_change_session"),
        (class.is_privileged(), "privileged"),
    ] {
        if flag {
            write!(out, " {word}").unwrap();
        }
    }
    out.push('\n');
    for assignment in &class.assignments {
        let variable = assignment.name.escape_ascii();
        let value = assignment.value.as_ref().map(|value| value.escape_ascii().to_string());
        writeln!(out, "    {:?} {variable} = {value:?}", assignment.scope).unwrap();
    }
}

fn name(object: &ObjectName) -> String {
    let own = object.name.escape_ascii().to_string();
    match &object.schema {
        Some(schema) => format!("{}.{own}", schema.escape_ascii()),
        None => own,
    }
}
