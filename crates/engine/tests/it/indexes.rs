//! Indexes that are taken out of a table and given back, also by another process and more than once.

use std::sync::Arc;

use engine::endpoint::Endpoint;
use engine::error::ErrorKind;
use engine::import::indexes::builder::{Builder, Setting};
use engine::import::indexes::deferral::{Deferral, Presence};
use engine::import::indexes::gauge::{Building, Gauge};
use engine::import::indexes::sight::Created;
use engine::import::session::SessionState;
use engine::mysql::conn::Conn;
use engine::mysql::facts::Flavor;
use sandbox::Server;

const TABLES: &str = "CREATE DATABASE s; USE s; CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE t (id \
    INT PRIMARY KEY, a INT, b INT, KEY ka (a), KEY kb (b), CONSTRAINT fk FOREIGN KEY (b) REFERENCES p (id));";
const OURS: Setting = Setting { session: None, wait_seconds: Some(5) };

async fn taken_out(endpoint: &Endpoint, flavor: Flavor) -> Deferral {
    let mut conn = Conn::open(endpoint, "test").await.unwrap();
    let session = Arc::new(SessionState::read(&mut conn).await.unwrap());
    let named = ["ka", "kb"].map(str::to_owned).into();
    let created = Created { named, if_not_exists: true };
    let mut builder = Builder::new(endpoint.clone(), flavor);
    let deferral = builder.plan("s", "t", &created, &session, &[]).await.unwrap();
    builder.take_out(&deferral, &session).await.unwrap();
    builder.close().await;
    conn.close().await;
    deferral
}

async fn presence(endpoint: &Endpoint, deferral: &Deferral) -> Presence {
    let mut conn = Conn::open(endpoint, "test").await.unwrap();
    let rows = conn.rows("SHOW CREATE TABLE s.t").await.unwrap();
    conn.close().await;
    deferral.presence(rows[0][1].as_ref().unwrap())
}

async fn check(sandbox_flavor: sandbox::Flavor, flavor: Flavor) {
    let server = Server::start(sandbox_flavor).unwrap();
    server.sql(TABLES).unwrap();
    let endpoint = Endpoint::parse(&server.url(None)).unwrap();
    let deferral = taken_out(&endpoint, flavor).await;
    assert_eq!(deferral.names, ["ka", "kb", "fk"]);
    assert_eq!(presence(&endpoint, &deferral).await, Presence::Missing(0));
    server.sql("INSERT INTO s.t VALUES (1,1,77)").unwrap();
    let mut other = Builder::new(endpoint.clone(), flavor);
    for (steps, wanted) in
        [(1, Presence::Missing(1)), (2, Presence::Present), (2, Presence::Present)]
    {
        other.give_back(&deferral, &OURS, steps).await.unwrap();
        assert_eq!(presence(&endpoint, &deferral).await, wanted);
    }
    server.sql("ALTER TABLE s.t DROP KEY ka, ADD COLUMN c INT").unwrap();
    let refused = other.give_back(&deferral, &OURS, 2).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Statement);
    assert_eq!(presence(&endpoint, &deferral).await, Presence::Changed);
    other.close().await;
}

#[tokio::test]
async fn what_is_taken_out_comes_back_on_mariadb() {
    check(sandbox::Flavor::MariaDb, Flavor::MariaDb).await;
}

#[tokio::test]
async fn what_is_taken_out_comes_back_on_mysql() {
    check(sandbox::Flavor::MySql, Flavor::MySql).await;
}

/// A build of some seconds at most, asked about as often as the server answers.
async fn percents(flavor: sandbox::Flavor) -> Vec<u8> {
    let server = Server::start(flavor).unwrap();
    server
        .sql(
            "CREATE DATABASE s; USE s; CREATE TABLE s.t (id INT PRIMARY KEY, a VARCHAR(60)) AS WITH RECURSIVE n \
             (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 900) SELECT x.id * 1000 + y.id AS \
             id, LEFT(SHA2(x.id * 1000 + y.id, 256), 40) AS a FROM n AS x, n AS y WHERE x.id < 200",
        )
        .unwrap();
    let endpoint = Endpoint::parse(&server.url(None)).unwrap();
    let mut builder = Conn::open(&endpoint, "test").await.unwrap();
    let building = Building::default();
    building.begin(builder.id());
    let ours = match flavor {
        sandbox::Flavor::MariaDb => Flavor::MariaDb,
        sandbox::Flavor::MySql => Flavor::MySql,
    };
    let mut gauge = Gauge::new(endpoint, ours, building);
    let mut build =
        std::pin::pin!(builder.query(b"ALTER TABLE s.t ADD KEY ka (a), ADD KEY kb (a, id)"));
    let mut told = Vec::new();
    loop {
        tokio::select! {
            biased;
            built = &mut build => {
                built.unwrap();
                break;
            }
            percent = gauge.percent() => told.extend(percent),
        }
    }
    gauge.close().await;
    told
}

#[tokio::test]
async fn mariadb_tells_how_far_a_build_is() {
    check_told(&percents(sandbox::Flavor::MariaDb).await);
}

#[tokio::test]
async fn mysql_tells_how_far_a_build_is() {
    check_told(&percents(sandbox::Flavor::MySql).await);
}

#[track_caller]
fn check_told(told: &[u8]) {
    assert!(told.iter().any(|percent| (1..100).contains(percent)), "{} answers", told.len());
}
