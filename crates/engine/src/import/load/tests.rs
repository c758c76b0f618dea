//! What goes as LOAD DATA, and in which bytes. That it means the same is tested on real servers.

use std::sync::Arc;

use dump::insert::{self, Found};
use dump::reader::{Item, Limits, Place, Reader};
use dump::rules::{Client, Rules};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Reason, encode, plan};
use crate::import::batch::{Batch, literal_rows};
use crate::import::feed::literals;
use crate::import::ledger::Check;
use crate::import::session::SessionState;
use crate::import::table::Column;

fn column(name: &str, data_type: &str) -> Column {
    let is_text = matches!(data_type, "varchar" | "text" | "enum");
    Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        charset: is_text.then(|| "utf8mb4".to_owned()),
        scale: 2,
        nullable: true,
        plain_default: true,
        ..Column::default()
    }
}

fn table() -> Vec<Column> {
    vec![column("id", "int"), column("v", "varchar"), column("b", "blob"), column("d", "decimal")]
}

fn session(charset: &str, sql_mode: &str) -> SessionState {
    SessionState::with_variables(&[
        ("character_set_client", charset),
        ("collation_connection", &format!("{charset}_general_ci")),
        ("sql_mode", sql_mode),
    ])
}

/// What comes behind the statements: the reader looks ahead, and rows at the end are none of its lines.
const REST: &[u8] =
    b"UNLOCK TABLES; -- the rest of the file, which is longer than what is looked at\n";

/// Who writes the lines.
#[derive(Clone, Copy, Debug)]
enum By {
    /// Whoever encodes a batch: by statements, and what these are not, cell by cell.
    Batch,
    /// The reader of the file, that sees so many bytes at a time.
    Reader(usize),
}

/// The statement and the stream.
fn both(
    columns: &[Column],
    session: &SessionState,
    sql: &[u8],
) -> Result<(String, String), Reason> {
    written(By::Batch, columns, session, &[sql])
}

/// The same of several statements with one head.
fn written(
    by: By,
    columns: &[Column],
    session: &SessionState,
    statements: &[&[u8]],
) -> Result<(String, String), Reason> {
    let has = |mode| session.sql_mode().contains(mode);
    let rules = Rules {
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        ansi_quotes: has("ANSI_QUOTES"),
        ..Rules::new(Client::MySql)
    };
    let Found::Values(head) = insert::head(statements[0], rules.ansi_quotes) else {
        panic!("no head")
    };
    let mut batch = Batch::new(&head, rules, Check::default(), 1 << 20);
    let place = Place { offset: 0, line: 1 };
    match by {
        By::Batch => {
            for sql in statements {
                let rows = literal_rows(sql, head.length, rules).ok_or("no literals")?;
                batch.push((*sql).into(), place, sql.len() as u64, rows);
            }
        }
        By::Reader(window) => {
            let file = [&statements.join(&b";\n"[..]), &b";\n"[..], REST].concat();
            let limits = Limits { window, ..Limits::DEFAULT };
            let mut reader = Reader::new(&file[..], rules, limits).with_lines();
            while let Some(item) = reader.next_item().unwrap() {
                let Item::Statement(statement) = item else { panic!("{item:?}") };
                if statement.head.is_none() {
                    break;
                }
                let text = statement.text();
                let rows = literals(&statement, &text, head.length).ok_or("no literals")?;
                batch.push(text, place, 0, rows);
            }
        }
    }
    let plan = plan(columns, &batch, session)?;
    let data = encode(&plan, &Arc::new(batch))?;
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Ok((text(&plan.statement), text(&data)))
}

fn stream(values: &str) -> Result<String, Reason> {
    let sql = format!("INSERT INTO t VALUES {values}");
    both(&table(), &session("utf8mb4", ""), sql.as_bytes()).map(|(_, data)| data)
}

#[track_caller]
fn check(values: &str, expected: &str) {
    assert_eq!(stream(values).as_deref(), Ok(expected), "{values}");
}

#[track_caller]
fn gives_up(values: &str) {
    assert!(stream(values).is_err(), "{values}: {:?}", stream(values));
}

