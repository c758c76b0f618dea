//! Where an import ends while indexes wait: after a stop, a build that fails, a server that is gone.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};

use sandbox::Flavor;
use serde_json::Value;

use super::{rows, two};
use crate::import_errors::Bench;
use crate::interrupt::{end, interrupt, start, wait_until};

/// An import of `two()`, halted in the rows of `t` with its keys taken out.
struct Halted {
    child: Child,
    stdin: ChildStdin,
    rest: String,
}

const KEYS: &str = "SELECT GROUP_CONCAT(DISTINCT CONCAT(table_name, '.', index_name) ORDER BY 1) FROM \
                    information_schema.STATISTICS WHERE table_schema = 'imp' AND index_name <> 'PRIMARY'";

fn halted(bench: &Bench, before: &str) -> Halted {
    let text = format!("{before}{}", two());
    let at = text.find("CREATE TABLE u").unwrap();
    let (first, rest) = text.split_at(at);
    let mut command = bench.command("-".as_ref());
    command.args(["--threads", "2", "--batch-bytes", "600", "--json"]);
    let mut child = start(&mut command, Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    // The first bytes are looked at together, to tell archives and encodings apart.
    stdin.write_all(format!("/* {} */ ", "-".repeat(100_000)).as_bytes()).unwrap();
    stdin.write_all(first.as_bytes()).unwrap();
    stdin.write_all(rows("t", 500).as_bytes()).unwrap();
    let count = "SELECT COUNT(*) FROM imp.t";
    wait_until(|| {
        let count = bench.server.sql(count).unwrap_or_default();
        count.trim_end().parse::<u64>().unwrap_or(0) > 60
    });
    assert_eq!(bench.sql(KEYS), "NULL");
    Halted { child, stdin, rest: rest.to_owned() }
}

/// Somebody who reads the table `t` in a transaction, so that no build gets its lock on it.
struct Reader {
    client: Child,
    questions: ChildStdin,
}

impl Reader {
    fn of_t(bench: &Bench) -> Reader {
        let mut client = bench.server.client().unwrap();
        client.args(["--unbuffered", "--batch", "--skip-column-names"]);
        let mut client = start(&mut client, Stdio::piped());
        let mut questions = client.stdin.take().unwrap();
        questions.write_all(b"BEGIN;\nSELECT COUNT(*) > 0 FROM imp.t;\n").unwrap();
        questions.flush().unwrap();
        let mut answer = String::new();
        BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "1\n");
        Reader { client, questions }
    }

    fn leave(mut self) {
        drop(self.questions);
        self.client.wait().unwrap();
    }
}

#[test]
fn a_stop_brings_the_indexes_back() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let Halted { child, stdin, .. } = halted(&bench, "");
        interrupt(&child);
        let ended = end(child);
        drop(stdin);
        ended.check(130, &["import interrupted"]);
        assert_eq!(bench.sql(KEYS), "t.ka,t.kc");
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        let waited = &document["report"]["tables"]["imp.t"]["deferred_indexes"];
        assert_eq!(*waited, serde_json::json!(["ka", "kc"]));
    }
}

#[test]
fn a_build_that_fails_names_table_and_keys() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let Halted { child, mut stdin, rest } = halted(&bench, "SET lock_wait_timeout = 1;\n");
        let reader = Reader::of_t(&bench);
        stdin.write_all(rest.as_bytes()).unwrap();
        drop(stdin);
        let ended = end(child);
        ended.check(1, &["build the indexes ka, kc", "table imp.t", "are missing"]);
        reader.leave();
        assert_eq!(bench.sql(KEYS), "u.ub");
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(document["error"]["kind"], "LockWait");
        assert_eq!(document["error"]["table"], "t");
        assert_eq!(document["report"]["rows"], 240 - 60);
        let note = document["report"]["notes"][0]["text"].as_str().unwrap();
        let remedy = note.split_once("add them with: ").unwrap().1;
        bench.sql(remedy);
        assert_eq!(bench.sql(KEYS), "t.ka,t.kc,u.ub");
    }
}

#[test]
fn a_table_that_somebody_holds_does_not_keep_the_others_from_their_indexes() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let Halted { mut child, mut stdin, rest } = halted(&bench, "");
        let reader = Reader::of_t(&bench);
        stdin.write_all(rest.as_bytes()).unwrap();
        drop(stdin);
        wait_until(|| bench.sql(KEYS) == "u.ub");
        assert!(child.try_wait().unwrap().is_none());
        reader.leave();
        end(child).check(0, &[]);
        assert_eq!(bench.sql(KEYS), "t.ka,t.kc,u.ub");
    }
}

#[test]
fn a_server_that_is_gone_leaves_the_statement_that_adds_them() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let Halted { child, mut stdin, rest } = halted(&bench, "");
        bench.server.kill().unwrap();
        // The import may end before it has read all.
        let _ = stdin.write_all(rest.as_bytes());
        drop(stdin);
        let ended = end(child);
        ended.check(
            3,
            &["its indexes ka, kc are missing", "ADD KEY `ka` (`a`), ADD KEY `kc` (`c`)"],
        );
        bench.server.restart().unwrap();
        assert_eq!(bench.sql(KEYS), "NULL");
    }
}
