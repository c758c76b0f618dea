//! What the stock clients send for a file, byte for byte, against what the reader gives.
//!
//! The client talks to a real server through a tap on its socket; the tap notes every command.

mod cases;
mod tap;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use dump::command::Kind;
use dump::encoding::Decoded;
use dump::reader::{Item, Limits, Reader};
use dump::rules::{Client, Multibyte, Rules};
use sandbox::{Flavor, Server};
use tap::{Sent, Tap};

use cases::Case;

/// A server, and the tap that its clients connect to.
struct Bench {
    client: Client,
    server: Server,
    tap: Tap,
    /// What a client sends before it reads anything.
    greeting: Vec<Sent>,
}

impl Bench {
    fn start(flavor: Flavor) -> Bench {
        let server = Server::start(flavor).unwrap();
        server
            .sql("CREATE DATABASE one; CREATE DATABASE `a b`; CREATE TABLE one.t (a TEXT)")
            .unwrap();
        let tap = Tap::start(server.socket());
        let client = match flavor {
            Flavor::MariaDb => Client::MariaDb,
            Flavor::MySql => Client::MySql,
        };
        let mut bench = Bench { client, server, tap, greeting: Vec::new() };
        bench.greeting = bench.sent(b"", &[]);
        bench
    }

    /// What the client sends for a file, after its greeting.
    fn sent(&self, file: &[u8], arguments: &[&str]) -> Vec<Sent> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.sql");
        fs::write(&path, file).unwrap();
        self.sent_from(&path, arguments)
    }

    fn sent_from(&self, path: &Path, arguments: &[&str]) -> Vec<Sent> {
        let mut command = self.server.client().unwrap();
        command
            .arg(format!("--socket={}", self.tap.socket().display()))
            .arg("--force")
            .arg("--database=one")
            .args(arguments)
            .stdin(fs::File::open(path).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().unwrap();
        let mut sent = self.tap.take();
        assert_eq!(sent.pop(), Some(Sent::Quit), "the client did not finish");
        if sent.starts_with(&self.greeting) {
            sent.drain(..self.greeting.len());
        }
        // A part of `mariadb`'s own USE.
        sent.retain(|sent| *sent != Sent::Query(b"SELECT DATABASE()".to_vec()));
        sent
    }
}

/// What the reader gives for a file, as the client would send it.
fn read(file: &[u8], start: Rules) -> Vec<Sent> {
    let mut reader = Reader::new(Decoded::new(file), start, Limits::DEFAULT);
    let mut list = Vec::new();
    loop {
        let rules = match reader.next_item() {
            Ok(None) => return list,
            Err(error) => {
                list.push(Sent::Stopped(error.to_string()));
                return list;
            }
            Ok(Some(Item::Statement(statement))) => {
                let text = statement.text().into_owned();
                let rules = rules_after(&text, statement.rules);
                list.push(Sent::Query(text));
                rules
            }
            Ok(Some(Item::Part(_))) => panic!("an oversized statement"),
            Ok(Some(Item::Command(command, _))) => {
                match command.kind {
                    Kind::Use => list.push(Sent::InitDb(command.argument)),
                    Kind::Charset => {
                        list.push(Sent::Query([b"SET NAMES ", &*command.argument].concat()))
                    }
                    _ => {}
                }
                continue;
            }
        };
        reader.set_rules(rules);
    }
}

/// The session settings of the cases, as far as they concern reading.
fn rules_after(text: &[u8], rules: Rules) -> Rules {
    let text = text.to_ascii_lowercase();
    let has = |word: &str| memmem(&text, word.as_bytes());
    if !text.starts_with(b"set") || !has("sql_mode") {
        return rules;
    }
    Rules {
        no_backslash_escapes: has("no_backslash_escapes"),
        ansi_quotes: has("ansi_quotes"),
        ..rules
    }
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// What the two may differ in: the reader leaves out comments before a statement and after its
/// delimiter, and statements of nothing else.
fn without_outer_comments(sent: Vec<Sent>, client: Client) -> Vec<Sent> {
    sent.into_iter()
        .filter_map(|sent| match sent {
            Sent::Query(text) => {
                let text = after_comments(&text, client).to_vec();
                (!text.is_empty()).then_some(Sent::Query(text))
            }
            other => Some(other),
        })
        .collect()
}

fn after_comments(mut text: &[u8], client: Client) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        let end = match text {
            [b'#', ..] | [b'-', b'-'] => text.iter().position(|b| *b == b'\n'),
            [b'-', b'-', b, ..] if b.is_ascii_whitespace() => text.iter().position(|b| *b == b'\n'),
            [b'/', b'*', b'!' | b'+', ..] => return text,
            [b'/', b'*', b'M', b'!', ..] if client == Client::MariaDb => return text,
            [b'/', b'*', ..] => {
                text[2..].windows(2).position(|pair| pair == b"*/").map(|at| at + 4)
            }
            _ => return text,
        };
        text = &text[end.unwrap_or(text.len())..];
    }
}

