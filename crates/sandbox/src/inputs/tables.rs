//! The tables of generated dumps: columns, keys, and rows made of a small random generator.
//!
//! Every row is a pure function of its table's name and its number in it.

use std::io::Write;

/// Words of several scripts, with what has to be escaped in a string.
const WORDS: [&str; 32] = [
    "order",
    "shipping",
    "Straße",
    "naïve",
    "über",
    "café",
    "quoted \\'word\\'",
    "\\\"said\\\"",
    "line\\nbreak",
    "back\\\\slash",
    "Привет",
    "мир",
    "日本語",
    "東京",
    "한국어",
    "العربية",
    "ελληνικά",
    "😀",
    "🚢",
    "price",
    "customer",
    "the",
    "of",
    "and",
    "delivered",
    "again",
    "100%",
    "a_b",
    "O\\'Neill",
    "tab\\there",
    "résumé",
    "zażółć",
];

/// Writes the cells of a row: its number, the generator, what stands between cells.
type Row = fn(u64, &mut Random, &str, &mut Vec<u8>);

/// A table to be dumped. Its first column is the key and counts from 1.
pub(super) struct Table {
    pub(super) name: String,
    /// Names and types, as MariaDB shows them.
    pub(super) columns: Vec<(String, String)>,
    /// As they stand in CREATE TABLE.
    pub(super) keys: Vec<&'static str>,
    pub(super) rows: u64,
    pub(super) row: Row,
}

/// SplitMix64: small, and the same everywhere.
pub(super) struct Random(u64);

impl Random {
    /// A generator of its own for each name.
    pub(super) fn new(name: &str) -> Self {
        // FNV-1a.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn columns(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

impl Table {
    pub(super) fn wide_text(rows: u64) -> Self {
        let mut all = columns(&[("id", "int(11) NOT NULL"), ("created_at", "datetime NOT NULL")]);
        for number in 1..=20 {
            all.push((format!("short_{number}"), "varchar(255) DEFAULT NULL".into()));
        }
        for number in 1..=8 {
            all.push((format!("long_{number}"), "text DEFAULT NULL".into()));
        }
        let keys = vec!["PRIMARY KEY (`id`)"];
        Self { name: "article".into(), columns: all, keys, rows, row: wide_text }
    }

    pub(super) fn hex_blobs(rows: u64) -> Self {
        Self { row: hex_blob, ..Self::blobs("thumbnail", rows) }
    }

    pub(super) fn binary_strings(rows: u64) -> Self {
        Self { row: binary_string, ..Self::blobs("attachment", rows) }
    }

    fn blobs(name: &str, rows: u64) -> Self {
        let columns = columns(&[
            ("id", "int(11) NOT NULL"),
            ("name", "varchar(100) NOT NULL"),
            ("content", "longblob NOT NULL"),
        ]);
        let keys = vec!["PRIMARY KEY (`id`)"];
        Self { name: name.into(), columns, keys, rows, row: hex_blob }
    }

    pub(super) fn small(number: u64) -> Self {
        let columns = columns(&[
            ("id", "int(11) NOT NULL"),
            ("name", "varchar(64) NOT NULL"),
            ("value", "varchar(255) DEFAULT NULL"),
            ("updated_at", "datetime NOT NULL"),
        ]);
        let keys = vec!["PRIMARY KEY (`id`)", "KEY `name` (`name`)"];
        Self { name: format!("setting_{number:04}"), columns, keys, rows: 10, row: setting }
    }

    pub(super) fn indexed(rows: u64) -> Self {
        let columns = columns(&[
            ("id", "bigint(20) NOT NULL"),
            ("customer_id", "int(11) NOT NULL"),
            ("created_at", "datetime NOT NULL"),
            ("email", "varchar(100) NOT NULL"),
            ("status", "varchar(20) NOT NULL"),
            ("amount", "decimal(10,2) NOT NULL"),
            ("reference", "char(16) NOT NULL"),
        ]);
        let keys = vec![
            "PRIMARY KEY (`id`)",
            "KEY `customer` (`customer_id`)",
            "KEY `created` (`created_at`)",
            "KEY `email` (`email`)",
            "KEY `status_amount` (`status`,`amount`)",
            "KEY `reference` (`reference`)",
        ];
        Self { name: "event".into(), columns, keys, rows, row: event }
    }

    pub(super) fn customers(rows: u64) -> Self {
        let columns = columns(&[
            ("id", "int(11) NOT NULL"),
            ("email", "varchar(100) NOT NULL"),
            ("name", "varchar(255) NOT NULL"),
            ("notes", "text DEFAULT NULL"),
        ]);
        let keys = vec!["PRIMARY KEY (`id`)", "UNIQUE KEY `email` (`email`)"];
        Self { name: "customers".into(), columns, keys, rows, row: customer }
    }

    pub(super) fn orders(rows: u64) -> Self {
        let keys = vec![
            "PRIMARY KEY (`id`)",
            "KEY `customer` (`customer_id`)",
            "KEY `created` (`created_at`)",
        ];
        Self { name: "orders".into(), keys, ..Self::indexed(rows) }
    }
}

/// Writes one row, cell by cell.
struct Cells<'a> {
    out: &'a mut Vec<u8>,
    between: &'a str,
    is_first: bool,
}

impl<'a> Cells<'a> {
    fn new(out: &'a mut Vec<u8>, between: &'a str) -> Self {
        Self { out, between, is_first: true }
    }

