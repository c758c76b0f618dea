//! Any way of cutting a file gives the same items.

use dump::reader::Limits;
use dump::rules::{Client, Multibyte, Rules};
use proptest::prelude::*;
use proptest::sample::select;

use crate::outline;

/// Pieces of dumps: whole statements and what may stand between and inside them.
const PIECES: &[&str] = &[
    "SELECT 1;",
    "CREATE TABLE `a;b` (\n  `x` int DEFAULT '1;2' COMMENT 'it''s'\n) ENGINE=InnoDB;\n",
    "INSERT INTO `t` VALUES (1,'a'),(2,'b\\'c;'),(3,NULL);\n",
    "INSERT INTO `t` (`a`, `b`) VALUES\n(1, 'x'),\n(-2.5, \"y\"\"z\"),\n(0x4142, _binary 'q\\\\');\n",
    "REPLACE INTO s.t VALUES (f(1,(2)),'a' 'b'),(DEFAULT,@x);",
    "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a);",
    "INSERT INTO t VALUES (1), -- one; '\n(2) /* two; ' */,\n# three\n(3);\n",
    "INSERT INTO t VALUES ('\u{e4}\u{1f600}'),('line\r\nend'),('back\\\nslash');\r\n",
    "INSERT INTO t VALUES (1),,(2);INSERT INTO t VALUES (1)(2);INSERT INTO t VALUES (1),;",
    "INSERT INTO t VALUES (1,(2);INSERT INTO t VALUES (1)) ,(2);",
    "INSERT INTO t SELECT 1;INSERT INTO t SET a=';';INSERT",
    "DELIMITER ;;\nCREATE PROCEDURE p()\nBEGIN\n\n  SELECT ';;'; -- ;;\nEND;;\nDELIMITER ;\n",
    "delimiter //\n",
    "DELIMITER ;\n",
    "DELIMITER\n",
    "//",
    "/*!40101 SET NAMES utf8 */;\n",
    "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER x */;;\n",
    "/*M!999999\\- enable the sandbox mode */ \n",
    "-- a comment; it's\n",
    "--\n",
    "# another\n",
    "/* one\n more; ' */",
    "/*+ hint */",
    "USE `db`;\n",
    "use db\n",
    "SET NAMES gbk;\n",
    "SET a='x\ty';\r\n",
    "\r\n",
    "\n\n",
    "  ",
    ";",
    "'",
    "\"",
    "`",
    "\\g",
    "\\G\n",
    "\\N",
    "\\C utf8 ;",
    "$$ a; $$",
    "$tag$ ' $tag$;",
    "(",
    ")",
    ",",
    "x",
];

/// Bytes that no `str` can hold: second bytes that look like a backslash or a quote.
const BYTES: &[&[u8]] = &[b"'\xd5\x5c'", b"\x81\\'", b"\x95\x5c", b"\0", b"\xff"];

fn files() -> impl Strategy<Value = Vec<u8>> {
    let text = select(PIECES).prop_map(|piece| piece.as_bytes().to_vec());
    let bytes = select(BYTES).prop_map(<[u8]>::to_vec);
    let pieces = prop_oneof![40 => text, 1 => bytes];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    fn rules()(
        client in select(&[Client::MariaDb, Client::MySql][..]),
        no_backslash_escapes in prop::bool::weighted(0.2),
        ansi_quotes in prop::bool::weighted(0.2),
        multibyte in select(&[Multibyte::None, Multibyte::None, Multibyte::Gbk][..]),
        binary_mode in prop::bool::weighted(0.2),
    ) -> Rules {
        Rules { client, no_backslash_escapes, ansi_quotes, multibyte, binary_mode }
    }
}

prop_compose! {
    fn limits()(
        window in 1usize..64,
        whole_max in 0usize..200,
        piece_max in 64usize..600,
    ) -> Limits {
        Limits { window, whole_max, piece_max }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_gives_the_same_items(
        file in files(),
        rules in rules(),
        other in rules(),
        limits in limits(),
        sizes in prop::collection::vec(1u8.., 1..5),
    ) {
        // One client for the whole file.
        let rules = [rules, Rules { client: rules.client, ..other }];
        let whole = outline::reference(&file, &rules);
        let cut = outline::entries(outline::Pieces::new(&file, &sizes), &file, &rules, limits);
        outline::assert_same(&whole, &cut);
    }
}

/// Rows of an `INSERT` of about `bytes`.
fn long_insert(bytes: usize) -> Vec<u8> {
    let mut file = b"INSERT INTO `t` (`a`, `b`) VALUES ".to_vec();
    for row in 0.. {
        if file.len() > bytes {
            break;
        }
        file.extend_from_slice(format!("({row},'it\\'s; ({row})'),").as_bytes());
    }
    file.pop();
    file.extend_from_slice(b";\nSELECT 1;\n");
    file
}

#[test]
fn parts_hold_every_row_once() {
    let rules = [Rules::new(Client::MariaDb)];
    let file = long_insert(1 << 20);
    let limits = Limits { window: 1 << 12, whole_max: 1 << 14, piece_max: 1 << 16 };
    let whole = outline::reference(&file, &rules);
    let cut = outline::entries(&file[..], &file, &rules, limits);
    assert_eq!(whole.len(), 2);
    assert_eq!(whole, cut);
}

#[test]
fn a_row_beyond_the_limit_is_an_error() {
    let mut file = b"INSERT INTO t VALUES ('".to_vec();
    file.resize(10_000, b'x');
    let limits = Limits { window: 64, whole_max: 128, piece_max: 1024 };
    let cut = outline::entries(&file[..], &file, &[Rules::new(Client::MySql)], limits);
    assert!(matches!(&cut[..], [outline::Entry::Stopped(name, _)] if name == "limit"), "{cut:?}");
}
