//! Files that put each rule of the clients' `add_line()` to the test.

use dump::rules::Client;

/// A file and how the client is started.
pub(crate) struct Case {
    pub(crate) file: &'static [u8],
    pub(crate) charset: &'static str,
    pub(crate) binary_mode: bool,
}

fn plain(files: &[&'static [u8]]) -> Vec<Case> {
    files.iter().map(|file| Case { file, charset: "utf8mb4", binary_mode: false }).collect()
}

/// Cases for both clients.
pub(crate) fn both() -> Vec<Case> {
    let mut cases = plain(BOTH);
    cases.extend(MULTIBYTE.iter().map(|(charset, file)| Case {
        file,
        charset,
        binary_mode: false,
    }));
    cases.extend(BINARY.iter().map(|file| Case { file, charset: "utf8mb4", binary_mode: true }));
    cases
}

/// Cases that only `mariadb` understands.
pub(crate) fn mariadb() -> Vec<Case> {
    plain(MARIADB)
}

/// Cases that only `mysql` understands.
pub(crate) fn mysql() -> Vec<Case> {
    plain(MYSQL)
}

/// A file that the reader reads otherwise than the client.
pub(crate) struct Difference {
    pub(crate) of: Client,
    pub(crate) file: &'static [u8],
    pub(crate) client: &'static [&'static [u8]],
    pub(crate) reader: &'static [&'static [u8]],
}

/// All deliberate differences.
pub(crate) fn differences() -> Vec<Difference> {
    use Client::{MariaDb, MySql};
    let case = |of, file, client, reader| Difference { of, file, client, reader };
    vec![
        // Comments alone change nothing on the server.
        case(MySql, b"-- a\n# b\nSELECT 1;\n", &[b"-- a", b"# b", b"SELECT 1"], &[b"SELECT 1"]),
        case(MySql, b"/* a */;\nSELECT 1;\n", &[b"/* a */", b"SELECT 1"], &[b"SELECT 1"]),
        // Nor do they before a statement, or between its delimiter and the end of the line.
        case(MySql, b"/* a */ SELECT 1;\n", &[b"/* a */ SELECT 1"], &[b"SELECT 1"]),
        case(MySql, b"SELECT 1; -- a\n", &[b"SELECT 1 -- a"], &[b"SELECT 1"]),
        // The sandbox mark of MariaDB's dumps is accepted everywhere: `mysql` stops at it.
        case(
            MySql,
            b"/*!999999\\- sandbox */ ;\nSELECT 1;\n",
            &[b"/*!999999\\- sandbox */", b"SELECT 1"],
            &[b"/*!999999 sandbox */", b"SELECT 1"],
        ),
        // On the last line of a longer comment `mysql` misses DELIMITER, and sends nothing any more.
        case(MySql, b"/* a\n*/ DELIMITER //\nSELECT 1//\n", &[], &[b"SELECT 1"]),
        // `mariadb` sends the command that ends it as a query, too.
        case(MariaDb, b"SELECT 1;\nexit;\n", &[b"SELECT 1", b"exit"], &[b"SELECT 1"]),
    ]
}