#[test]
fn rows_become_lines() {
    check("(1,'a','b',1.5)", r"1\ta\tb\t1.5\n");
    check(" ( 1 , 'a' ,\n'b', -2 ) , (2,NULL,null,0.10)", r"1\ta\tb\t-2\n2\t\\N\t\\N\t0.10\n");
    check("(TRUE,'','',false)", r"1\t\t\t0\n");
    check("('1',12,34,'x')", r"1\t12\t34\tx\n");
}

#[test]
fn escapes_are_decoded_and_written_anew() {
    check(r"(1,'\0\'\\\n\t\r\b\Z\x',0,1)", r"1\t\\0\'\\\\\\n\\t\r\x08\x1ax\t0\t1\n");
    check(r"(1,'a''b\%\_\N',0,1)", r"1\ta\'b\\\\%\\\\_N\t0\t1\n");
    check("(1,\"it's \"\"it\"\"\",0,1)", r#"1\tit\'s \"it\"\t0\t1\n"#);
    check("(1,'tab\tline\n',0,1)", r"1\ttab\\tline\\n\t0\t1\n");
    check(r"(1,'12345678\'\\',0,1)", r"1\t12345678\'\\\\\t0\t1\n");
}

#[test]
fn modes_change_quoting() {
    let sql = br"INSERT INTO t VALUES (1,'a\',x'',1)";
    let plain = both(&table(), &session("utf8mb4", "NO_BACKSLASH_ESCAPES"), sql);
    assert_eq!(plain.map(|(_, data)| data).as_deref(), Ok(r"1\ta\\\\\t\t1\n"));
    let sql = b"INSERT INTO \"t\" (\"v\") VALUES ('\"')";
    let (statement, data) = both(&table(), &session("latin1", "ANSI_QUOTES"), sql).unwrap();
    assert!(statement.ends_with("LINES TERMINATED BY 0x0A (`v`)"), "{statement}");
    assert_eq!(data, r#"\"\n"#);
}

#[test]
fn bytes_stay_bytes() {
    check("(1,'a',0x000A09,1)", r"1\ta\t\\0\\n\\t\t1\n");
    check("(1,'a',0xABC,1)", r"1\ta\t\n\xbc\t1\n".replace(r"\t\n\xbc", r"\t\\n\xbc").as_str());
    check("(1,'a',_binary 'x\\0',1)", r"1\ta\tx\\0\t1\n");
    let mut columns = table();
    columns[1].charset = Some("latin1".to_owned());
    let sql = b"INSERT INTO `a``b`.t (`B`,V) VALUES (x'00ff','a'),(_binary '\\\\','b'),(NULL,'c')";
    let (statement, data) = both(&columns, &session("utf8mb4", ""), sql).unwrap();
    assert_eq!(
        statement,
        r"LOAD DATA LOCAL INFILE \'dbferry\' INTO TABLE `a``b`.`t` CHARACTER SET utf8mb4 FIELDS TERMINATED BY 0x09 ESCAPED BY 0x5C LINES TERMINATED BY 0x0A (@dbferry_0,`v`) SET `b` = UNHEX(@dbferry_0)"
    );
    assert_eq!(data, r"00ff\ta\n5C\tb\n\\N\tc\n");
}

#[test]
fn bits_and_numbers_become_bytes() {
    let columns = [column("b", "bit")];
    let sql = b"INSERT INTO t VALUES (b'101'),(258),(0),(0x01ff),(_binary '\\n')";
    let (_, data) = both(&columns, &session("utf8mb4", ""), sql).unwrap();
    assert_eq!(data, r"\x05\n\x01\x02\n\\0\n\x01\xff\n\\n\n");
}

#[test]
fn what_is_not_proven_is_not_loaded() {
    gives_up("(1.5,'a','b',1)");
    gives_up("(1e2,'a','b',1)");
    gives_up("(-0,'a','b',1)");
    gives_up("(007,'a','b',1)");
    gives_up("(1,1.5,'b',1)");
    gives_up("(1,'a','b',1.005)");
    gives_up("(1,0x41,'b',1)");
    gives_up("(1,_latin1'a','b',1)");
    gives_up("(1,DEFAULT,'b',1)");
    gives_up("(1,'a' /* x */,'b',1)");
    gives_up("(1,'a','b')");
    gives_up("(1,'a','b',1,2)");
}

#[test]
fn text_has_to_be_text() {
    let rows = |charset: &str, text: &[u8]| {
        let sql = [b"INSERT INTO t (v) VALUES ('", text, b"')"].concat();
        both(&table(), &session(charset, ""), &sql).is_ok()
    };
    assert!(rows("utf8mb4", "é😀".as_bytes()));
    assert!(rows("utf8mb3", "é".as_bytes()));
    assert!(!rows("utf8mb3", "😀".as_bytes()));
    assert!(!rows("utf8mb4", b"\xff"));
    assert!(rows("latin1", b"\xff"));
    assert!(!rows("gbk", b"a"));
}

#[test]
fn bytes_beside_text_need_not_be_text() {
    let rows = |open: &[u8], text: &[u8], bytes: &[u8]| {
        let sql = [b"INSERT INTO t (v,b) VALUES ", open, b"'", text, b"','", bytes, b"')"].concat();
        both(&table(), &session("utf8mb4", ""), &sql).map(|(_, data)| data)
    };
    for text in ["\u{e9}".as_bytes(), b"\xFF", b"\xC3", b"a"] {
        for bytes in [&b"\xFF"[..], b"\t\n\xA9", b"\\\\\\n\xF0"] {
            assert_eq!(rows(b"(", text, bytes), rows(b"(\r", text, bytes), "{text:?} {bytes:?}");
            let is_text = text == b"a" || text == "\u{e9}".as_bytes();
            assert_eq!(rows(b"(", text, bytes).is_ok(), is_text, "{text:?} {bytes:?}");
        }
    }
}

#[test]
fn tables_and_sessions_can_forbid_it() {
    let try_with = |change: &dyn Fn(&mut Vec<Column>), sql: &str| {
        let mut columns = table();
        change(&mut columns);
        both(&columns, &session("utf8mb4", ""), sql.as_bytes()).map(|(statement, _)| statement)
    };
    assert!(
        try_with(
            &|columns| columns[2].data_type = "vector".into(),
            "INSERT INTO t VALUES (1,'a','b',1)"
        )
        .is_err()
    );
    assert!(
        try_with(&|columns| columns[2].plain_default = false, "INSERT INTO t (id) VALUES (1)")
            .is_err()
    );
    assert!(
        try_with(&|columns| columns[0].nullable = false, "INSERT INTO t (id) VALUES (NULL)")
            .is_err()
    );
    assert!(try_with(&|_| (), "INSERT INTO t (id,ID) VALUES (1,1)").is_err());
    assert!(try_with(&|_| (), "INSERT INTO t (nothing) VALUES (1)").is_err());
    let generated = |columns: &mut Vec<Column>| columns[3].generated = true;
    let given = try_with(&generated, "INSERT INTO t VALUES (1,'a','b',DEFAULT)").unwrap();
    assert!(given.ends_with("(`id`,`v`,`b`)"), "{given}");
    assert!(try_with(&generated, "INSERT INTO t VALUES (1,'a','b',1)").is_err());
    let invisible = |columns: &mut Vec<Column>| columns[1].invisible = true;
    let given = try_with(&invisible, "INSERT INTO t VALUES (1,'b',1)").unwrap();
    assert!(given.ends_with("(`id`,`b`,`d`)"), "{given}");
    let sql = b"INSERT INTO t (id) VALUES (1)";
    assert!(both(&table(), &session("utf8mb4", "EMPTY_STRING_IS_NULL"), sql).is_err());
    let twice = SessionState::with_variables(&[
        ("character_set_client", "utf8mb4"),
        ("collation_connection", "latin1_swedish_ci"),
    ]);
    assert!(both(&table(), &twice, sql).is_err());
}

/// Cells, also unusual ones, and those that end where a word of eight bytes does.
const CELLS: [&str; 40] = [
    "0",
    "7",
    "-7",
    "-0",
    "007",
    "00",
    "12345678",
    "1234567",
    "-12345678",
    "123456789012345678",
    "1234567890123456789",
    "1.5",
    "0.05",
    "-0.5",
    "1.",
    ".5",
    "1.005",
    "12345678.12",
    "1e5",
    "+1",
    "''",
    "'a'",
    "'1234567'",
    "'12345678'",
    "'it''s'",
    r"'\''",
    r"'a\nb\tc\0\\'",
    r"'\r\Z\b'",
    r"'\%\_\x'",
    "'tab\t'",
    "'line\n'",
    "'é'",
    "'😀 and more than a word'",
    "\"a'b\"",
    "NULL",
    "null",
    "NULLS",
    "TRUE",
    "0x41",
    "_binary 'x'",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..Default::default() })]

    /// A carriage return before the first cell leaves all to the careful way.
    #[test]
    fn all_ways_write_the_same(
        statements in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(select(&CELLS[..]), 4), 1..4), 1..3
        ),
        separator in select(&[",", ", "][..]),
        (charset, mode) in select(&[
            ("utf8mb4", ""), ("utf8mb3", ""), ("latin1", ""), ("utf8mb4", "NO_BACKSLASH_ESCAPES"),
            ("binary", "ANSI_QUOTES"),
        ][..]),
        hex in any::<bool>(),
        window in 64..400usize,
    ) {
        let mut columns = table();
        columns[3].nullable = false;
        if hex {
            columns[1].charset = Some("latin1".to_owned());
        }
        let stream = |by: By, open: &str| {
            let row = |cells: &Vec<&str>| format!("{open}{})", cells.join(separator));
            let sql = |rows: &Vec<Vec<&str>>| {
                let rows: Vec<String> = rows.iter().map(row).collect();
                format!("INSERT INTO t VALUES {}", rows.join(",")).into_bytes()
            };
            let texts: Vec<Vec<u8>> = statements.iter().map(sql).collect();
            let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
            written(by, &columns, &session(charset, mode), &texts)
        };
        let careful = stream(By::Batch, "(\r");
        prop_assert_eq!(&stream(By::Batch, "("), &careful);
        // What are no literals need not be statements, either.
        if careful.is_ok() {
            prop_assert_eq!(&stream(By::Reader(window), "("), &careful);
        }
    }
}

