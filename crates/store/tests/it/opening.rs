//! Opening a store: its tables are made once, and what cannot be opened says why.

use crate::subject::{Kind, NOW, Subject};
use sqlx::Connection;
use std::sync::Arc;
use store::{Begin, Error, SealingKey, Store};

const FIRST: &str = include_str!("../../src/schema/0001_tables.sql");
const SECOND: &str = include_str!("../../src/schema/0002_requests.sql");

pub(crate) async fn two_at_once_make_the_tables_once(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    let opens = (0..4).map(|_| {
        let (url, key) = (url.clone(), subject.key("key"));
        tokio::spawn(async move { Store::open(&url, key).await.unwrap() })
    });
    let mut stores = Vec::new();
    for open in opens.collect::<Vec<_>>() {
        stores.push(open.await.unwrap());
    }
    let made = stores[0].create_account("a", NOW).await.unwrap();
    assert_eq!(stores[3].account_by_name("a").await.unwrap(), made);
    for store in stores {
        store.close().await;
    }
}

pub(crate) async fn a_newer_store_is_left_alone(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    Store::open(&url, subject.key("key")).await.unwrap().close().await;
    run(&url, "UPDATE schema_version SET version = 99").await;
    let error = Store::open(&url, subject.key("key")).await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, known: 2 }), "{error:?}");
}

/// As the first version left it.
pub(crate) async fn an_older_store_is_brought_up_to_date(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    let store = Store::open(&url, subject.key("key")).await.unwrap();
    let account = store.create_account("a", NOW).await.unwrap();
    store.close().await;
    run(&url, "DROP TABLE request").await;
    run(&url, "UPDATE schema_version SET version = 1, steps = 0").await;
    let store = Store::open(&url, subject.key("key")).await.unwrap();
    assert_eq!(store.account_by_name("a").await.unwrap(), account);
    let begun = store.begin_request(account.id, "k", "one", 0, NOW).await.unwrap();
    assert!(matches!(begun, Begin::Yours(_)), "{begun:?}");
    store.close().await;
}

pub(crate) async fn a_refused_login_is_unreachable(subject: Arc<Subject>) {
    let shown = format!("{:?} {:?}", subject.store, subject.key("key"));
    assert!(!shown.contains("sandbox"), "{shown}");
    if subject.kind == Kind::Sqlite {
        return;
    }
    let url = subject.url();
    for url in [url.replace(":sandbox@", ":hunter2@"), url.replace("/store0", "/nowhere")] {
        assert_ne!(url, subject.url());
        let error = Store::open(&url, subject.key("key")).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

/// Neither sees what is the other's, and no table is without a prefix.
pub(crate) async fn two_stores_share_a_database(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    let open = async |prefix: &str| {
        let url = format!("{url}?table_prefix={prefix}");
        Store::open(&url, subject.key("key")).await
    };
    let (one, two) = (open("a_").await.unwrap(), open("a_b_").await.unwrap());
    let made = one.create_account("shop", NOW).await.unwrap();
    assert!(matches!(two.account_by_name("shop").await.unwrap_err(), Error::NotFound));
    one.close().await;
    two.close().await;
    let again = open("a_").await.unwrap();
    assert_eq!(again.account_by_name("shop").await.unwrap(), made);
    again.close().await;
    let query = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'STORE' AND \
                 table_name NOT LIKE 'a\\_%'";
    let database = url.rsplit('/').next().unwrap();
    assert_eq!(subject.number(&query.replace("STORE", database)).await, 0);
}

/// As a process leaves it that was killed after it made the last table, before the last index.
pub(crate) async fn tables_half_made_are_completed(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    Store::open(&url, subject.key("key")).await.unwrap().close().await;
    // Killed in the second version: its table is there.
    let steps = SECOND.matches(";\n").count();
    run(&url, "DROP INDEX request_created ON request").await;
    run(&url, &format!("UPDATE schema_version SET version = 1, steps = {}", steps - 1)).await;
    Store::open(&url, subject.key("key")).await.unwrap().close().await;
    // Killed in the first.
    run(&url, "DROP TABLE request").await;
    let steps = FIRST.matches(";\n").count();
    run(&url, "DROP INDEX nonce_keep ON nonce").await;
    run(&url, &format!("UPDATE schema_version SET version = 0, steps = {}", steps - 1)).await;
    Store::open(&url, subject.key("key")).await.unwrap().close().await;
    run(&url, "DROP INDEX nonce_keep ON nonce").await;
    // Tables that nobody here has made are not taken for ours.
    run(&url, "UPDATE schema_version SET version = 0, steps = 0").await;
    let error = Store::open(&url, subject.key("key")).await.unwrap_err();
    assert!(matches!(error, Error::Other(_)), "{error:?}");
}

async fn run(url: &str, text: &str) {
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let text = sqlx::AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |url: &str| {
        let key = SealingKey::load_or_create(&folder.path().join("key")).unwrap();
        Store::open(url, key).await.unwrap_err()
    };
    let missing = format!("sqlite:{}/no/store.db", folder.path().display());
    // Nothing listens on the port of a listener that is gone.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let postgres = format!("postgres://u:hunter2@127.0.0.1:{port}/d");
    let mysql = format!("mysql://u:hunter2@127.0.0.1:{port}/d");
    for url in [missing, postgres, mysql] {
        let error = open(&url).await;
        assert!(matches!(error, Error::Unreachable(_)), "{url}: {error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    for url in ["redis://127.0.0.1", "sqlite::memory:", "sqlite:", "", "mysql://a b"] {
        let error = open(url).await;
        assert!(matches!(error, Error::Invalid { .. }), "{url}: {error:?}");
    }
}