const BOTH: &[&[u8]] = &[
    b"SELECT 1;SELECT 2; SELECT 3 ;\nSELECT 4\n;\n",
    b"SELECT 1",
    b"SELECT 1\n",
    b"SELECT 1;SELECT 2",
    b"SELECT 1;\nSELECT 2\n\n\n",
    b";\n;;\n ; \nSELECT 1;;\n",
    b"\xEF\xBB\xBFSELECT 1;\n",
    // Comments.
    b"-- a\nSELECT 1; -- b\nSELECT 2;\n",
    b"# a\nSELECT 1; # b\nSELECT 2;\n",
    b"/* a */ SELECT 1; /* b */\nSELECT 2;\n",
    b"/* a\n b; 'c\n */\nSELECT 1;\n",
    b"SELECT /* a; 'b */ 1;\n",
    b"SELECT/* a */1;\n",
    b"SELECT/**/1;\n",
    b"SELECT /* a */ /* b */ 1;\n",
    b"SELECT 1 /* a */;\n",
    b"SELECT 1 /* a\nb */\n;\n",
    b"SELECT 1 -- a; b\n, 2;\n",
    b"SELECT 1 -- it's\n, 2;\n",
    b"SELECT 1 # a; 'b\n, 2;\n",
    b"SELECT 1 --\n, 2;\n",
    b"SELECT 1 --\t; x\n, 2;\n",
    b"SELECT 1--1;\n",
    b"SELECT 1--;\nSELECT 2;\n",
    b"SELECT 1 - -1;\n",
    b"SELECT 1 --x;\n",
    b"SELECT '-- a', '# b', '/* c */', \"/* d */\", `e#`;\n",
    b"SELECT '/* a', 1 /* b */;\n",
    b"SELECT 1; -- a; SELECT 2;\nSELECT 3;\n",
    b"SELECT 1;-- a\nSELECT 2;#b\nSELECT 3;/*c*/SELECT 4;\n",
    b"SELECT 1;/* a */ -- b\nSELECT 2;\n",
    b"SELECT 1 /* a */ -- b\n;\n",
    b"/* unfinished\nSELECT 1;\n",
    b"SELECT 1 /* unfinished\nSELECT 2;\n",
    b"SELECT 1 */ ;\nSELECT 2;\n",
    b"/**/\n/***/\n/*/ */\nSELECT 1;\n",
    // Executable comments.
    b"/*!40101 SELECT 1 */;\n",
    b"/*! SELECT 1 */;\n/*!99999 SELECT 2 */;\n",
    b"/*!40101 SELECT 'a; */' */;\nSELECT 2;\n",
    b"/*!40101 SELECT 1 /* a; b */ , 2 */;\nSELECT 3;\n",
    b"/*!50003 SELECT 1 */ /*!50020 , 2 */;\n",
    b"/*!40101 SELECT 1\n, 2 */;\n",
    b"/*!40101 SELECT 1 -- a\n, 2 */;\n",
    b"/*!40101 SELECT 1 # a\n, 2 */;\n",
    b"/*!40101 SELECT 1; SELECT 2 */;\n",
    b"SELECT 1 /*!40101 , 2 */ , 3;\n",
    b"SELECT 1 /*!40101 , ';' */ , 3;\n",
    b"/*!40101 SET @a=1 */; /*!40101 SET @b='x;y' */;\n",
    b"/*M!100100 SELECT 1 */;\nSELECT 2;\n",
    b"SELECT 1 /*M!100100 , ';' */;\nSELECT 2;\n",
    b"/*!40101 SELECT 1 /*! , 2 */ */;\nSELECT 3;\n",
    b"CREATE TABLE x (a INT) /*!50100 PARTITION BY HASH (a) PARTITIONS 2 */;\nDROP TABLE x;\n",
    b"/*!999999 unknown 'thing */;\nSELECT 1;\n';\nSELECT 2;\n",
    // Strings.
    b"SELECT 'a;b', \"c;d\", `e;f`;\n",
    b"SELECT 'a''b', \"c\"\"d\", `e``f`, '''', \"'\", '\"', '`';\n",
    b"SELECT 'a\\'b;', \"c\\\"d;\", 'e\\\\';\nSELECT 2;\n",
    b"SELECT 'a\nb\n\nc';\n",
    b"SELECT 'a\n-- b\n# c\n/* d */\nDELIMITER ;;\n';\n",
    b"SELECT 'a\nuse one\nsource x\n';\n",
    b"SELECT '\ttab', 'x\ty';\n",
    b"SELECT N'a', _utf8mb4'b;', x'41', 0x42, b'1';\n",
    b"SELECT 'a' 'b;' 'c';\n",
    b"SELECT 'unfinished;\nSELECT 2;\n",
    b"SELECT `unfinished;\nSELECT 2;\n",
    b"SELECT '\xc3\xa4;\xf0\x9f\x98\x80', 'x';\nSELECT `\xe4\xb8\xad\xe6\x96\x87;`;\n",
    b"SELECT 'a\\0b\\Zc\\n';\n",
    b"SELECT 'a\\\nb';\nSELECT 2;\n",
    b"SELECT 1 \\N;\n",
    b"SELECT \\N, \\N;\n",
    b"SET sql_mode='NO_BACKSLASH_ESCAPES';\nSELECT 'a\\';\nSELECT 'b\\', \"c\\\", 'd';\nSET sql_mode='';\nSELECT 'a\\'b;';\n",
    b"SET sql_mode='NO_BACKSLASH_ESCAPES';\nSELECT 'a\\\nb', 'c\\\\';\nSELECT '\\';SELECT 2;\n",
    b"SET sql_mode='ANSI_QUOTES';\nSELECT 1 AS \"a;b\", 'c\\'d;';\nSELECT 1 AS \"a\"\"b;\";\n",
    // DELIMITER.
    b"DELIMITER ;;\nSELECT 1; ;;\nSELECT 2;;\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER //\nSELECT 1//\nSELECT 2 / 1//\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER $$\nSELECT '$$', 1$$\nSELECT 2 $$\nDELIMITER ;\nSELECT 3;\n",
    b"delimiter //\nSELECT 1//\ndelimiter ;\nSELECT 2;\n",
    b"Delimiter\t//\nSELECT 1//\n  delimiter   ;  \nSELECT 2;\n",
    b"DELIMITER ';;'\nSELECT 1;;\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER \"//\"\nSELECT 1//\nDELIMITER ';'\nSELECT 3;\n",
    b"DELIMITER `//`\nSELECT 1//\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER //\nSELECT 1//\nDELIMITER ;",
    b"DELIMITER // -- x\nSELECT 1//\nDELIMITER ;# y\nSELECT 2;#\nSELECT 3;# y\n",
    b"DELIMITER ;SELECT 1\nSELECT 2;SELECT 1\nSELECT 3;\n",
    b"SELECT 1;\nDELIMITER //\nSELECT 2; SELECT 3//\nDELIMITER ;\n",
    b"DELIMITER //\nSELECT 1\n//\nSELECT 2\n//\n",
    b"DELIMITER //\nSELECT 1;\nDELIMITER ;\nSELECT 2;\n",
    b"DELIMITER go\nSELECT 1 go\nSELECT 2\ngo\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER |\nSELECT 1|SELECT 2|\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER #\nSELECT 1# SELECT 2#\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER --\nSELECT 1--\nSELECT 2 --\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER 12345678901234567890\nSELECT 1 123456789012345\nSELECT 2 12345678901234567890\n",
    b"DELIMITER ;;\nCREATE PROCEDURE p()\nBEGIN\n\n  -- c; d\n\n  SELECT 1; /* e; */\n\tSELECT ';;';\n# f ;;\n  SELECT 2;\nEND ;;\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN\n  SET @a = 'x;;y'; -- it's\nEND */;;\nDELIMITER ;\nSELECT 3;\n",
    b"DELIMITERx\nSELECT 1;\n",
    b"DELIMITERx //\nSELECT 1//\n",
    b"DELIMITER;;\nSELECT 1;;\n",
    b"delimiter;\nSELECT 1;\n",
    b"delimiter\nSELECT 1;\n",
    b"DELIMITER \\\nSELECT 1;\n",
    b"CREATE TABLE d (\ndelimiter INT,\n`delimiter\n` INT\n);\n",
    b"CREATE TABLE d (a INT, /* x */\ndelimiter INT /* y */\n);\n",
    b"/* a */\nDELIMITER //\nSELECT 1; SELECT 2//\n",
    b"SELECT 1\x01\x7f;\nSELECT 2 \x01;\x01;\nSELECT 'a\x01';\n",
    b"SELECT\nDELIMITER //\n;\nSELECT 1;\n",
    b"-- DELIMITER //\nSELECT 1;\n",
    b"/* DELIMITER // */\nSELECT 1;\n",
    // USE.
    b"USE one;\nSELECT 1;\n",
    b"use one;\nSELECT 1;\n",
    b"USE `a b`;\nSELECT 1;\n",
    b"USE `a b`; SELECT 1; USE one; SELECT 2;\n",
    b"USE missing;\nSELECT 1;\n",
    b"/* a */ USE `a b`;\nSELECT 1;\n",
    b"-- x\nUSE `a b`;\n-- y\nSELECT 1;\n",
    // Line ends.
    b"SELECT 1;\r\nSELECT 2\r\n, 3;\r\n",
    b"SELECT 'a\r\nb';\r\n",
    b"SELECT 'a\rb';\rSELECT 2;\n",
    b"SELECT 1 -- a\r\n, 2;\r\n",
    b"SELECT 1 /* a\r\nb */ , 2;\r\n",
    b"SELECT 1 --\r\n, 2;\r\n",
    b"DELIMITER ;;\r\nSELECT 1;;\r\nDELIMITER ;\r\nSELECT 2;\r\n",
    b"USE `a b`;\r\nSELECT 1;\r\n",
    b"SELECT 'a\\\r\nb';\r\nSELECT 2;\r\n",
    b"SELECT 1\r",
    b"\n\n\r\n  \t\nSELECT 1;\n",
    b"SELECT 1\n\n, 2;\n",
    b"  SELECT 1  ;  \n\tSELECT\t2\t;\n",
    b"SELECT 1\x0b\x0c;\x0bSELECT 2;\x0c\nSELECT 3;\n",
    // INSERT.
    b"INSERT INTO t VALUES (1),('a;b'),('c''d'),(\"e\\\"f;\"),(NULL);\nINSERT INTO t VALUES ('x')",
    b"INSERT INTO `t` (`a`) VALUES\n('1'),\n('2'), -- a; b\n('3') /* c */\n,(4);\nSELECT 1;\n",
    b"INSERT INTO t VALUES (1),\n# c; d\n(2);\nINSERT INTO t VALUES (concat('a', (1), ';'));\n",
    b"INSERT INTO t VALUES ('a\r\nb'),('c\\\nd'),\r\n('e');\r\nSELECT 1;\r\n",
    b"INSERT INTO t VALUES (1) /*!40000 , (2) */;\nSELECT 1;\n",
    b"INSERT/* a */INTO t VALUES (1);\nINSERT INTO t /* b */ VALUES (2);\nINSERT INTO t VALUES/* c */(3);\n",
    b"INSERT INTO t VALUES (--1\n);\nINSERT INTO t VALUES (1--\n);\nINSERT INTO t VALUES (1 -- )\n);\n",
    b"INSERT INTO t VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\\'),('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\\';');\nSELECT 2;\n",
    // Commands that both know.
    b"SELECT 1;\n\\C latin1\nSELECT 2;\n",
    b"SELECT 'a' \\C latin1 ;SELECT 2;\n",
];

