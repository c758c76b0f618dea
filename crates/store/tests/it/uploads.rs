//! Uploads.

use crate::subject::{NOW, Subject};
use std::sync::Arc;
use store::{Conflict, Error, NewUpload, UploadState};

fn named<'a>(name: &'a str, storage_key: &'a str) -> NewUpload<'a> {
    NewUpload { name, storage_key, size_bytes: None, replace: false, expires_at: NOW + 1_000 }
}

fn digest() -> String {
    "0123456789abcdef".repeat(4)
}

pub(crate) async fn an_upload_is_begun_advanced_and_finished(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, foreign) = (subject.account("mine").await, subject.account("foreign").await);
    let new = NewUpload { size_bytes: Some(9 << 40), ..named("a.sql", "k1") };
    let begun = store.begin_upload(mine, &new, NOW).await.unwrap();
    assert_eq!(begun.replaced_key, None);
    let id = begun.upload.id;
    assert_eq!(begun.upload.size_bytes, Some(9 << 40));
    assert_eq!((begun.upload.state, begun.upload.received_bytes), (UploadState::Receiving, 0));
    store.advance_upload(mine, id, 5 << 40).await.unwrap();
    store.advance_upload(mine, id, 5 << 40).await.unwrap();
    assert_eq!(store.upload(mine, "a.sql").await.unwrap().received_bytes, 5 << 40);
    let back = store.advance_upload(mine, id, 1).await.unwrap_err();
    assert!(matches!(back, Error::NotFound));

    let digest = digest();
    assert!(matches!(store.upload(foreign, "a.sql").await.unwrap_err(), Error::NotFound));
    let refused = store.advance_upload(foreign, id, 6 << 40).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    let refused = store.finish_upload(foreign, id, 1, &digest, NOW).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    assert!(matches!(store.remove_upload(foreign, "a.sql").await.unwrap_err(), Error::NotFound));

    for bad in ["", "0", &digest.to_uppercase(), &"g".repeat(64)] {
        let refused = store.finish_upload(mine, id, 1, bad, NOW).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }), "{bad}");
    }
    store.finish_upload(mine, id, 7, &digest, NOW + 1).await.unwrap();
    let done = store.upload(mine, "a.sql").await.unwrap();
    assert_eq!((done.state, done.size_bytes), (UploadState::Finished, Some(7)));
    assert_eq!((done.sha256, done.finished_at), (Some(digest.clone()), Some(NOW + 1)));
    let again = store.finish_upload(mine, id, 7, &digest, NOW).await.unwrap_err();
    assert!(matches!(again, Error::NotFound));
    assert!(matches!(store.advance_upload(mine, id, 9).await.unwrap_err(), Error::NotFound));
}

pub(crate) async fn a_finished_upload_is_replaced_on_request_only(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, other) = (subject.account("mine").await, subject.account("other").await);
    let first = store.begin_upload(mine, &named("a.sql", "k1"), NOW).await.unwrap().upload;
    let replacing = NewUpload { replace: true, ..named("a.sql", "k2") };
    let conflict = |error: Error| matches!(error, Error::Conflict(Conflict::Exists));
    // Still being received: not even on request.
    assert!(conflict(store.begin_upload(mine, &replacing, NOW).await.unwrap_err()));
    store.finish_upload(mine, first.id, 1, &digest(), NOW).await.unwrap();
    assert!(conflict(store.begin_upload(mine, &named("a.sql", "k2"), NOW).await.unwrap_err()));
    assert!(conflict(store.begin_upload(mine, &named("b.sql", "k1"), NOW).await.unwrap_err()));
    let begun = store.begin_upload(mine, &replacing, NOW).await.unwrap();
    assert_eq!(begun.replaced_key.as_deref(), Some("k1"));
    assert_ne!(begun.upload.id, first.id);
    assert!(matches!(store.advance_upload(mine, first.id, 9).await.unwrap_err(), Error::NotFound));
    // Names are an account's own, and byte for byte.
    store.begin_upload(other, &named("a.sql", "k3"), NOW).await.unwrap();
    store.begin_upload(mine, &named("A.sql", "k4"), NOW).await.unwrap();
    store.begin_upload(mine, &named("a.sql ", "k5"), NOW).await.unwrap();
    let nobody = store.begin_upload(mine + 1000, &named("a.sql", "k6"), NOW).await.unwrap_err();
    assert!(matches!(nobody, Error::NotFound));
}

pub(crate) async fn uploads_are_listed_expire_and_are_removed(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    for (name, key, expires_at) in [("a", "k1", NOW + 3), ("b", "k2", NOW + 1), ("c", "k3", NOW)] {
        let new = NewUpload { expires_at, ..named(name, key) };
        store.begin_upload(account, &new, NOW).await.unwrap();
    }
    let names = |uploads: Vec<store::Upload>| -> String {
        uploads.into_iter().map(|upload| upload.name).collect()
    };
    let page = store.uploads(account, 1, 5).await.unwrap();
    assert_eq!((names(page.items), page.total), ("ba".to_owned(), 3));
    assert_eq!(names(store.expired_uploads(NOW + 1, 5).await.unwrap()), "cb");
    assert_eq!(names(store.expired_uploads(NOW + 1, 1).await.unwrap()), "c");
    assert_eq!(store.remove_upload(account, "c").await.unwrap(), "k3");
    assert!(matches!(store.remove_upload(account, "c").await.unwrap_err(), Error::NotFound));
    assert_eq!(names(store.expired_uploads(NOW + 1, 5).await.unwrap()), "b");
}
