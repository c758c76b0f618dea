//! A copy to a target that has no room: nothing of it stays, or all of it that was right.

use sandbox::{Flavor, Options, Server, state};

use super::{Pair, comparable, documented};
use crate::sameness;

/// The smallest thing that is full in earnest: a system tablespace of 64 MiB that holds all tables and
/// may not grow. (Of tables there MySQL tells another definition once they have got their keys.)
const SMALL: [&str; 2] =
    ["--innodb-data-file-path=ibdata1:12M;ibdata2:52M", "--innodb-file-per-table=0"];

/// In parts, so that some of them arrive.
const PARTS: [&str; 5] = ["--threads", "2", "--chunk-bytes", "1000000", "--json"];

const TOLD: [&str; 2] = ["is full", "hint: free space on the server"];
const AS_BEFORE: &str = "shows what it showed before";

/// Takes more than half of it.
const OTHERS: &str = "
CREATE DATABASE old; CREATE TABLE old.others (id INT PRIMARY KEY, v LONGTEXT);
INSERT INTO old.others
WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 770)
SELECT id, REPEAT('o', 40000) FROM n;
";

/// Takes half of it.
const LARGE: &str = "
CREATE DATABASE shop; CREATE TABLE shop.large (id INT PRIMARY KEY, v LONGTEXT, k INT, KEY k (k));
INSERT INTO shop.large
WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 900)
SELECT id, REPEAT('x', 30000), -id FROM n;
ANALYZE TABLE shop.large;
";

/// Nothing is to be kept. MariaDB writes its undo log there, too, and may be too full to drop anything.
#[test]
fn a_full_target_is_told_and_left_as_it_was() {
    for flavor in Flavor::ALL {
        let pair = fill(flavor);
        let before = shown(&pair.target);
        let ended = pair.copy("shop", &PARTS);
        ended.check(1, &TOLD);
        assert_eq!(documented(&ended.stdout)["error"]["kind"], "DiskFull");
        assert_eq!(shown(&pair.target), before);
        if flavor == Flavor::MySql || pair.leftovers().is_empty() {
            ended.check(1, &[AS_BEFORE]);
            assert_eq!(pair.leftovers(), [""; 0]);
        } else {
            ended.check(1, &["could not be tidied up", "dbferry repair --to"]);
        }
    }
}

#[test]
fn what_a_full_target_has_taken_waits_for_room() {
    let pair = fill(Flavor::MySql);
    let going_on = [&PARTS[..], &["--resume"]].concat();
    let told = [&TOLD[..], &[AS_BEFORE, "--resume, and the same options"]].concat();
    pair.copy("shop", &going_on).check(1, &told);
    pair.target.sql("DROP DATABASE old").unwrap();
    let ended = pair.copy("shop", &going_on);
    ended.check(0, &["of the rows were there already"]);
    let large = &documented(&ended.stdout)["report"]["tables"]["shop.large"];
    let kept = large["rows_kept"].as_u64().unwrap();
    assert!(kept > 0 && kept < 900, "{kept} rows were kept");
    assert_eq!(pair.leftovers(), [""; 0]);
    let wanted = comparable(&pair.source);
    let found = comparable(&pair.target).replace(" /*!50100 TABLESPACE `innodb_system` */", "");
    assert!(found == wanted, "{}", state::diff(&wanted, &found));
}

/// A source, and a target that has room for half of it.
fn fill(flavor: Flavor) -> Pair {
    let mut small = sameness::options();
    small.args.extend(SMALL.map(str::to_owned));
    let start = |options: &Options| Server::start_with(flavor, options).unwrap();
    let pair = Pair { source: start(&sameness::options()), target: start(&small) };
    pair.source.sql(LARGE).unwrap();
    pair.target.sql(OTHERS).unwrap();
    pair
}

/// Everything but what copies made for their own use.
fn shown(server: &Server) -> (Vec<String>, String) {
    let mut names = state::databases(server).unwrap();
    names.retain(|name| !name.starts_with("dbferry"));
    (names, server.sql("SELECT COUNT(*), SUM(CRC32(v)) FROM old.others").unwrap())
}
