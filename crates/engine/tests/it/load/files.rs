//! Random files through the whole import, with and without LOAD DATA: tables of several columns,
//! column lists in any order, missing, generated and invisible columns, AUTO_INCREMENT, and now and
//! then a row that fails.

use std::fmt::Write;

use dump::source::Source;
use engine::endpoint::Endpoint;
use engine::import::guard::{Definer, Guard, Policy};
use engine::import::report::Report;
use engine::import::{self, Options, Surroundings, WHOLE_MAX};
use engine::run::progress::Progress;
use engine::run::stop::Stop;
use sandbox::{Flavor, Server};

use super::literals::literals;

/// Files in an ordinary test run, for each server.
const FILES: u64 = 40;

#[tokio::test]
async fn random_files_are_loaded_into_mariadb_as_they_are_inserted() {
    check_files(Flavor::MariaDb).await;
}

#[tokio::test]
async fn random_files_are_loaded_into_mysql_as_they_are_inserted() {
    check_files(Flavor::MySql).await;
}

#[tokio::test]
async fn a_server_without_local_infile_gets_insert_text() {
    for flavor in Flavor::ALL {
        let args = vec!["--local-infile=OFF".to_owned()];
        let options = sandbox::Options { args, ..sandbox::Options::test() };
        let server = Server::start_with(flavor, &options).unwrap();
        let imported = imported(&server, &random_file(1), true).await;
        let reason = "the server has local_infile off: INSERT text is sent";
        assert_eq!(imported.report.load_data_off, Some(reason));
        assert!(imported.report.tables.values().all(|table| table.loaded_batches == 0));
        assert!(imported.report.tables.values().any(|table| table.insert_batches > 0));
    }
}