/// Second bytes that look like a quote or a backslash.
const MULTIBYTE: &[(&str, &[u8])] = &[
    ("gbk", b"SELECT '\xd5\x5c', 'a;b';\nSELECT 2;\n"),
    ("gbk", b"SELECT '\x81\x5c';\nSELECT '\x81\\';';\nSELECT 2;\n"),
    ("big5", b"SELECT '\xa5\x5c;';\nSELECT 2;\n"),
    ("sjis", b"SELECT '\x83\x5c;', '\xb1\\'';\nSELECT 2;\n"),
    ("cp932", b"SELECT '\x95\x5c;';\nSELECT 2;\n"),
    ("latin1", b"SELECT '\xd5\\';', '\xe9';\nSELECT 2;\n"),
    ("utf8mb4", b"SELECT '\xd5\\';';\nSELECT 2;\n"),
];

/// With `--binary-mode`.
const BINARY: &[&[u8]] = &[
    b"USE `a b`;\nuse one\n;\nSELECT 1;\nsource x\n;\n",
    b"SELECT 1;\ngo\n;\nDELIMITERx //\nSELECT 1//",
    b"SELECT 'a\r\nb';\nSELECT 2;\n",
    b"SELECT 'a\0b';\nSELECT 2;\n",
    b"DELIMITER //\nSELECT 1; SELECT 2//\nDELIMITER ;\nSELECT 3;\n",
];

