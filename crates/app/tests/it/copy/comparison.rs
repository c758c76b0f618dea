//! Differences are found, wherever they are.

use sandbox::Flavor;

use super::{Pair, documented};

/// A change on the target that has to be seen, the table that it is in, and the key of the row.
const CHANGES: [(&str, &str, &str); 9] = [
    ("UPDATE t SET f = f + 1e-7 WHERE id = 77", "a.t", "id=77"),
    ("UPDATE t SET v = 'X1' WHERE id = 500", "a.t", "id=500"),
    ("UPDATE t SET v = CONCAT(v, ' ') WHERE id = 999", "a.t", "id=999"),
    ("UPDATE t SET v = NULL WHERE id = 3", "a.t", "id=3"),
    ("UPDATE t SET v = '' WHERE id = 4", "a.t", "id=4"),
    ("DELETE FROM t WHERE id = 1000", "a.t", "id=1000"),
    ("INSERT INTO t VALUES (-5, 0, '')", "a.t", "id=1"),
    // The same values, in other rows.
    ("UPDATE t SET v = IF(id = 10, 'x11', 'x10') WHERE id IN (10, 11)", "a.t", "id=10"),
    ("INSERT INTO no_key VALUES (1)", "a.no_key", ""),
];

#[test]
fn differences_are_found_on_mariadb() {
    check_differences(Flavor::MariaDb);
}

#[test]
fn differences_are_found_on_mysql() {
    check_differences(Flavor::MySql);
}

fn check_differences(flavor: Flavor) {
    let pair = Pair::start(flavor);
    let rows: Vec<String> =
        (1..=1000).map(|id| format!("({id},{},'x{id}')", f64::from(id) / 7.0)).collect();
    let text = format!(
        "CREATE DATABASE a; USE a; CREATE TABLE t (id INT PRIMARY KEY, f DOUBLE, v VARCHAR(20));
         CREATE TABLE no_key (i INT); INSERT INTO no_key VALUES (1),(2);
         INSERT INTO t VALUES {}; ANALYZE TABLE t;",
        rows.join(",")
    );
    pair.source.sql(&text).unwrap();
    let only = &["--verify-only", "--chunk-bytes", "2000"];
    for (change, table, key) in CHANGES {
        pair.copy("a:b", &["--replace"]).check(0, &[]);
        pair.copy("a:b", only).check(0, &["2 tables are the same by checksum"]);
        pair.target.sql(&format!("USE b; {change}")).unwrap();
        let ended = pair.copy("a:b", &[only, &["--json"][..]].concat());
        ended.check(1, &["not the same", table, key]);
        let document = documented(&ended.stdout);
        assert_eq!(document["report"]["differences"][0]["table"], table);
    }
    pair.target.sql("DROP TABLE b.no_key").unwrap();
    pair.copy("a:b", only).check(1, &["only the source has the table"]);
    // Counting sees less.
    pair.copy("a:b", &["--replace"]).check(0, &[]);
    pair.target.sql("UPDATE b.t SET v = 'other' WHERE id = 1").unwrap();
    pair.copy("a:b", &["--verify-only", "--verify", "rows"]).check(0, &["the same by rows"]);
}
