//! Accounts, their keys, nonces and the audit.

use crate::subject::{NOW, Subject};
use std::sync::Arc;
use store::{Conflict, Error, NewAudit};

pub(crate) async fn an_account_has_a_name_of_its_own(subject: Arc<Subject>) {
    let store = &subject.store;
    let one = store.create_account("one", NOW).await.unwrap();
    let two = store.create_account("two", NOW).await.unwrap();
    assert_ne!(one.id, two.id);
    assert_eq!(one.uin(), 100_000_000_000 + one.id);
    assert_eq!(one.uin().to_string().len(), 12);
    assert_eq!(store.account_by_name("one").await.unwrap(), one);
    assert_eq!(store.account(two.id).await.unwrap(), two);
    assert_eq!(store.accounts().await.unwrap(), [one, two]);

    let taken = store.create_account("one", NOW).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict(Conflict::Exists)), "{taken:?}");
    for name in ["three", "One", "one ", "oné"] {
        let missing = store.account_by_name(name).await.unwrap_err();
        assert!(matches!(missing, Error::NotFound), "{name}: {missing:?}");
        store.create_account(name, NOW).await.unwrap();
    }
    let nul = store.account_by_name("one\0").await.unwrap_err();
    assert!(matches!(nul, Error::Invalid { .. }), "{nul:?}");
    for name in ["", "a\0b", &"x".repeat(65)] {
        let bad = store.create_account(name, NOW).await.unwrap_err();
        assert!(matches!(bad, Error::Invalid { .. }), "{name}: {bad:?}");
    }
}

pub(crate) async fn a_key_is_made_found_disabled_and_removed(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, foreign) = (subject.account("mine").await, subject.account("foreign").await);
    let key = store.create_key(mine, NOW).await.unwrap();
    let second = store.create_key(mine, NOW + 1).await.unwrap();
    let secret = key.key_secret.text().unwrap();
    assert_eq!((key.key_id.len(), secret.len()), (36, 32));
    assert!(key.key_id.starts_with("AKID"));
    assert!((key.key_id.clone() + secret).chars().all(|c| c.is_ascii_alphanumeric()));
    assert_ne!(key.key_secret, second.key_secret);
    assert!(!format!("{key:?}").contains(secret));

    let found = subject.other.credentials(&key.key_id).await.unwrap();
    assert_eq!((found.account, found.enabled), (mine, true));
    assert_eq!(found.secret, key.key_secret);
    let ids = |keys: Vec<store::AccessKey>| -> Vec<String> {
        keys.into_iter().map(|key| key.key_id).collect()
    };
    let listed = store.keys(mine).await.unwrap();
    assert_eq!(ids(listed), [key.key_id.clone(), second.key_id.clone()]);
    assert_eq!(store.keys(foreign).await.unwrap(), []);

    let refused = store.enable_key(foreign, &key.key_id, false).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    let refused = store.remove_key(foreign, &key.key_id).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    for enabled in [false, false, true] {
        store.enable_key(mine, &key.key_id, enabled).await.unwrap();
        assert_eq!(store.credentials(&key.key_id).await.unwrap().enabled, enabled);
    }
    store.remove_key(mine, &key.key_id).await.unwrap();
    assert!(matches!(store.credentials(&key.key_id).await.unwrap_err(), Error::NotFound));
    assert!(matches!(store.remove_key(mine, &key.key_id).await.unwrap_err(), Error::NotFound));
    assert!(matches!(store.create_key(mine + 1000, NOW).await.unwrap_err(), Error::NotFound));
}

pub(crate) async fn a_nonce_is_new_once(subject: Arc<Subject>) {
    let store = &subject.store;
    assert!(store.remember_nonce("k", "n", NOW, NOW).await.unwrap());
    assert!(!subject.other.remember_nonce("k", "n", NOW, NOW + 5).await.unwrap());
    assert!(store.remember_nonce("k", "N", NOW, NOW).await.unwrap());
    // A request from the future is remembered from then on.
    assert!(store.remember_nonce("other", "n", NOW + 100, NOW).await.unwrap());
    assert_eq!(store.forget_nonces(NOW).await.unwrap(), 0);
    assert_eq!(store.forget_nonces(NOW + 50).await.unwrap(), 2);
    assert!(store.remember_nonce("k", "n", NOW, NOW).await.unwrap());
    assert!(!store.remember_nonce("other", "n", NOW, NOW).await.unwrap());
    let bad = store.remember_nonce("k", &"n".repeat(129), NOW, NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}

pub(crate) async fn the_audit_is_listed_newest_first_and_pruned(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let entry = |account, object| NewAudit {
        account,
        actor: "AKID1",
        action: "CreateDBImportJob",
        object,
        outcome: "ok",
    };
    for (at, object) in [(1, "first"), (2, "second"), (3, "third")] {
        store.append_audit(&entry(Some(account), object), NOW + at).await.unwrap();
    }
    store.append_audit(&entry(None, "nobody's"), NOW).await.unwrap();
    let page = store.audit(account, 1, 5).await.unwrap();
    let objects: Vec<&str> = page.items.iter().map(|entry| entry.object.as_str()).collect();
    assert_eq!((page.total, objects), (3, vec!["second", "first"]));
    let second = &page.items[0];
    assert_eq!((second.actor.as_str(), second.created_at), ("AKID1", NOW + 2));

    assert_eq!(store.prune_audit(NOW + 3, 2).await.unwrap(), 2);
    assert_eq!(store.prune_audit(NOW + 3, 2).await.unwrap(), 1);
    assert_eq!(store.prune_audit(NOW + 3, 2).await.unwrap(), 0);
    assert_eq!(store.audit(account, 0, 5).await.unwrap().total, 1);
    let long = "x".repeat(256);
    let bad = store.append_audit(&entry(None, &long), NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}
