//! Rows and cells of `INSERT … VALUES`.

use dump::rules::{Client, Multibyte, Rules};
use dump::values::lines::{LineWriter, Seen};
use dump::values::{Cells, Kind, Rows, plain_rows, whole_rows};
use proptest::prelude::*;
use proptest::sample::select;

fn rules() -> Rules {
    Rules::new(Client::MariaDb)
}

/// The rows of a text, and whether nothing follows them.
fn rows(text: &str) -> (Vec<&str>, bool) {
    rows_by(text, rules())
}

fn rows_by(text: &str, rules: Rules) -> (Vec<&str>, bool) {
    let mut rows = Rows::new(text.as_bytes(), rules);
    let found = rows.by_ref().map(|row| &text[row.start..row.end]).collect();
    (found, rows.at_end())
}

#[track_caller]
fn check_cells(row: &str, rules: Rules, expected: &[(&str, Kind)]) {
    let cells: Vec<(&str, Kind)> = Cells::new(row.as_bytes(), rules)
        .map(|cell| (&row[cell.start..cell.end], cell.kind))
        .collect();
    assert_eq!(cells, expected, "{row}");
}

/// The kind of a single value.
fn kind(value: &str) -> Kind {
    kind_by(value, rules())
}

#[track_caller]
fn kind_by(value: &str, rules: Rules) -> Kind {
    let row = format!("({value})");
    let kinds: Vec<Kind> = Cells::new(row.as_bytes(), rules).map(|cell| cell.kind).collect();
    assert_eq!(kinds.len(), 1, "{value}");
    kinds[0]
}

#[test]
fn rows_are_separated_by_one_comma() {
    assert_eq!(rows("(1),(2)"), (vec!["(1)", "(2)"], true));
    assert_eq!(rows(" (1) ,\n\t(2) \n"), (vec!["(1)", "(2)"], true));
    assert_eq!(rows(", (1)"), (vec!["(1)"], true));
    assert_eq!(rows("(1),,(2)"), (vec!["(1)"], false));
    assert_eq!(rows("(1)(2)"), (vec!["(1)"], false));
    assert_eq!(rows("(1),"), (vec!["(1)"], false));
    assert_eq!(rows("(1) ON DUPLICATE KEY UPDATE a=(1)"), (vec!["(1)"], false));
    assert_eq!(rows(""), (vec![], true));
    assert_eq!(rows("()"), (vec!["()"], true));
}

#[test]
fn parentheses_nest() {
    assert_eq!(rows("(f(1,(2)),3),(4)"), (vec!["(f(1,(2)),3)", "(4)"], true));
    assert_eq!(rows("('(',')'),(\")\")"), (vec!["('(',')')", "(\")\")"], true));
    assert_eq!(rows("(`)`)"), (vec!["(`)`)"], true));
}

#[test]
fn a_cut_row_is_none() {
    for cut in ["(1),(2", "(1),('a", "(1),('a\\", "(1),(", "(1),(/* ", "(1),(2 -- )"] {
        assert_eq!(rows(cut), (vec!["(1)"], false), "{cut}");
        let found = whole_rows(cut.as_bytes(), rules());
        assert_eq!((found.start, found.end, found.rows), (0, 3, 1), "{cut}");
    }
    let found = whole_rows(b" , (2", rules());
    assert_eq!((found.start, found.end, found.rows), (3, 3, 0));
    let found = whole_rows(b" , x", rules());
    assert_eq!((found.start, found.end, found.rows), (1, 1, 0));
    let found = whole_rows(b" ,(2),(3", rules());
    assert_eq!((found.start, found.end, found.rows), (2, 5, 1));
}

#[test]
fn comments_hide_what_is_in_them() {
    assert_eq!(rows("(1 /* ) */),(2)"), (vec!["(1 /* ) */)", "(2)"], true));
    assert_eq!(rows("(1 -- )\n),(2 # )\n)"), (vec!["(1 -- )\n)", "(2 # )\n)"], true));
    assert_eq!(rows("(1--1)"), (vec!["(1--1)"], true));
    assert_eq!(rows("(1), /* a, */ -- b\n(2) # c\n"), (vec!["(1)", "(2)"], true));
    assert_eq!(rows("(1) /*! ,(2) */"), (vec!["(1)"], false));
    check_cells(
        "(1 /* a, */ , 2)",
        rules(),
        &[("1 /* a, */", Kind::Expression), ("2", Kind::Number)],
    );
}

