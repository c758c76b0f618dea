//! Requests that are repeated: done once, answered as often as asked.

use crate::subject::{NOW, Subject, idempotent};
use std::sync::Arc;
use store::{Begin, Error, Turn};

/// Nothing that was begun counts as abandoned.
const NEVER: i64 = 0;

async fn turn(subject: &Subject, account: i64, key: &str, digest: &str) -> Turn {
    match subject.store.begin_request(account, key, digest, NEVER, NOW).await.unwrap() {
        Begin::Yours(turn) => turn,
        other => panic!("{other:?}"),
    }
}

async fn check(subject: &Subject, account: i64, key: &str, digest: &str, expected: Begin) {
    let begun = subject.other.begin_request(account, key, digest, NEVER, NOW + 1).await.unwrap();
    assert_eq!(begun, expected, "{key} {digest}");
}

pub(crate) async fn a_request_is_done_once_and_answered_again(subject: Arc<Subject>) {
    let (own, other) = (subject.account("a").await, subject.account("b").await);
    let mine = turn(&subject, own, "k", "one").await;
    assert!(!mine.is_again);
    check(&subject, own, "k", "one", Begin::Pending).await;
    check(&subject, own, "k", "two", Begin::Other).await;
    subject.store.answer_request(&mine, "{\"id\":1}").await.unwrap();
    check(&subject, own, "k", "one", Begin::Answered("{\"id\":1}".to_owned())).await;
    check(&subject, own, "k", "two", Begin::Other).await;
    // An answer stays what it is.
    subject.store.answer_request(&mine, "{}").await.unwrap();
    subject.store.drop_request(&mine).await.unwrap();
    check(&subject, own, "k", "one", Begin::Answered("{\"id\":1}".to_owned())).await;
    // A key is an account's own, and compared letter by letter.
    assert_ne!(turn(&subject, other, "k", "two").await.job_key, mine.job_key);
    turn(&subject, own, "K", "two").await;
    for (key, digest) in [("", "d"), (&"k".repeat(256) as &str, "d"), ("n", ""), ("a\0", "d")] {
        let begun = subject.store.begin_request(own, key, digest, NEVER, NOW).await;
        assert!(matches!(begun, Err(Error::Invalid { .. })), "{begun:?}");
    }
    let nobody = subject.store.begin_request(4711, "k", "one", NEVER, NOW).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
}

pub(crate) async fn a_refused_request_may_be_tried_again(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let first = turn(&subject, account, "k", "one").await;
    subject.store.drop_request(&first).await.unwrap();
    let second = turn(&subject, account, "k", "two").await;
    assert_ne!(first.job_key, second.job_key);
}

pub(crate) async fn an_abandoned_request_is_taken_over_by_one(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let first = turn(&subject, account, "k", "one").await;
    let job = subject.enqueue(account, &idempotent(&first.job_key, "one")).await;
    let later = NOW + 10;
    let again = subject.other.begin_request(account, "k", "one", NOW + 1, later).await.unwrap();
    let Begin::Yours(second) = again else { panic!("{again:?}") };
    assert!(second.is_again);
    let found = subject.other.job_by_idempotency_key(account, &second.job_key).await.unwrap();
    assert_eq!(found.id, job.id);
    let third = subject.store.begin_request(account, "k", "one", NOW + 1, later + 1).await.unwrap();
    assert_eq!(third, Begin::Pending);
    // The first comes back too late.
    subject.store.drop_request(&first).await.unwrap();
    subject.store.answer_request(&first, "1").await.unwrap();
    subject.other.answer_request(&second, "2").await.unwrap();
    check(&subject, account, "k", "one", Begin::Answered("2".to_owned())).await;
    let stranger = subject.account("b").await;
    let hidden = subject.store.job_by_idempotency_key(stranger, &second.job_key).await;
    assert!(matches!(hidden, Err(Error::NotFound)), "{hidden:?}");
}

pub(crate) async fn requests_at_once_are_one(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let begins = (0..8).map(|at| {
        let store = if at % 2 == 0 { subject.store.clone() } else { subject.other.clone() };
        tokio::spawn(
            async move { store.begin_request(account, "k", "one", NEVER, NOW).await.unwrap() },
        )
    });
    let mut yours = 0;
    for begin in begins.collect::<Vec<_>>() {
        match begin.await.unwrap() {
            Begin::Yours(_) => yours += 1,
            other => assert_eq!(other, Begin::Pending),
        }
    }
    assert_eq!(yours, 1);
}

pub(crate) async fn old_requests_are_forgotten(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let old = turn(&subject, account, "old", "one").await;
    subject.store.answer_request(&old, "{}").await.unwrap();
    subject.store.begin_request(account, "new", "one", NEVER, NOW + 5).await.unwrap();
    assert_eq!(subject.store.forget_requests(NOW + 5).await.unwrap(), 1);
    turn(&subject, account, "old", "two").await;
    check(&subject, account, "new", "one", Begin::Pending).await;
}
