//! The pure parts of index deferral: definitions of both servers, plans, and who sees what.

use std::collections::BTreeSet;

use dump::rules::{Client, Rules};
use dump::statement;
use dump::token::Target;

use super::deferral::{self, Circumstances, Presence, Reason};
use super::definition::{self, KeyKind, masked, without};
use super::promise;
use super::sight::{self, Sees, Waiting};

/// As MariaDB 10.11 writes it.
const MARIADB: &str = "CREATE TABLE `c` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `n` int(11) DEFAULT NULL,
  `na``me` varchar(40) DEFAULT NULL COMMENT 'a,\\n GENERATED ALWAYS AS ''q'' `',
  `g` geometry NOT NULL,
  `f` text DEFAULT NULL,
  `v` int(11) GENERATED ALWAYS AS (`n` * 2) VIRTUAL,
  `s` int(11) GENERATED ALWAYS AS (`n` + 1) STORED,
  UNIQUE KEY `u` (`n`),
  KEY `ai` (`id`),
  KEY `k1` (`na``me`(10)) COMMENT 'it''s, (x',
  SPATIAL KEY `sp` (`g`),
  KEY `kp` (`n`) IGNORED,
  KEY `ks` (`s`,`n`) USING BTREE,
  FULLTEXT KEY `ft` (`f`),
  CONSTRAINT `a_self` FOREIGN KEY (`n`) REFERENCES `c` (`id`),
  CONSTRAINT `fk_p` FOREIGN KEY (`n`, `s`) REFERENCES `y`.`p` (`id`, `s`) ON DELETE CASCADE,
  CONSTRAINT `CONSTRAINT_1` CHECK (`n` > 0)
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COMMENT='x AUTO_INCREMENT=4'";

/// As MySQL 9 writes it.
const MYSQL: &str = "CREATE TABLE `t` (
  `id` int NOT NULL,
  `a` int DEFAULT NULL,
  `v` int GENERATED ALWAYS AS ((`a` * 2)) VIRTUAL,
  PRIMARY KEY (`id`),
  KEY `ka` (`a` DESC,`id`) /*!80000 INVISIBLE */,
  KEY `ke` ((`a` + `id`)),
  KEY `km` (`a`,(lower(_utf8mb4'))`'))),
  KEY `kb` (`id`,`a`) COMMENT 'KEY `x` (`y`),\\n'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 3 */";

fn names(definition: &str) -> Vec<(String, KeyKind)> {
    let definition = definition::parse(definition).unwrap();
    definition.keys.into_iter().map(|key| (key.name, key.kind)).collect()
}

#[test]
fn keys_are_read_line_by_line() {
    use KeyKind::{FullText, Normal, Special, Unique};
    let read = names(MARIADB);
    let read: Vec<(&str, KeyKind)> = read.iter().map(|(n, kind)| (n.as_str(), *kind)).collect();
    let normal = [("ai", Normal), ("k1", Normal), ("sp", Special), ("kp", Normal), ("ks", Normal)];
    assert_eq!(read, [&[("u", Unique)], normal.as_slice(), &[("ft", FullText)]].concat());
    let read = names(MYSQL);
    let read: Vec<(&str, KeyKind)> = read.iter().map(|(n, kind)| (n.as_str(), *kind)).collect();
    let normal = [("ka", Normal), ("ke", Special), ("km", Special), ("kb", Normal)];
    assert_eq!(read, [&[("PRIMARY", Unique)], normal.as_slice()].concat());
}

#[test]
fn columns_and_foreign_keys_are_read() {
    let read = definition::parse(MARIADB).unwrap();
    assert_eq!(read.auto_increment, ["id"]);
    assert_eq!(read.computed, ["v"]);
    assert!(read.plain_innodb);
    assert_eq!(read.keys[2].columns, ["na`me"]);
    assert_eq!(read.keys[2].line, "KEY `k1` (`na``me`(10)) COMMENT 'it''s, (x'");
    let parents = read.foreign_keys.iter().map(|k| (k.parent_schema.as_deref(), k.parent.as_str()));
    assert_eq!(parents.collect::<Vec<_>>(), [(None, "c"), (Some("y"), "p")]);
    assert_eq!(read.foreign_keys[1].columns, ["n", "s"]);
}