#[test]
fn strings_follow_the_session() {
    assert_eq!(rows(r"('a\'),('),(2)"), (vec![r"('a\'),(')", "(2)"], true));
    let plain = Rules { no_backslash_escapes: true, ..rules() };
    assert_eq!(rows_by(r"('a\'),('b')", plain), (vec![r"('a\')", "('b')"], true));
    let ansi = Rules { ansi_quotes: true, ..rules() };
    assert_eq!(kind_by(r#""a""#, ansi), Kind::Expression);
    assert_eq!(kind(r#""a""#), Kind::String);

    let gbk = Rules { multibyte: Multibyte::Gbk, ..rules() };
    let text = b"('\xd5\x5c'),(2)";
    assert_eq!(Rows::new(text, gbk).count(), 2);
    assert_eq!(Rows::new(text, rules()).count(), 0);
}

#[test]
fn kinds() {
    for (value, expected) in [
        ("NULL", Kind::Null),
        ("null", Kind::Null),
        ("\\N", Kind::Null),
        ("DEFAULT", Kind::Default),
        ("TRUE", Kind::Boolean),
        ("false", Kind::Boolean),
        ("0", Kind::Number),
        ("-12", Kind::Number),
        ("+1.5", Kind::Number),
        (".5", Kind::Number),
        ("5.", Kind::Number),
        ("-1.5e-10", Kind::Number),
        ("1E+3", Kind::Number),
        ("1e", Kind::Expression),
        ("1-1", Kind::Expression),
        ("1 2", Kind::Expression),
        ("--1", Kind::Expression),
        ("-", Kind::Expression),
        (".", Kind::Expression),
        ("'a'", Kind::String),
        ("''", Kind::String),
        ("'it''s'", Kind::String),
        (r"'a\'b'", Kind::String),
        ("\"a\"\"b\"", Kind::String),
        ("'a' 'b'", Kind::Expression),
        ("'a'\"b\"", Kind::Expression),
        ("'a' COLLATE utf8mb4_bin", Kind::Expression),
        ("0xFf", Kind::Hex),
        ("x'4a'", Kind::Hex),
        ("X'4A'", Kind::Hex),
        ("0x", Kind::Expression),
        ("0XFF", Kind::Expression),
        ("0xFG", Kind::Expression),
        ("0b01", Kind::Bit),
        ("b'01'", Kind::Bit),
        ("0b02", Kind::Expression),
        ("_utf8mb4'a'", Kind::Introduced),
        ("_binary 'a'", Kind::Introduced),
        ("_binary 0xFF", Kind::Introduced),
        ("_latin1 x'41'", Kind::Introduced),
        ("N'a'", Kind::Introduced),
        ("n'a'", Kind::Introduced),
        ("_binary 'a' 'b'", Kind::Expression),
        ("_binary", Kind::Expression),
        ("_column", Kind::Expression),
        ("NOW()", Kind::Expression),
        ("@x", Kind::Expression),
        ("(1)", Kind::Expression),
        ("`a`", Kind::Expression),
        ("DATE '2020-01-01'", Kind::Expression),
    ] {
        assert_eq!(kind(value), expected, "{value}");
    }
}

#[test]
fn cells_are_trimmed_and_none_is_lost() {
    use Kind::{Expression, Null, Number, String};
    check_cells("()", rules(), &[]);
    check_cells(
        "( 1 , 'a,b' ,\n NULL,f(1,2) )",
        rules(),
        &[("1", Number), ("'a,b'", String), ("NULL", Null), ("f(1,2)", Expression)],
    );
    check_cells("(,1)", rules(), &[("", Expression), ("1", Number)]);
    check_cells("(1,)", rules(), &[("1", Number), ("", Expression)]);
}

/// A cell as both readers tell it: row, position, kind, text.
type Told = (u64, usize, Kind, Vec<u8>);

/// What the careful reader tells about rows of literals up to the text's end; nothing about others.
fn careful(text: &[u8], rules: Rules) -> Option<Vec<Told>> {
    let mut told = Vec::new();
    let mut rows = Rows::new(text, rules);
    for (number, row) in (0..).zip(rows.by_ref()) {
        let row = &text[row.start..row.end];
        for (position, cell) in Cells::new(row, rules).enumerate() {
            if cell.kind == Kind::Expression {
                return None;
            }
            told.push((number, position, cell.kind, row[cell.start..cell.end].to_vec()));
        }
    }
    (!told.is_empty() && rows.at_end()).then_some(told)
}

/// What the quick reader tells.
fn quick(text: &[u8], rules: Rules) -> Option<Vec<Told>> {
    let mut told: Vec<Told> = Vec::new();
    let rows = plain_rows(text, rules, |position, kind, cell| {
        let row = told.last().map_or(0, |last| last.0 + u64::from(position == 0));
        told.push((row, position, kind, cell.to_vec()));
    })?;
    assert_eq!(Some(rows), told.last().map(|last| last.0 + 1));
    Some(told)
}

#[test]
fn rows_as_dumps_write_them_are_read_quickly() {
    for text in [
        "(1,'a',NULL)",
        "(1,-2.50,1e-7,'it\\'s','it''s','',\"q\"),\n(0x00FF,x'0f',0b1,b'01',_binary '\\0'),(1, 2 ) ",
    ] {
        for client in [Client::MariaDb, Client::MySql] {
            let told = quick(text.as_bytes(), Rules::new(client));
            assert!(
                told.is_some() && told == careful(text.as_bytes(), Rules::new(client)),
                "{text}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    /// Where the quick reader does not give up, both tell the same.
    #[test]
    fn the_quick_reader_agrees_with_the_careful_one(
        parts in prop::collection::vec(
            select(vec![
                "(", ")", ",", "(1,", "),(", "1", "-1", "--1", "1.5", ".5", "1.", "1e5", "1e", "+1", "'",
                "'a'", "''", "\"", "\"a\"", "\\", "\\'", "'a\\'b'", "'a''b'", "NULL", "null", "NULLS",
                "TRUE", "0x1F", "0x", "0b01", "0b2", "x'1'", "X'1f'", "b'1'", "_binary", "_utf8mb4 'x'",
                "N'x'", "`", "/* ' */", "-- x\n", "#", " ", "\n", "\x0B", "é", "f(1)", "1-2", "\\N",
            ]),
            0..12,
        ),
        inside in any::<bool>(),
        no_backslash_escapes in any::<bool>(),
        ansi_quotes in any::<bool>(),
    ) {
        let mut text = parts.concat();
        if inside {
            text = format!("({text})");
        }
        let rules = Rules { no_backslash_escapes, ansi_quotes, ..rules() };
        if let Some(told) = quick(text.as_bytes(), rules) {
            prop_assert_eq!(Some(told), careful(text.as_bytes(), rules), "{}", text);
        }
    }
}

/// The lines of some rows, if they have them.
fn lines(text: &str) -> Option<(String, Vec<Seen>)> {
    let mut writer = LineWriter::new();
    let lines = writer.lines(text.as_bytes(), rules())?;
    Some((String::from_utf8(lines.text.to_vec()).unwrap(), lines.seen.to_vec()))
}

#[test]
fn rows_are_written_as_lines() {
    let (text, seen) = lines(r"(1,'a\'b','x\ty'), (-20.5,NULL,'é''')").unwrap();
    assert_eq!(text, "1\ta'b\tx\\ty\n-20.5\t\\N\té'\n");
    let [number, text, wide] = seen[..] else { panic!("{seen:?}") };
    assert!(!number.null && !number.text && number.numbers.negative && !number.numbers.exponent);
    assert_eq!((number.numbers.digits, number.numbers.scales), (0b1010, 0b11));
    assert_eq!(text, Seen { null: true, text: true, ..Seen::default() });
    assert_eq!(wide, Seen { text: true, wide: true, ..Seen::default() });
    let (_, seen) = lines(&format!("({},1e5)", "9".repeat(80))).unwrap();
    assert_eq!(seen[0].numbers.digits, 1 << 63);
    assert!(seen[1].numbers.exponent);
}

#[test]
fn what_has_no_lines_has_none_for_a_while() {
    for text in ["(0x41)", "(_binary 'x')", "(00)", "(-0)", "(1.)", "(1),(1,2)", "(1,2),(1)"] {
        assert_eq!(lines(text), None, "{text}");
    }
    let long = |length: usize| format!("('{}')", "x".repeat(length));
    let mut writer = LineWriter::new();
    assert!(writer.lines(long(32 << 10).as_bytes(), rules()).is_none());
    let until = (0..100).position(|_| writer.lines(b"(1)", rules()).is_some());
    assert_eq!(until, Some(15));
    assert_eq!(lines(&long(30 << 10)).unwrap().0.len(), (30 << 10) + 1);
}

proptest! {
    #[test]
    fn lines_are_as_many_as_rows(text in r#"[(),'"\\0-9.eEx NULL\n-]{0,40}"#) {
        if let Some((written, _)) = lines(&text) {
            let rows = plain_rows(text.as_bytes(), rules(), |_, _, _| ());
            prop_assert_eq!(Some(written.matches('\n').count() as u64), rows);
        }
    }
}