/// What the reader writes of well-behaved rows is taken as it is: no statement is read again.
#[test]
fn a_batch_brings_its_lines() {
    let sql: [&[u8]; 2] = [
        b"INSERT INTO t VALUES (1,'a\\nb','c',-0.5),(12,NULL,'',1.25)",
        "INSERT INTO t VALUES (3,'\u{e9}','\t',7)".as_bytes(),
    ];
    let lines = |sql: &[u8]| {
        let file = [sql, b";\n", REST].concat();
        let mut reader =
            Reader::new(&file[..], Rules::new(Client::MySql), Limits::DEFAULT).with_lines();
        let Ok(Some(Item::Statement(statement))) = reader.next_item() else { panic!("none") };
        statement.lines.map(|lines| lines.text.to_vec())
    };
    let own: Vec<Vec<u8>> = sql.iter().map(|sql| lines(sql).unwrap()).collect();
    let (_, data) = written(By::Reader(1 << 10), &table(), &session("utf8mb4", ""), &sql).unwrap();
    assert_eq!(data, own.concat().escape_ascii().to_string());
    assert_eq!(data, r"1\ta\\nb\tc\t-0.5\n12\t\\N\t\t1.25\n3\t\xc3\xa9\t\\t\t7\n");
    assert_eq!(lines(b"INSERT INTO t VALUES (1,0xFF)"), None);
    assert_eq!(lines(b"INSERT INTO t VALUES (1,2),(3)"), None);
    assert_eq!(lines(b"INSERT INTO t VALUES (1),(2,3)"), None);
    assert_eq!(lines(b"INSERT INTO t VALUES (007)"), None);
}

#[test]
fn rows_longer_than_a_line_are_written_too() {
    let long = "x".repeat(40 << 10);
    check(&format!("(1,'{long}','b',1)"), &format!(r"1\t{long}\tb\t1\n"));
}
