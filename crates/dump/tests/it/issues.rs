//! Inputs that the fuzzer or the stock clients found.

use dump::reader::{Item, Limits, Reader};
use dump::rules::{Client, Multibyte, Rules};

use crate::outline;

/// Statements' texts and how many rows are told of each; a tail is written as `None`.
fn statements(file: &[u8], rules: Rules) -> Vec<(String, Option<u64>)> {
    let mut reader = Reader::new(file, rules, Limits::DEFAULT);
    let mut list = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Statement(statement) = item {
            let rows = statement.head.filter(|_| !statement.tail).map(|_| statement.rows);
            list.push((statement.text().escape_ascii().to_string(), rows));
        }
    }
    list
}

#[track_caller]
fn check_split(file: &[u8], rules: Rules) {
    let whole = outline::reference(file, &[rules]);
    for window in 1..40 {
        let limits = Limits { window, whole_max: 1 << 16, piece_max: 1 << 16 };
        let pieces = outline::Pieces::new(file, &[1, 3]);
        let cut = outline::entries(pieces, file, &[rules], limits);
        outline::assert_same(&whole, &cut);
    }
}

#[test]
fn an_indented_command_at_the_end_of_a_window() {
    let file = b"SELECT 1;\n                    DELIMITER ;;\nSELECT 2;;\n";
    check_split(file, Rules::new(Client::MariaDb));
    check_split(file, Rules::new(Client::MySql));
}

#[test]
fn a_comment_after_blanks_at_the_end_of_a_window() {
    check_split(b"SELECT 1;               -- it's\nSELECT 2;\n", Rules::new(Client::MySql));
}

#[test]
fn an_argument_at_the_end_of_a_window() {
    check_split(b"SELECT 1 \\C somecharset ;SELECT 2;\n", Rules::new(Client::MySql));
}

#[test]
fn rows_that_the_server_would_refuse_are_not_counted_as_rows() {
    for file in ["(1),,(2)", "(1)(2)", "(1) x", "(1), /*! (2), */ (3)", "(1)\\\n,(2)"] {
        let file = format!("INSERT INTO t VALUES {file};");
        let found = statements(file.as_bytes(), Rules::new(Client::MariaDb));
        assert_eq!(found[0].1, None, "{file}");
    }
}

#[test]
fn ansi_quotes_have_no_escapes() {
    let rules = Rules { ansi_quotes: true, ..Rules::new(Client::MariaDb) };
    let file = b"INSERT INTO t VALUES (1,\"x\\\"),(2,';');SELECT 1;";
    let found = statements(file, rules);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].1, Some(2));
}

#[test]
fn a_name_may_end_in_a_character_that_looks_like_its_quote() {
    let rules = Rules { multibyte: Multibyte::Gbk, ..Rules::new(Client::MariaDb) };
    let found = statements(b"INSERT INTO `\xb5` VALUES (1);`;SELECT 1;", rules);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].1, None);
}

#[test]
fn the_blank_for_a_comment_does_not_outlive_it() {
    let found = statements(b"/* a */INSERT INTO t VALUES/* b */(1);", Rules::new(Client::MariaDb));
    assert_eq!(found[0].0, "INSERT INTO t VALUES (1)");
}