async fn check_files(flavor: Flavor) {
    let asked = std::env::var("DBFERRY_RANDOM_FILES").ok();
    let files = asked.map_or(FILES, |count| count.parse().unwrap());
    let server = super::start(flavor);
    let (mut differences, mut loaded, mut batches) = (String::new(), 0, 0);
    for seed in 1..=files {
        let file = random_file(seed);
        let expected = imported(&server, &file, false).await;
        let found = imported(&server, &file, true).await;
        for table in found.report.tables.values() {
            loaded += table.loaded_batches;
            batches += table.parallel_batches;
        }
        if (&expected.error, &expected.state) != (&found.error, &found.state) {
            writeln!(differences, "seed {seed}: {:?} {:?}", expected.error, found.error).unwrap();
            for (one, other) in expected.state.lines().zip(found.state.lines()) {
                if one != other {
                    writeln!(differences, "  insert: {one}\n  load:   {other}").unwrap();
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(loaded * 3 > batches && loaded > files, "only {loaded} of {batches} loaded");
}

struct Imported {
    report: Report,
    error: Option<u32>,
    state: String,
}

async fn imported(server: &Server, file: &[u8], load_data: bool) -> Imported {
    server.sql("DROP DATABASE IF EXISTS f; CREATE DATABASE f CHARACTER SET utf8mb4").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.sql");
    std::fs::write(&path, file).unwrap();
    let options = Options {
        lanes: if load_data { 2 } else { 0 },
        batch_bytes: 300,
        whole_bytes: WHOLE_MAX,
        guard: Guard { policy: Policy::Allow, allow_files: false, definer: Definer::Keep },
        load_data,
        defer_indexes: load_data,
        binary_mode: false,
        resume: engine::import::resume::Resume::Never,
        job: None,
    };
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let endpoint = Endpoint::parse(&server.url(Some("f"))).unwrap();
    let input = Source::open(&path).unwrap();
    let outcome = import::run(input, &endpoint, &options, &surroundings).await;
    let (report, error) = match outcome {
        Ok(report) => (report, None),
        Err(failure) => {
            let code = failure.error.code();
            assert!(code.is_some() && code != Some(1064), "{}", failure.error);
            (*failure.report, code)
        }
    };
    let output = server
        .dump_command()
        .unwrap()
        .args(["--hex-blob", "--skip-extended-insert", "--complete-insert", "--skip-comments"])
        .args(["--order-by-primary", "f"])
        .args((server.flavor() == Flavor::MySql).then_some("--set-gtid-purged=OFF"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Imported { report, error, state: String::from_utf8_lossy(&output.stdout).into_owned() }
}

/// A small generator of our own, so that a seed means the same file for ever (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// A column: its type, values that suit it, and what an INSERT may give it.
#[derive(Clone)]
struct Column {
    name: String,
    ddl: &'static str,
    values: &'static [&'static str],
    invisible: bool,
    generated: bool,
}

const COLUMNS: [(&str, &[&str]); 16] = [
    ("INT", &["0", "-7", "2147483647", "NULL", "'12'", "TRUE"]),
    ("BIGINT UNSIGNED NOT NULL DEFAULT 5", &["0", "18446744073709551615", "'3'"]),
    ("DECIMAL(12,3) DEFAULT 1.5", &["1.5", "-3.125", "0", "'2.5'", "NULL", "1.0005"]),
    ("DOUBLE", &["1e10", "0.1", "-2.5e-300", "NULL", "3"]),
    (
        "VARCHAR(40) CHARACTER SET utf8mb4",
        &["'a'", "''", "'it''s'", "'\u{e9}\u{1F600}'", "NULL", "12"],
    ),
    ("VARCHAR(40) CHARACTER SET latin1 DEFAULT 'd''x'", &["'a'", "'\u{e9}'", "'tab\\t'", "'\\\\'"]),
    (
        "TEXT CHARACTER SET utf8mb4",
        &["'line\\nline'", "'\\0\\Z'", "'a%b\\_'", "NULL", "'N'", "'\\\\N'"],
    ),
    ("VARBINARY(40) NOT NULL DEFAULT ''", &["0x00FF0A5C09", "_binary '\\0\\n'", "x''", "'text'"]),
    ("BLOB", &["0xDEADBEEF", "NULL", "_binary 'a\\\\b'", "''"]),
    ("BIT(9)", &["b'101'", "0x01FF", "5", "NULL", "_binary '\\0'"]),
    ("DATE", &["'2024-02-29'", "NULL", "'1999-1-2'"]),
    ("DATETIME(3) DEFAULT '2001-02-03 04:05:06'", &["'2024-02-29 12:00:00.5'", "NULL"]),
    ("TIMESTAMP NULL", &["'2024-02-29 12:00:00'", "NULL"]),
    ("ENUM('x','y') DEFAULT 'y'", &["'x'", "'y'", "NULL"]),
    ("SET('a','b')", &["'a,b'", "''", "NULL"]),
    ("JSON", &["'{\\\"a\\\": [1, 2.50]}'", "NULL", "'\\\"\u{e9}\\\"'"]),
];

/// Text columns only: all goes as bytes under UTF-8.
const UTF8_COLUMNS: [usize; 9] = [0, 2, 3, 4, 6, 7, 8, 9, 11];

fn columns(random: &mut Random) -> Vec<Column> {
    let is_utf8 = random.one_in(2);
    let mut columns: Vec<Column> = (0..2 + random.below(6))
        .map(|number| {
            let index = match is_utf8 {
                true => UTF8_COLUMNS[random.below(UTF8_COLUMNS.len())],
                false => random.below(COLUMNS.len()),
            };
            let (ddl, values) = COLUMNS[index];
            let name = random.pick(&["c", "a b", "order", "quo`te", "\u{e9}t\u{e9}"]);
            let invisible = random.one_in(8);
            Column { name: format!("{name}{number}"), ddl, values, invisible, generated: false }
        })
        .collect();
    if random.one_in(3) {
        let ddl = random.pick(&["INT AS (id * 2) STORED", "INT AS (id + 1) VIRTUAL"]);
        let (name, values): (_, &'static [_]) = ("gen".to_owned(), &["DEFAULT"]);
        columns.push(Column { name, ddl, values, invisible: false, generated: true });
    }
    columns
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn random_file(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut text = b"SET NAMES utf8mb4;\n".to_vec();
    let columns = columns(&mut random);
    // A generated column or a check may not look at an AUTO_INCREMENT.
    let is_plain = columns.iter().all(|column| !column.generated);
    let (auto, checked) = match random.below(5) {
        0 | 1 if is_plain => ("AUTO_INCREMENT", ""),
        2 => ("", ", CHECK (id <> 77)"),
        _ => ("", ""),
    };
    let mut create = format!("CREATE TABLE `t\u{e9}` (id INT NOT NULL {auto} PRIMARY KEY");
    for column in &columns {
        let invisible = if column.invisible { " INVISIBLE" } else { "" };
        write!(create, ", {} {}{invisible}", quoted(&column.name), column.ddl).unwrap();
    }
    writeln!(create, "{checked}) ENGINE=InnoDB;").unwrap();
    text.extend_from_slice(create.as_bytes());
    let charset = random.pick(&["utf8mb4", "utf8mb4", "utf8mb4", "utf8mb3", "latin1", "binary"]);
    let mode = random.pick(&[
        "STRICT_TRANS_TABLES",
        "",
        "NO_AUTO_VALUE_ON_ZERO",
        "STRICT_ALL_TABLES,ANSI_QUOTES",
        "NO_ZERO_DATE,NO_ZERO_IN_DATE,STRICT_TRANS_TABLES",
        "ALLOW_INVALID_DATES,PAD_CHAR_TO_FULL_LENGTH",
    ]);
    let zone = random.pick(&["+00:00", "-03:30"]);
    // Names are UTF-8: only sessions that speak it can name them.
    let charset = if columns.iter().any(|c| !c.name.is_ascii()) { "utf8mb4" } else { charset };
    let name = if charset.starts_with("utf8") { "`t\u{e9}`" } else { "t" };
    if name == "t" {
        text.extend_from_slice("RENAME TABLE `t\u{e9}` TO t;\n".as_bytes());
    }
    let setting = format!("SET NAMES {charset}, sql_mode = '{mode}', time_zone = '{zone}';\n");
    text.extend_from_slice(setting.as_bytes());
    inserts(&mut random, &mut text, name, &columns, mode.contains("ON_ZERO"));
    text
}

/// Runs of INSERTs, each with its own column list.
fn inserts(
    random: &mut Random,
    text: &mut Vec<u8>,
    name: &str,
    columns: &[Column],
    zero_is_a_value: bool,
) {
    let wild = literals();
    let mut id = usize::from(!zero_is_a_value);
    for _ in 0..3 {
        let (list, given) = list(random, columns);
        let is_wild = random.one_in(4);
        for _ in 0..6 + random.below(6) {
            text.extend_from_slice(format!("INSERT INTO {name} {list}VALUES ").as_bytes());
            for row in 0..1 + random.below(6) {
                text.extend_from_slice(if row > 0 { b",\n (" } else { b"(" });
                for (place, column) in given.iter().enumerate() {
                    text.extend_from_slice(if place > 0 { b", " } else { b"" });
                    match column {
                        None => text.extend_from_slice(id.to_string().as_bytes()),
                        Some(column) if is_wild && !column.generated && random.one_in(30) => {
                            text.extend_from_slice(&wild[random.below(wild.len())]);
                        }
                        Some(column) => {
                            text.extend_from_slice(random.pick(column.values).as_bytes());
                        }
                    }
                }
                text.push(b')');
                id += if random.one_in(9) { 20 } else { 1 };
            }
            text.extend_from_slice(b";\n");
        }
        if random.one_in(9) {
            text.extend_from_slice(
                format!("INSERT INTO {name} (id) VALUES (1),(99999);\n").as_bytes(),
            );
        }
    }
}

/// A column list and what it names; the id is `None`.
fn list<'a>(random: &mut Random, columns: &'a [Column]) -> (String, Vec<Option<&'a Column>>) {
    if random.one_in(3) {
        let visible = columns.iter().filter(|column| !column.invisible).map(Some);
        return (String::new(), std::iter::once(None).chain(visible).collect());
    }
    let mut given: Vec<Option<&Column>> = columns.iter().map(Some).collect();
    given.retain(|_| !random.one_in(5));
    let place = random.below(given.len() + 1);
    given.insert(place, None);
    if random.one_in(2) {
        given.reverse();
    }
    let names: Vec<String> = given
        .iter()
        .map(|column| column.map_or("ID".into(), |column| quoted(&column.name)))
        .collect();
    (format!("({}) ", names.join(", ")), given)
}
