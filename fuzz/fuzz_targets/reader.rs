//! Any bytes, under any rules, cut in any way: no panic, no endless loop, and the same items as in
//! one big window.
#![no_main]

use arbitrary::Arbitrary;
use dump::reader::Limits;
use dump::rules::{Client, Multibyte, Rules};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/dump/tests/it/outline.rs"]
mod outline;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    rules: [u8; 2],
    window: u8,
    whole_max: u8,
    piece_max: u16,
    sizes: [u8; 4],
    file: &'a [u8],
}

fn rules(seed: u8) -> Rules {
    let multibyte = [
        Multibyte::None,
        Multibyte::None,
        Multibyte::None,
        Multibyte::Gbk,
        Multibyte::Big5,
        Multibyte::Gb18030,
        Multibyte::Sjis,
        Multibyte::None,
    ];
    Rules {
        client: if seed & 1 == 0 { Client::MariaDb } else { Client::MySql },
        no_backslash_escapes: seed & 2 != 0,
        ansi_quotes: seed & 4 != 0,
        multibyte: multibyte[usize::from(seed >> 5)],
        binary_mode: seed & 8 != 0,
    }
}

fuzz_target!(|input: Input<'_>| {
    // One client for the whole file, as in life.
    let client = input.rules[0] & 1;
    let rules = input.rules.map(|seed| rules((seed & !1) | client));
    let limits = Limits {
        window: usize::from(input.window).max(1),
        whole_max: usize::from(input.whole_max),
        piece_max: usize::from(input.piece_max).max(64),
    };
    let whole = outline::reference(input.file, &rules);
    let pieces = outline::Pieces::new(input.file, &input.sizes);
    let cut = outline::entries(pieces, input.file, &rules, limits);
    outline::assert_same(&whole, &cut);
});
