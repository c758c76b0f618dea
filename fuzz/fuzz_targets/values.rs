//! Any text as rows and cells: no panic, and what is found covers the text in order.
#![no_main]

use dump::insert;
use dump::rules::{Client, Multibyte, Rules};
use dump::statement;
use dump::token::{Target, Tokens};
use dump::values::lines::LineWriter;
use dump::values::{self, Cells, Rows};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (seed, text) = input;
    let client = if seed & 1 == 0 { Client::MariaDb } else { Client::MySql };
    let mut rules = Rules::new(client);
    rules.no_backslash_escapes = seed & 2 != 0;
    rules.ansi_quotes = seed & 4 != 0;
    rules.multibyte = if seed & 8 != 0 { Multibyte::Gbk } else { Multibyte::None };

    let mut end = 0;
    let mut count = 0;
    for row in Rows::new(text, rules) {
        assert!(end <= row.start && row.start < row.end && row.end <= text.len());
        assert!(text[end..row.start].iter().all(|b| b.is_ascii_whitespace() || *b == b','));
        let cells = &text[row.start..row.end];
        assert!(cells.len() >= 2 && cells[0] == b'(' && cells[cells.len() - 1] == b')');
        let mut last = 1;
        for cell in Cells::new(cells, rules) {
            assert!(last <= cell.start && cell.start <= cell.end && cell.end < cells.len());
            last = cell.end;
        }
        end = row.end;
        count += 1;
    }
    let found = values::whole_rows(text, rules);
    assert_eq!(found.rows, count);
    if count > 0 {
        assert_eq!(found.end, end);
    }

    if let Some(lines) = LineWriter::new().lines(text, rules) {
        let ends = lines.text.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(values::plain_rows(text, rules, |_, _, _| ()), Some(ends as u64));
    }

    let _ = insert::head(text, rules.ansi_quotes);
    let target = Target { server: client, version: 101_119 };
    let mut last = 0;
    for token in Tokens::new(text, rules, target) {
        assert!(last <= token.span.start && token.span.start < token.span.end);
        assert!(token.span.end <= text.len());
        last = token.span.end;
    }
    let class = statement::classify(text, rules, target);
    for span in [class.definer, class.definer_clause].into_iter().flatten() {
        assert!(span.start < span.end && span.end <= text.len());
    }
});