const MARIADB: &[&[u8]] = &[
    b"/*M!999999\\- enable the sandbox mode */ \nSELECT 1;\n",
    b"/*!999999\\- enable the sandbox mode */ \n-- c\nSELECT 1;\n",
    b"SELECT 1;\n/*M!999999\\- enable the sandbox mode */ \nSELECT 2;\n",
    b"--x\nSELECT 1;\n--y; z\nSELECT 2;\n",
    b"SELECT 1\n--x\n;\n",
    b"SELECT 1\\g SELECT 2\\G SELECT 3;\n",
    b"SELECT 1 \\g\nSELECT 2\\g\n",
    b"SELECT 1 \\c SELECT 2;\nSELECT 3;\n",
    b"SELECT 1\n\\c\nSELECT 3;\n",
    b"SELECT 1\nclear\nSELECT 3;\n",
    b"SELECT 1;\ngo\nSELECT 2\ngo\n;\nSELECT 3;\n",
    b"USE `a b`\nSELECT 1;\n",
    b"use one\nSELECT 1;\nuse `a b` ;\nSELECT 2;\n",
    b"USE\tone\nSELECT 1;\n",
    b"charset latin1\nSELECT 1;\n",
    b"SELECT 1;\nquit\nSELECT 2;\n",
    b"SELECT 1; \\q\nSELECT 2;\n",
    b"warnings\nnowarning;\nSELECT 1;\n",
    b"help\nSELECT 1;\n",
    b"\\u one\nSELECT 1;\n",
    b"\\u one;SELECT 1;\n",
    b"\\d //\nSELECT 1;//\nSELECT 2//\n",
    b"SELECT 1; \\d //\nSELECT 2//\n",
    b"SELECT 1; DELIMITER //\nSELECT 2//\n",
    b"status x\n;SELECT 1;\n",
    b"go away;\nSELECT 1;\n",
    b"print;\nSELECT 1;\nSELECT 2 \\p ;\n",
    b"SELECT /*+ x */ 1;\n",
    b"SELECT 1 /*M!100100 , 2 /* a */ */;\n",
    b"SELECT $$ a; $$;\n",
    b"SET sql_mode='ANSI_QUOTES';\nSELECT 1 AS \"a\\\";\nSELECT 2;\n",
    b"SELECT `a\\`;\nSELECT 2;\n",
];