/// A comment on the line of the delimiter belongs to the client's text, not to the reader's.
fn cut_trailing_comment(sent: &mut Sent, read: Option<&Sent>, client: Client) {
    if let (Sent::Query(text), Some(Sent::Query(wanted))) = (sent, read)
        && let Some(rest) = text.strip_prefix(&wanted[..])
        && !rest.contains(&b'\n')
        && after_comments(rest, client).is_empty()
    {
        text.truncate(wanted.len());
    }
}

/// How the two differ, if they do.
fn difference(bench: &Bench, case: &Case) -> Option<String> {
    let mut start = Rules::new(bench.client);
    let mut arguments = vec![format!("--default-character-set={}", case.charset)];
    start.multibyte = Multibyte::of_charset(case.charset.as_bytes());
    if case.binary_mode {
        start.binary_mode = true;
        arguments.push("--binary-mode".into());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let sent = bench.sent(case.file, &arguments);
    let read = read(case.file, start);
    let (sent, read) = first_difference(sent, read, bench.client)?;
    Some(format!("{}\n  client {sent:?}\n  reader {read:?}\n", case.file.escape_ascii()))
}

/// Both from the first place on where they differ in what they may not.
fn first_difference(
    sent: Vec<Sent>,
    read: Vec<Sent>,
    client: Client,
) -> Option<(Vec<Sent>, Vec<Sent>)> {
    let mut sent = without_outer_comments(sent, client);
    for (index, sent) in sent.iter_mut().enumerate() {
        cut_trailing_comment(sent, read.get(index), client);
    }
    let same = sent.iter().zip(&read).take_while(|(sent, read)| sent == read).count();
    (sent != read).then(|| (sent.split_off(same), read[same..].to_vec()))
}

fn check_all(flavor: Flavor) {
    let bench = Bench::start(flavor);
    let own = match flavor {
        Flavor::MariaDb => cases::mariadb(),
        Flavor::MySql => cases::mysql(),
    };
    let all = cases::both().into_iter().chain(own);
    let different: String = all.filter_map(|case| difference(&bench, &case)).collect();
    assert!(different.is_empty(), "not as {} reads:\n{different}", flavor.name());
}

#[test]
fn reads_as_mariadb_does() {
    check_all(Flavor::MariaDb);
}

#[test]
fn reads_as_mysql_does() {
    check_all(Flavor::MySql);
}

/// Where the reader deliberately does otherwise: what the client sends, what the reader gives.
#[test]
fn differs_from_the_clients_only_on_purpose() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let rules = Rules::new(bench.client);
        for case in cases::differences().iter().filter(|case| case.of == bench.client) {
            let queries = |texts: &[&[u8]]| -> Vec<Sent> {
                texts.iter().map(|text| Sent::Query(text.to_vec())).collect()
            };
            let name = format!("{:?} {}", bench.client, case.file.escape_ascii());
            assert_eq!(bench.sent(case.file, &[]), queries(case.client), "{name}");
            assert_eq!(read(case.file, rules), queries(case.reader), "{name}");
        }
    }
}

/// Real dumps: `DBFERRY_CORPUS=folder cargo test -p app --test it -- --ignored reads_a_corpus`.
#[test]
#[ignore = "needs a folder of unpacked dumps in DBFERRY_CORPUS"]
fn reads_a_corpus_as_mariadb_does() {
    check_corpus(Flavor::MariaDb);
}

/// As above.
#[test]
#[ignore = "needs a folder of unpacked dumps in DBFERRY_CORPUS"]
fn reads_a_corpus_as_mysql_does() {
    check_corpus(Flavor::MySql);
}

fn check_corpus(flavor: Flavor) {
    let folder = std::env::var_os("DBFERRY_CORPUS").expect("DBFERRY_CORPUS names the folder");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    let bench = Bench::start(flavor);
    let mut different = String::new();
    for path in &paths {
        let mut sent = bench.sent_from(path, &["--default-character-set=utf8mb4"]);
        let mut read = read(&fs::read(path).unwrap(), Rules::new(bench.client));
        if let Some(Sent::Stopped(_)) = read.last() {
            // Only --force makes the client go on.
            read.pop();
            sent = without_outer_comments(sent, bench.client);
            sent.truncate(read.len());
        }
        if let Some((sent, read)) = first_difference(sent, read, bench.client) {
            let (sent, read) = (sent.first(), read.first());
            different += &format!("{}\n  client {sent:?}\n  reader {read:?}\n", path.display());
        }
    }
    assert!(different.is_empty(), "not as {} reads:\n{different}", flavor.name());
}
