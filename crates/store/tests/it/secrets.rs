//! What is secret: nowhere in clear, and sealed to its place.

use crate::subject::{Kind, NOW, Subject, instance, job_on};
use sqlx::{Row, TypeInfo, ValueRef};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use store::{Begin, Error, NewJob, Outcome, Secret, Store};

const PASSWORD: &str = "correct horse battery staple";
const JOB_SECRET: &str = "tr0ub4dor&3 and more";
const DIGEST: &str = "the digest of a request, which may hold a password";

pub(crate) async fn nothing_secret_is_in_clear(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let key = store.create_key(account, NOW).await.unwrap();
    store.register_instance(account, &instance("db-1", PASSWORD), NOW).await.unwrap();
    let secret = Secret::from(JOB_SECRET);
    subject.enqueue(account, &NewJob { secret: Some(&secret), ..job_on("db-1") }).await;
    store.begin_request(account, "its key", DIGEST, 0, NOW).await.unwrap();
    let lease = subject.claim("w").await.lease;
    assert_eq!(store.job_secret(&lease).await.unwrap(), Some(secret));

    let mut dump = dump(&subject).await;
    if subject.kind == Kind::Sqlite {
        for file in subject.files() {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            dump.extend(fs::read(file).unwrap());
        }
    }
    let contains = |text: &str| dump.windows(text.len()).any(|window| window == text.as_bytes());
    for visible in [key.key_id.as_str(), "ssl-mode=required", "its key", r#"{"file":"a.sql"}"#] {
        assert!(contains(visible), "{visible}");
    }
    for hidden in [key.key_secret.text().unwrap(), PASSWORD, JOB_SECRET, DIGEST] {
        assert!(!contains(hidden), "{hidden}");
    }
}

/// Every text and every byte value of every table.
async fn dump(subject: &Subject) -> Vec<u8> {
    let tables = match subject.kind {
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        Kind::Postgres => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'"
        }
        Kind::MariaDb | Kind::MySql | Kind::Prefixed => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
    };
    let mut dump = Vec::new();
    let tables = subject.rows(tables).await;
    assert!(tables.len() >= 12, "{} tables", tables.len());
    for table in tables {
        let table: String = table.try_get(0).unwrap();
        for row in subject.rows(&format!("SELECT * FROM {table}")).await {
            for column in 0..row.len() {
                let kind = row.try_get_raw(column).unwrap().type_info().name().to_owned();
                match kind.as_str() {
                    "TEXT" => dump.extend(row.get::<String, _>(column).into_bytes()),
                    "BLOB" => dump.extend(row.get::<Vec<u8>, _>(column)),
                    _ => {}
                }
            }
        }
    }
    dump
}

pub(crate) async fn a_sealed_value_opens_in_its_row_only(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let one = store.create_key(account, NOW).await.unwrap().key_id;
    let two = store.create_key(account, NOW).await.unwrap().key_id;
    subject.copy_bytes("access_key", "secret", "key_id", [&one, &two]).await;
    assert!(matches!(store.credentials(&two).await.unwrap_err(), Error::Sealed));
    store.credentials(&one).await.unwrap();

    for id in ["db-1", "db-2"] {
        store.register_instance(account, &instance(id, PASSWORD), NOW).await.unwrap();
    }
    subject.copy_bytes("instance", "admin_password", "id", ["db-1", "db-2"]).await;
    let refused = store.instance_password(account, "db-2").await.unwrap_err();
    assert!(matches!(refused, Error::Sealed));
    store.instance_password(account, "db-1").await.unwrap();

    let secret = Secret::from(JOB_SECRET);
    let new = NewJob { secret: Some(&secret), ..job_on("db-1") };
    let (first, second) =
        (subject.enqueue(account, &new).await, subject.enqueue(account, &new).await);
    let rows = [first.public_id.as_str(), second.public_id.as_str()];
    subject.copy_bytes("job", "secret", "public_id", rows).await;
    let lease = subject.claim("w").await.lease;
    assert_eq!(store.job_secret(&lease).await.unwrap(), Some(secret));
    let lease = subject.claim("w").await.lease;
    assert!(matches!(store.job_secret(&lease).await.unwrap_err(), Error::Sealed));
}

pub(crate) async fn a_finished_job_has_no_secret(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let secret = Secret::from(JOB_SECRET);
    let new = NewJob { secret: Some(&secret), ..job_on("db-1") };
    subject.enqueue(account, &new).await;
    let lease = subject.claim("w").await.lease;
    store.finish(&lease, Outcome::Succeeded("{}")).await.unwrap();
    assert!(matches!(store.job_secret(&lease).await.unwrap_err(), Error::LeaseLost));
    let cancelled = subject.enqueue(account, &new).await;
    store.cancel(account, cancelled.id, NOW).await.unwrap();
    let kept = "SELECT COUNT(*) FROM job WHERE secret IS NOT NULL";
    assert_eq!(subject.number(kept).await, 0);
    subject.enqueue(account, &new).await;
    assert_eq!(subject.number(kept).await, 1);
}