const MYSQL: &[&[u8]] = &[
    b"SELECT /*+ SET_VAR(sql_mode='') */ 1;\n",
    b"SELECT /*+ a ; b */ 1;\nSELECT 2;\n",
    b"SELECT /*+ it's -- x */ 1;\nSELECT 2;\n",
    b"SELECT /*+ a /* b */ 1;\nSELECT 2;\n",
    b"/*+ a */ SELECT 1;\n",
    b"SELECT 1\n--x\n;\n",
    b"SELECT $$ a; $$;\nSELECT 2;\n",
    b"SELECT $tag$ a; $$ ' $tag$;\nSELECT 2;\n",
    b"SELECT a$b$ ; $b$;\nSELECT 2;\n",
    b"CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$\n  // it's\n  return ';';\n$js$;\nSELECT 2;\n",
    b"SELECT 1\ngo\n;\nsource x\n;\nhelp;\nSELECT 2;\n",
    b"SELECT 1;\nquit\n;SELECT 2;\n",
    b"SELECT `a\\`;\nSELECT 2;\n",
    b"SET sql_mode='ANSI_QUOTES';\nSELECT 1 AS \"a\\\";\nSELECT 2;\n",
    b"/* a */ DELIMITER //\nSELECT 1; SELECT 2//\n",
    b"/* a */ /* b */ delimiter //\nSELECT 1; SELECT 2//\n",
];
