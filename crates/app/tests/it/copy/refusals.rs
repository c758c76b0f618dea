//! What a copy refuses, and that it then changes nothing.

use sandbox::{Flavor, Options, Server, state};

use super::{Pair, comparable, documented};
use crate::import_errors::Ended;
use crate::sameness::dbferry;

#[test]
fn a_target_that_holds_something_stays_as_it_is() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        pair.source.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT); CREATE DATABASE b").unwrap();
        pair.target.sql("CREATE DATABASE a; CREATE VIEW a.v AS SELECT 1 AS one").unwrap();
        let before = state::canonical(&pair.target).unwrap();
        pair.copy("b,a", &[]).check(1, &["a on the target is not empty", "--replace"]);
        assert_eq!(state::canonical(&pair.target).unwrap(), before);
        // An empty one is filled.
        pair.target.sql("DROP VIEW a.v").unwrap();
        pair.copy("b,a", &[]).check(0, &["copied"]);
        assert_eq!(comparable(&pair.target), comparable(&pair.source));
    }
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        let fill = "CREATE DATABASE a; USE a; CREATE TABLE t (i INT PRIMARY KEY); INSERT INTO t VALUES
                    (1),(2); CREATE TABLE m (i INT) ENGINE=MyISAM; CREATE VIEW v AS SELECT 1 AS one";
        pair.source.sql(fill).unwrap();
        let before = state::canonical(&pair.target).unwrap();
        let ended = pair.copy("a:b", &["--dry-run", "--json"]);
        ended.check(0, &["would copy", "2 tables", "1 other objects", "a.m is MyISAM"]);
        assert_eq!(documented(&ended.stdout)["report"]["published"], false);
        pair.target.sql("CREATE DATABASE b; CREATE TABLE b.t (i INT)").unwrap();
        pair.copy("a:b", &["--dry-run"]).check(1, &["b on the target is not empty"]);
        pair.copy("a:b", &["--dry-run", "--replace"]).check(0, &["would copy"]);
        pair.target.sql("DROP DATABASE b").unwrap();
        assert_eq!(state::canonical(&pair.target).unwrap(), before);
    }
}

#[test]
fn what_others_refer_to_is_not_replaced() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        pair.source.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY)").unwrap();
        let child = "CREATE DATABASE b; CREATE TABLE b.c (i INT, CONSTRAINT f FOREIGN KEY (i) \
                     REFERENCES a.t (i))";
        pair.target.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY)").unwrap();
        pair.target.sql(child).unwrap();
        let before = state::canonical(&pair.target).unwrap();
        pair.copy("a", &["--replace"]).check(1, &["b.c refers to what would be replaced"]);
        assert_eq!(state::canonical(&pair.target).unwrap(), before);
    }
}

#[test]
fn rows_as_long_as_a_statement_may_be_go_as_insert() {
    let small = "--max-allowed-packet=1048576".to_owned();
    let args = vec![small, "--local-infile=OFF".to_owned()];
    for flavor in Flavor::ALL {
        let options = Options { args: args.clone(), ..Options::test() };
        let target = Server::start_with(flavor, &options).unwrap();
        let pair = Pair { source: Server::start(flavor).unwrap(), target };
        let fill = "CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY, v LONGTEXT);
                    INSERT INTO a.t VALUES (1, REPEAT('x', 700000)), (2, REPEAT('y', 900000)), \
                    (3, 'z'), (4, REPEAT('x', 1000000));";
        pair.source.sql(fill).unwrap();
        pair.copy("a", &[]).check(0, &["4 rows", "rows go as INSERT"]);
        assert_eq!(comparable(&pair.target), comparable(&pair.source));
        // One that no statement can hold.
        pair.source.sql("INSERT INTO a.t VALUES (5, REPEAT('x', 1100000))").unwrap();
        pair.copy("a", &["--replace"]).check(1, &["too large for max_allowed_packet", "a.t"]);
        assert_eq!(pair.target.sql("SELECT COUNT(*) FROM a.t").unwrap().trim(), "4");
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let pair = Pair::start(Flavor::MariaDb);
    pair.source.sql("CREATE DATABASE a; CREATE DATABASE b").unwrap();
    pair.copy("nosuch", &[]).check(3, &["no database nosuch"]);
    pair.copy("a,a:c", &[]).check(2, &["a is named twice"]);
    pair.copy("a:c,b:c", &[]).check(2, &["c would be written twice"]);
    pair.copy("mysql:copy", &[]).check(2, &["mysql is not for copying"]);
    pair.copy("a:", &[]).check(2, &["NAME:NEW_NAME"]);
    let onto_itself = |databases: &str| -> Ended {
        let url = |server: &Server| server.url(None);
        let mut command = dbferry();
        command.args(["copy", "--from", &url(&pair.source), "--to", &url(&pair.source)]);
        Ended::of(command.args(["--databases", databases, "--no-progress"]).output().unwrap())
    };
    onto_itself("a").check(2, &["the same server"]);
    onto_itself("a:b,b:c").check(2, &["the same server"]);
    onto_itself("a:c").check(0, &["copied"]);
    assert_eq!(pair.leftovers(), [""; 0]);
}

#[test]
fn what_the_target_does_not_take_shows_before_any_row_is_read() {
    let pair = Pair {
        source: Server::start(Flavor::MySql).unwrap(),
        target: Server::start(Flavor::MariaDb).unwrap(),
    };
    pair.source
        .sql("CREATE DATABASE a; CREATE TABLE a.t (v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci)")
        .unwrap();
    let before = state::canonical(&pair.target).unwrap();
    pair.copy("a", &[]).check(1, &["no collation utf8mb4_0900_ai_ci"]);
    assert_eq!(state::canonical(&pair.target).unwrap(), before);
}

#[test]
fn passwords_of_both_servers_are_hidden_and_found() {
    let pair = Pair::start(Flavor::MariaDb);
    pair.source
        .sql("CREATE DATABASE a; CREATE USER r IDENTIFIED BY 'one'; GRANT ALL ON *.* TO r")
        .unwrap();
    pair.target.sql("CREATE USER w IDENTIFIED BY 'two'; GRANT ALL ON *.* TO w").unwrap();
    let at = |server: &Server, login: &str| format!("mysql://{login}@127.0.0.1:{}", server.port());
    let run = |from: &str, to: &str, variables: &[(&str, &str)]| {
        let mut command = dbferry();
        command.args(["copy", "--from", &at(&pair.source, from), "--to", &at(&pair.target, to)]);
        command.args(["--databases", "a", "--replace", "--no-progress"]);
        Ended::of(command.envs(variables.iter().copied()).output().unwrap())
    };
    run("r:one", "w:two", &[]).check(0, &[]);
    run("r:two", "w:two", &[]).check(3, &["log in to", "r@"]);
    let variables = [("DBFERRY_SOURCE_PASSWORD", "one"), ("DBFERRY_PASSWORD", "two")];
    run("r", "w", &variables).check(0, &[]);
    // The target's password is not for the source.
    run("r", "w", &variables[1..]).check(3, &["log in to"]);
}
