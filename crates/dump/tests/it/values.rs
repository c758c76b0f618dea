//! Rows and cells of `INSERT … VALUES`.

use dump::rules::{Client, Multibyte, Rules};
use dump::values::{Cells, Kind, Rows, whole_rows};

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