#[test]
fn what_is_not_understood_is_no_definition() {
    for (from, to) in [
        ("  KEY `kp`", "  VECTOR KEY `kp`"),
        ("  KEY `kp`", "  PERIOD FOR SYSTEM_TIME (`a`, `b`),\n  KEY `kp`"),
        ("  KEY `kp` (`n`)", "  KEY `kp` `n`"),
        ("a,\\n", "a,\n"),
        ("CREATE TABLE", "CREATE TEMPORARY TABLE"),
        ("\n) ENGINE", ",\n) ENGINE"),
    ] {
        assert!(MARIADB.contains(from));
        let read = definition::parse(&MARIADB.replacen(from, to, 1));
        assert!(read.is_none_or(|read| from.starts_with('\n') && !read.keys.is_empty()), "{to}");
    }
    let versioned = MARIADB.replace(" DEFAULT CHARSET=utf8mb4", " WITH SYSTEM VERSIONING");
    assert!(!definition::parse(&versioned).unwrap().plain_innodb);
    let other = MARIADB.replace("ENGINE=InnoDB", "ENGINE=Aria");
    assert!(!definition::parse(&other).unwrap().plain_innodb);
}

#[test]
fn the_next_number_is_masked_and_nothing_else() {
    let hidden = masked(MARIADB);
    assert!(!hidden.contains("=17") && hidden.contains("AUTO_INCREMENT=4"));
    assert_eq!(hidden.len(), MARIADB.len() - " AUTO_INCREMENT=17".len());
    assert_eq!(masked(MYSQL), MYSQL);
    assert_eq!(without(MYSQL, &[]).unwrap(), MYSQL);
}

fn circumstances(text: &str, parents_at_hand: bool) -> Circumstances {
    let catalogue: BTreeSet<String> = names(text).into_iter().map(|(name, _)| name).collect();
    Circumstances { named: catalogue.clone(), catalogue, parents_at_hand }
}

#[track_caller]
fn check_plan(text: &str, parents_at_hand: bool, expected: Result<&[&str], Reason>) {
    let planned = deferral::plan("s", "t", text, &circumstances(text, parents_at_hand));
    match (planned, expected) {
        (Ok(planned), Ok(names)) => assert_eq!(planned.names, names),
        (planned, expected) => assert_eq!(planned.err(), expected.err()),
    }
}

#[test]
fn only_keys_that_keep_their_places_wait() {
    check_plan(MARIADB, true, Ok(&["kp", "ks", "a_self", "fk_p"]));
    check_plan(MYSQL, true, Ok(&["kb"]));
    let no_spatial = MARIADB.replace("  SPATIAL KEY `sp` (`g`),\n", "");
    check_plan(&no_spatial, true, Ok(&["k1", "kp", "ks", "a_self", "fk_p"]));
    let unique = no_spatial.replace("UNIQUE KEY `u` (`n`)", "UNIQUE KEY `u` (`id`)");
    check_plan(&unique, true, Ok(&["ai", "k1", "kp", "ks", "a_self", "fk_p"]));
    let computed = MARIADB.replace("KEY `ks` (`s`,`n`)", "KEY `ks` (`s`,`v`)");
    check_plan(&computed, true, Err("it has no keys that can wait"));
    let commented = MARIADB.replace("(`s`,`n`) USING BTREE", "(`s`,`n`) /* `own`=1 */");
    check_plan(&commented, true, Err("it has no keys that can wait"));
    let last = MYSQL.replace("KEY `kb` (`id`,`a`)", "KEY `kb` ((`id`))");
    check_plan(&last, true, Err("it has no keys that can wait"));
}