    /// A cell of text as it is to stand there.
    fn push(&mut self, text: std::fmt::Arguments<'_>) -> &mut Self {
        let out = self.cell();
        out.write_fmt(text).expect("a Vec takes everything");
        self
    }

    /// A string of so many words.
    fn words(&mut self, random: &mut Random, count: u64) -> &mut Self {
        let out = self.cell();
        out.push(b'\'');
        for at in 0..count {
            if at > 0 {
                out.push(b' ');
            }
            let word = WORDS[random.below(WORDS.len() as u64) as usize];
            out.extend_from_slice(word.as_bytes());
        }
        out.push(b'\'');
        self
    }

    /// A moment of the years 2015 to 2024.
    fn datetime(&mut self, random: &mut Random) -> &mut Self {
        let (year, month, day) =
            (2015 + random.below(10), 1 + random.below(12), 1 + random.below(28));
        let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
        self.push(format_args!("'{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}'"))
    }

    fn cell(&mut self) -> &mut Vec<u8> {
        if !self.is_first {
            self.out.extend_from_slice(self.between.as_bytes());
        }
        self.is_first = false;
        self.out
    }
}

fn wide_text(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    let mut cells = Cells::new(out, between);
    cells.push(format_args!("{id}")).datetime(random);
    for _ in 0..20 {
        match random.below(8) {
            0 => cells.push(format_args!("NULL")),
            words => cells.words(random, words),
        };
    }
    for _ in 0..8 {
        match random.below(60) {
            0 => cells.push(format_args!("NULL")),
            words => cells.words(random, words),
        };
    }
}

fn hex_blob(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut cells = Cells::new(out, between);
    cells.push(format_args!("{id}")).push(format_args!("'image-{id}.jpg'"));
    let out = cells.cell();
    out.extend_from_slice(b"0x");
    for _ in 0..blob_words(random) {
        for byte in random.next().to_le_bytes() {
            out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

fn binary_string(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    let mut cells = Cells::new(out, between);
    cells.push(format_args!("{id}")).push(format_args!("'file-{id}.bin'"));
    let out = cells.cell();
    out.extend_from_slice(b"_binary '");
    for _ in 0..blob_words(random) {
        for byte in random.next().to_le_bytes() {
            // As mysql_real_escape_string does.
            match byte {
                0 => out.extend_from_slice(b"\\0"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                26 => out.extend_from_slice(b"\\Z"),
                b'\'' | b'"' | b'\\' => out.extend([b'\\', byte]),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'\'');
}

/// Words of eight bytes in a blob: 1 to 25 KB.
fn blob_words(random: &mut Random) -> u64 {
    128 + random.below(3_000)
}

fn setting(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    let mut cells = Cells::new(out, between);
    cells.push(format_args!("{id}")).push(format_args!("'setting.{id}'"));
    cells.words(random, 8).datetime(random);
}

fn event(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    const STATUS: [&str; 5] = ["open", "paid", "shipped", "returned", "cancelled"];
    let mut cells = Cells::new(out, between);
    let customer = 1 + random.below(60_000);
    cells.push(format_args!("{id}")).push(format_args!("{customer}")).datetime(random);
    cells.push(format_args!("'{:x}@{}.example'", random.next() >> 24, random.below(500)));
    cells.push(format_args!("'{}'", STATUS[random.below(5) as usize]));
    cells.push(format_args!("{}.{:02}", random.below(10_000), random.below(100)));
    cells.push(format_args!("'{:016X}'", random.next()));
}

fn customer(id: u64, random: &mut Random, between: &str, out: &mut Vec<u8>) {
    let mut cells = Cells::new(out, between);
    cells.push(format_args!("{id}")).push(format_args!("'customer-{id}@shop.example'"));
    cells.words(random, 3).words(random, 20);
}