pub(crate) async fn another_key_is_refused(subject: Arc<Subject>) {
    let wrong = Store::open(subject.url(), subject.key("another key")).await.unwrap_err();
    assert!(matches!(wrong, Error::Sealed), "{wrong:?}");
    Store::open(subject.url(), subject.key("key")).await.unwrap().ping().await.unwrap();
}

#[test]
fn a_key_file_is_made_once_and_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = std::thread::scope(|scope| {
        let makers = (0..4).map(|_| scope.spawn(|| store::SealingKey::load_or_create(&path)));
        let makers: Vec<_> = makers.collect();
        makers.into_iter().all(|maker| maker.join().unwrap().is_ok())
    });
    assert!(made);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 32);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    store::SealingKey::load_or_create(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);

    let refused = |what: &str| {
        let error = store::SealingKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, Error::KeyFile { .. }), "{what}: {error:?}");
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    refused("others may read it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, &bytes[..31]).unwrap();
    refused("it is short");
    fs::write(&path, [bytes.as_slice(), &[0]].concat()).unwrap();
    refused("it is long");
}

/// One of each kind of sealed value; what it takes to read them.
async fn seal_all(store: &Store) -> (i64, String) {
    let account = store.create_account("a", NOW).await.unwrap().id;
    for number in 0..3 {
        store
            .register_instance(account, &instance(&format!("db-{number}"), PASSWORD), NOW)
            .await
            .unwrap();
    }
    let key = store.create_key(account, NOW).await.unwrap();
    let secret = Secret::from(JOB_SECRET);
    let new = NewJob { secret: Some(&secret), ..job_on("db-1") };
    store.enqueue(account, &new, NOW).await.unwrap();
    store.enqueue(account, &job_on("db-2"), NOW).await.unwrap();
    store.begin_request(account, "its key", DIGEST, 0, NOW).await.unwrap();
    (account, key.key_id)
}

async fn check_all(store: &Store, (account, key_id): &(i64, String), claims: bool) {
    assert_eq!(store.credentials(key_id).await.unwrap().account, *account);
    let password = store.instance_password(*account, "db-2").await.unwrap();
    assert_eq!(password.text().unwrap(), PASSWORD);
    let again = store.begin_request(*account, "its key", DIGEST, 0, NOW).await.unwrap();
    assert!(matches!(again, Begin::Pending), "{again:?}");
    let other = store.begin_request(*account, "its key", "other", 0, NOW).await.unwrap();
    assert!(matches!(other, Begin::Other), "{other:?}");
    if claims {
        let lease = store.claim("w", 60_000, 9).await.unwrap().unwrap().lease;
        assert_eq!(store.job_secret(&lease).await.unwrap(), Some(Secret::from(JOB_SECRET)));
    }
}

pub(crate) async fn a_new_key_opens_what_the_old_one_sealed(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let store = Store::open_at(&url, &path).await.unwrap();
    let made = seal_all(&store).await;
    // Not under somebody who has it open.
    let refused = Store::rotate_key(&url, &path).await.unwrap_err();
    assert!(matches!(refused, Error::KeyFile { .. }), "{refused:?}");
    store.close().await;
    drop(store);
    let before = fs::read(&path).unwrap();
    let rotated = Store::rotate_key(&url, &path).await.unwrap();
    // Three passwords, a key, a job's secret and a request.
    assert_eq!((rotated.values, rotated.was_done), (6, false));
    assert_ne!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read(folder.path().join("key.old")).unwrap(), before);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.path().join("key.next").exists());
    let store = Store::open_at(&url, &path).await.unwrap();
    check_all(&store, &made, true).await;
    store.close().await;
    let old = store::SealingKey::load_or_create(&folder.path().join("key.old")).unwrap();
    assert!(matches!(Store::open(&url, old).await.unwrap_err(), Error::Sealed));
}

pub(crate) async fn a_rotation_that_broke_off_is_completed(subject: Arc<Subject>) {
    let url = subject.fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("key"), folder.path().join("key.next"));
    let store = Store::open_at(&url, &path).await.unwrap();
    let made = seal_all(&store).await;
    store.close().await;
    drop(store);
    let before = fs::read(&path).unwrap();
    // As a kill right after the commit leaves the files, once for whoever opens the store and once
    // for the next rotation.
    for is_opened in [true, false] {
        let old = fs::read(&path).unwrap();
        Store::rotate_key(&url, &path).await.unwrap();
        fs::rename(&path, &next).unwrap();
        fs::rename(folder.path().join("key.old"), &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), old);
        if !is_opened {
            let rotated = Store::rotate_key(&url, &path).await.unwrap();
            assert_eq!((rotated.values, rotated.was_done), (0, true));
        }
        let store = Store::open_at(&url, &path).await.unwrap();
        check_all(&store, &made, !is_opened).await;
        assert!(!next.exists());
        store.close().await;
    }
    // As a kill before the commit leaves them: the old key still opens all, and the new one is used.
    fs::write(&next, [7; 32]).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    let store = Store::open_at(&url, &path).await.unwrap();
    check_all(&store, &made, false).await;
    store.close().await;
    drop(store);
    Store::rotate_key(&url, &path).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), [7; 32]);
    assert_ne!(fs::read(&path).unwrap(), before);
}