#[test]
fn keys_of_foreign_keys_stay_with_them() {
    check_plan(MARIADB, false, Err("it has no keys that can wait"));
    let apart = MARIADB.replace("KEY `ks` (`s`,`n`)", "KEY `ks` (`id`,`n`)");
    check_plan(&apart, false, Ok(&["ks"]));
    let mut made = circumstances(MARIADB, true);
    made.named.remove("k1");
    let planned = deferral::plan("s", "t", MARIADB, &made);
    assert_eq!(planned.unwrap_err(), "the server made some of its keys");
    let mut told_otherwise = circumstances(MARIADB, true);
    told_otherwise.catalogue.remove("ft");
    let planned = deferral::plan("s", "t", MARIADB, &told_otherwise);
    assert_eq!(planned.unwrap_err(), "its keys are not told alike");
}

#[test]
fn a_plan_tells_what_is_there() {
    let text = MARIADB.replace("`kp`", "`k``p`");
    let planned = deferral::plan("s", "t`", &text, &circumstances(&text, true)).unwrap();
    assert_eq!(
        planned.drop,
        "ALTER TABLE `s`.`t``` DROP FOREIGN KEY `a_self`, DROP FOREIGN KEY `fk_p`, DROP KEY \
         `k``p`, DROP KEY `ks`"
    );
    assert_eq!(
        planned.add[0],
        "ALTER TABLE `s`.`t``` ADD KEY `k``p` (`n`) IGNORED, ADD KEY `ks` (`s`,`n`) USING BTREE"
    );
    assert_eq!(planned.add.len(), 2);
    assert_eq!(planned.parents, ["c", "p"]);
    let step = |steps: usize| planned.expected(steps).unwrap();
    assert!(!step(0).contains("`ks` (") && !step(0).contains("FOREIGN"));
    assert!(step(1).contains("`ks` (") && !step(1).contains("FOREIGN"));
    assert_eq!(step(2), masked(&text));
    assert_eq!(planned.presence(&text), Presence::Present);
    assert_eq!(planned.presence(&step(0)), Presence::Missing(0));
    let later = step(1).replace("ENGINE=InnoDB", "ENGINE=InnoDB AUTO_INCREMENT=99");
    assert_eq!(planned.presence(&later), Presence::Missing(1));
    assert_eq!(planned.presence(&text.replace("`f` text", "`f` blob")), Presence::Changed);
}

const WAITING: Waiting<'static> = Waiting {
    table: "",
    parents: Vec::new(),
    promised: Vec::new(),
    parts: Vec::new(),
    unchecked: false,
    has_keys: false,
};

const MINE: Target = Target { server: Client::MariaDb, version: 101_119 };

#[track_caller]
fn check_sees(text: &str, expected: &Sees) {
    let rules = Rules::new(Client::MariaDb);
    let class = statement::classify(text.as_bytes(), rules, MINE);
    let waiting = |table, parents| Waiting { table, parents, ..WAITING };
    let pending = [waiting("item", vec!["shop"]), waiting("größe", Vec::new())];
    let seen = sight::sees(&class, text.as_bytes(), rules, MINE, &pending);
    assert_eq!(seen, *expected, "{text}");
}

#[test]
fn statements_about_others_see_nothing() {
    for text in [
        "USE other",
        "LOCK TABLES `other` WRITE",
        "UNLOCK TABLES",
        "COMMIT",
        "SET NAMES utf8mb4",
        "SET @saved = @@foreign_key_checks",
        "INSERT INTO item VALUES (1,'select')",
        "REPLACE INTO item (id) VALUES (NOW())",
        "CREATE TABLE other (item_id INT COMMENT 'item')",
        "CREATE TABLE other (item INT, KEY shop (item), FOREIGN KEY (item) REFERENCES s.b (item))",
        "CREATE INDEX item ON other (item)",
        "CREATE VIEW v AS SELECT 1 AS id",
        "CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW SET @a = 1",
        "DROP TABLE IF EXISTS `other`",
        "/*!40000 ALTER TABLE `item` DISABLE KEYS */",
        "ALTER TABLE s.item ENABLE KEYS",
    ] {
        check_sees(text, &Sees::Nothing);
    }
}

