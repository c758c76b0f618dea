//! The digest of a row that a copy compares by: other rows have another one, on both servers.

use engine::copy::mysql::{catalog, session};
use engine::endpoint::Endpoint;
use engine::mysql::facts;
use sandbox::{Flavor, Server};

/// No two rows of a table are alike, but nearly: values shifted from one column into the next, NULL or
/// empty, one byte.
const TABLES: &str = r"
CREATE DATABASE s CHARACTER SET utf8mb4; USE s;
CREATE TABLE texts (a VARCHAR(20) COLLATE utf8mb4_general_ci, b VARCHAR(20) COLLATE utf8mb4_general_ci);
INSERT INTO texts VALUES ('a#','b'), ('a','#b'), ('a#b',''), ('','a#b'), ('a','b'), ('ab',''), ('','ab'), ('ab',NULL),
    (NULL,'ab'), ('',''), ('',NULL), (NULL,''), (NULL,NULL), ('A','b'), ('a ','b'), ('ä','b'), ('0','1'), ('1','0'),
    ('ÿ',''), ('','ÿ');
CREATE TABLE mixed (a VARCHAR(20) CHARACTER SET latin1, b VARCHAR(20) CHARACTER SET utf8mb4,
    c VARBINARY(20), d TINYBLOB);
INSERT INTO mixed VALUES ('ÿ','','',''), ('','ÿ','',''), ('','',X'FF',''), ('','','',X'FF'), ('ÿ','',X'FF',''),
    ('','','',''), ('ÿÿ','','',''), ('','',X'FFFF',''), ('a','',X'FF62',''), ('a','',X'FF',X'62'), ('aÿ','','b',''),
    ('a','','','b'), ('a',NULL,'','b'), ('a','',NULL,'b'), ('a','','b',NULL), (NULL,'','','b'), ('aÿÿÿb',NULL,NULL,NULL),
    ('a','','','ÿb');
CREATE TABLE bytes (a VARBINARY(20), n INT, b BINARY(2), m INT);
INSERT INTO bytes VALUES (X'31FF32',3,X'FF33',4), (X'31',2,X'FF33',4), (X'31FF',2,X'FF33',4), (X'31',2,X'33FF',4),
    (NULL,2,X'FF33',4), ('',2,X'FF33',4), (X'00',2,X'FF33',4), (X'0000',2,X'FF33',4);
CREATE TABLE numbers (n BIGINT, m DECIMAL(10,2), x DOUBLE, d DATE, t DATETIME(3), b BIT(8), e ENUM('', '1') NOT NULL);
INSERT INTO numbers VALUES (1,23,0,'2026-01-02','2026-01-02 00:00:00.001',1,1), (12,3,0,'2026-01-02',
    '2026-01-02 00:00:00.001',1,1), (1,23,0,'2026-01-02','2026-01-02 00:00:00.010',1,1), (1,23,0,'2026-01-02',NULL,1,1),
    (1,NULL,23,'2026-01-02',NULL,1,1), (NULL,1,23,'2026-01-02',NULL,1,1), (1,23,0,'2026-01-02',NULL,0,1),
    (1,23,0,'2026-01-02',NULL,NULL,1), (1,23,0,'2026-01-02',NULL,1,2), (-1,23,0,'2026-01-02',NULL,1,1),
    (1,23,1e-300,'2026-01-02',NULL,1,1), (1,23.01,0,'2026-01-02',NULL,1,1), (1,2.3,0,'2026-01-02',NULL,1,1);
CREATE TABLE present (n BIGINT NOT NULL, m DECIMAL(10,2) NOT NULL, k DECIMAL(6,0) NOT NULL, d DATE NOT NULL,
    t DATETIME(3) NOT NULL, a VARCHAR(20) NOT NULL, b VARBINARY(20) NOT NULL, c TINYBLOB NOT NULL, x VARCHAR(20) COLLATE
    utf8mb4_bin);
INSERT INTO present VALUES (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','','','',''), (12,3,4,'2026-01-02',
    '2026-01-02 00:00:00.001','','','',''), (1,2.3,4,'2026-01-02','2026-01-02 00:00:00.001','','','',''), (1,23.4,4,
    '2026-01-02','2026-01-02 00:00:00.001','','','',''), (14,23,4,'2026-01-02','2026-01-02 00:00:00.001','','','',''),
    (1,23,41,'2026-01-02','2026-01-02 00:00:00.001','','','',''), (11,23,4,'2026-01-02','2026-01-02 00:00:00.001','','',
    '',''), (1,-23,4,'2026-01-02','2026-01-02 00:00:00.001','','','',''), (-1,23,4,'2026-01-02',
    '2026-01-02 00:00:00.001','','','',''), (1,23,4,'2026-01-03','2026-01-02 00:00:00.001','','','',''), (1,23,4,
    '2026-01-02','2026-01-02 00:00:00.010','','','',''), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','a','','',''),
    (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','','a','',''), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','','',
    'a',''), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','','','','a'), (1,23,4,'2026-01-02',
    '2026-01-02 00:00:00.001','','','',NULL), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','',X'FF','',''), (1,23,4,
    '2026-01-02','2026-01-02 00:00:00.001','','',X'FF',''), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','',X'FFFF','',
    ''), (1,23,4,'2026-01-02','2026-01-02 00:00:00.001','ÿ','','','');
";

async fn check(flavor: Flavor) {
    let server = Server::start(flavor).unwrap();
    server.sql(TABLES).unwrap();
    let endpoint = Endpoint::parse(&server.url(None)).unwrap();
    let mut conn = session::catalogue(&endpoint).await.unwrap();
    let facts = facts::gather(&mut conn).await.unwrap();
    let database = catalog::read(&mut conn, &facts, "s").await.unwrap();
    assert_eq!(database.tables.len(), 5);
    for table in &database.tables {
        for is_across in [false, true] {
            let digest = table.row_digest(is_across);
            let from = table.from("s", None);
            let sql = format!("SELECT COUNT(*), COUNT(DISTINCT {digest}) FROM {from}");
            let row = conn.rows(&sql).await.unwrap().remove(0);
            let all = row[0].as_deref().and_then(|count| count.parse::<u32>().ok());
            assert!(all > Some(7), "{flavor:?}, {}", table.name);
            assert_eq!(row[0], row[1], "{flavor:?}, {}: {digest}", table.name);
        }
    }
    conn.close().await;
}

#[tokio::test]
async fn rows_that_differ_have_other_digests_on_mariadb() {
    check(Flavor::MariaDb).await;
}

#[tokio::test]
async fn rows_that_differ_have_other_digests_on_mysql() {
    check(Flavor::MySql).await;
}