#[test]
fn statements_that_name_a_table_see_it() {
    for text in [
        "LOCK TABLES other READ, Item WRITE",
        "ALTER TABLE s.`item` ADD KEY (a)",
        "ALTER TABLE item ENABLE KEYS, ADD KEY (a)",
        "CREATE INDEX i ON item (a)",
        "DROP TABLE other, item",
        "RENAME TABLE item TO other",
        "CREATE TABLE other (id INT REFERENCES item (id))",
        "CREATE TABLE other (id INT, FOREIGN KEY (id) REFERENCES a (id), b INT REFERENCES s.`item`(x))",
        "CREATE TABLE IF NOT EXISTS s.item (id INT)",
        "CREATE VIEW v AS SELECT * FROM item",
        "CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW SET @a = (SELECT 1 FROM `ITEM`)",
        "CREATE FUNCTION f() RETURNS INT RETURN (SELECT COUNT(*) FROM s.item)",
        "CREATE TABLE other LIKE item",
        "CREATE TABLE shop (id INT)",
    ] {
        check_sees(text, &Sees::Tables(vec![0]));
    }
    check_sees("DROP TABLE `GRÖSSE`", &Sees::Tables(vec![1]));
}

#[test]
fn statements_that_may_look_see_all() {
    for text in [
        "SELECT 1",
        "UPDATE other SET a = 1",
        "TRUNCATE other",
        "BEGIN",
        "START TRANSACTION",
        "XA START 'a'",
        "SET foreign_key_checks = 1",
        "SET @@session.autocommit = 0",
        "SET completion_type = CHAIN",
        "SET @n = (SELECT COUNT(*) FROM other)",
        "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
        "INSERT INTO other SELECT 1",
        "INSERT INTO other VALUES ((SELECT 1))",
        "CREATE TABLE other AS SELECT * FROM a_view",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO CALL p()",
        "CALL p()",
        "DROP DATABASE other",
        "FLUSH TABLES",
        "HANDLER other OPEN",
    ] {
        check_sees(text, &Sees::All);
    }
}

#[test]
fn names_of_keys_are_those_that_the_file_gives() {
    let text = "CREATE TABLE IF NOT EXISTS t (a INT, KEY One (a), INDEX `two` (a), UNIQUE KEY three (a), \
                FULLTEXT INDEX four (b), CONSTRAINT c FOREIGN KEY five (a) REFERENCES p (id), \
                PRIMARY KEY six (id))";
    let rules = Rules::new(Client::MariaDb);
    let class = statement::classify(text.as_bytes(), rules, MINE);
    let created = sight::created(&class, text.as_bytes(), rules, MINE).unwrap();
    assert!(created.if_not_exists);
    let named: Vec<&str> = created.named.iter().map(String::as_str).collect();
    assert_eq!(named, ["four", "one", "three", "two"]);
    for text in ["CREATE TEMPORARY TABLE t (a INT)", "DROP TABLE t", "CREATE INDEX i ON t (a)"] {
        let class = statement::classify(text.as_bytes(), rules, MINE);
        assert_eq!(sight::created(&class, text.as_bytes(), rules, MINE), None, "{text}");
    }
}

#[track_caller]
fn check_sees_of(waiting: &Waiting<'_>, text: &str, expected: bool) {
    let rules = Rules::new(Client::MariaDb);
    let class = statement::classify(text.as_bytes(), rules, MINE);
    let waiting = std::slice::from_ref(waiting);
    let seen = sight::sees(&class, text.as_bytes(), rules, MINE, waiting) != Sees::Nothing;
    assert_eq!(seen, expected, "{text}");
}

#[test]
fn a_parent_that_is_certain_to_suit_may_be_made() {
    let waiting = Waiting { table: "item", parents: vec!["shop", "town"], ..WAITING };
    let promised = Waiting { promised: vec!["shop"], unchecked: true, ..waiting.clone() };
    for (text, seen, seen_promised) in [
        ("CREATE TABLE shop (id INT)", true, false),
        ("CREATE TABLE town (id INT)", true, true),
        ("LOCK TABLES shop WRITE", true, false),
        ("DROP TABLE IF EXISTS town", true, false),
        // Another shop could come.
        ("DROP TABLE shop", true, true),
        ("ALTER TABLE shop ADD a INT", true, true),
        ("CREATE TRIGGER t BEFORE INSERT ON shop FOR EACH ROW SET @a = 1", true, true),
        ("CREATE VIEW v AS SELECT * FROM shop", true, true),
    ] {
        check_sees_of(&waiting, text, seen);
        check_sees_of(&promised, text, seen_promised);
    }
}

#[test]
fn keys_that_are_there_may_be_referred_to() {
    let waiting = Waiting { table: "item", parents: vec!["shop"], ..WAITING };
    let has_keys = Waiting { has_keys: true, ..waiting.clone() };
    let child = "CREATE TABLE other (id INT, FOREIGN KEY (id) REFERENCES item (id))";
    check_sees_of(&waiting, child, true);
    check_sees_of(&has_keys, child, false);
    check_sees_of(&has_keys, "CREATE TABLE item (id INT)", true);
    check_sees_of(&waiting, &child.replace("item", "shop"), false);
}

#[test]
fn a_constraint_of_the_same_name_sees_the_one_that_waits() {
    let waiting = Waiting { table: "item", parts: vec!["fk_a"], ..WAITING };
    let other = "CREATE TABLE other (a INT, CONSTRAINT `FK_A` FOREIGN KEY (a) REFERENCES b (id))";
    check_sees_of(&waiting, other, true);
    check_sees_of(&waiting, &other.replace("FK_A", "fk_b"), false);
}

/// A table and one that it refers to, as dumps write them.
const CHILD: &str = "CREATE TABLE `item` (
  `id` int NOT NULL,
  `shop` bigint(20) unsigned NOT NULL,
  `code` varchar(10) NOT NULL COMMENT 'a \\'quoted\\' COLLATE',
  PRIMARY KEY (`id`),
  KEY `s` (`shop`,`code`),
  CONSTRAINT `f` FOREIGN KEY (`shop`, `code`) REFERENCES `shop` (`id`, `c`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci";
const PARENT: &str = "CREATE TABLE `shop` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `c` varchar(10) NOT NULL DEFAULT 'x',
  `n` int DEFAULT NULL,
  PRIMARY KEY (`id`,`c`),
  KEY `n` (`n`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci";

#[test]
fn only_the_same_types_and_the_whole_primary_key_are_certain() {
    assert!(promise::keeps(CHILD, PARENT));
    for (from, to) in [
        ("bigint unsigned", "bigint"),
        ("bigint unsigned", "int unsigned"),
        ("bigint unsigned", "bigint unsigned zerofill"),
        ("bigint unsigned", "bigint /*!40000 unsigned */"),
        ("varchar(10)", "varchar(11)"),
        ("varchar(10)", "varchar(10) CHARACTER SET latin1"),
        ("varchar(10)", "varchar(10) GENERATED ALWAYS AS ('x') STORED"),
        ("(`id`,`c`)", "(`c`,`id`)"),
        ("(`id`,`c`)", "(`id`)"),
        ("(`id`,`c`)", "(`id`,`c`(5))"),
        ("(`id`,`c`)", "(`id`,`c` DESC)"),
        ("PRIMARY KEY", "UNIQUE KEY `u`"),
        ("general_ci", "unicode_ci"),
        (" COLLATE=utf8mb4_general_ci", ""),
        ("InnoDB", "MyISAM"),
        ("general_ci", "general_ci PARTITION BY HASH (`id`)"),
        ("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
        ("CREATE TABLE", "CREATE TEMPORARY TABLE"),
        ("  `n` int", "  -- no\n  `n` int"),
    ] {
        assert!(PARENT.contains(from), "{from}");
        assert!(!promise::keeps(CHILD, &PARENT.replace(from, to)), "{to}");
    }
    assert!(!promise::keeps(&CHILD.replace("`shop` (`id`", "`s`.`shop` (`id`"), PARENT));
}
