//! Claims: order, once each, and the limit of an instance; with many claimers at once.

use crate::subject::{NOW, Subject, TTL, job_on};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use store::{Cancelled, Claimed, Error, NewJob, Outcome, State, Store};

const CLAIMERS: usize = 8;
const JOBS: usize = 40;

pub(crate) async fn the_oldest_job_is_claimed_first(subject: Arc<Subject>) {
    let store = &subject.store;
    let (one, two) = (subject.account("one").await, subject.account("two").await);
    assert_eq!(store.claim("w", TTL, 1).await.unwrap(), None);
    let first = subject.enqueue(one, &job_on("db-1")).await;
    let second = subject.enqueue(two, &job_on("db-2")).await;
    let claimed = subject.claim("w").await;
    assert_eq!((claimed.job.id, claimed.job.attempt, claimed.job.token), (first.id, 1, 1));
    assert_eq!((claimed.job.state, claimed.job.owner.as_deref()), (State::Running, Some("w")));
    let (started, until) = (claimed.job.started_at.unwrap(), claimed.job.lease_until.unwrap());
    assert!((0..1_000).contains(&(until - started - TTL)), "{started} {until}");
    assert_eq!((claimed.lease.job(), claimed.lease.account()), (first.id, one));
    assert_eq!((claimed.lease.token(), claimed.lease.ttl_ms()), (1, TTL));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(i64::try_from(now).unwrap().abs_diff(started) < 60_000, "{now} {started}");
    // One whose lease ran out keeps its place before younger ones.
    subject.expire(first.id).await;
    assert_eq!(subject.claim("x").await.job.id, first.id);
    assert_eq!(subject.claim("x").await.job.id, second.id);
    assert_eq!(store.claim("x", TTL, 1).await.unwrap(), None);
    for (owner, ttl) in [("", TTL), ("w", 0), ("w", 3_600_001)] {
        let bad = store.claim(owner, ttl, 1).await.unwrap_err();
        assert!(matches!(bad, Error::Invalid { .. }));
    }
}

pub(crate) async fn every_job_is_claimed_once(subject: Arc<Subject>) {
    const PER_INSTANCE: u32 = 2;
    let account = subject.account("a").await;
    for at in 0..JOBS {
        subject.enqueue(account, &job_on(&format!("db-{}", at % 5))).await;
    }
    let running = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let claimers = (0..CLAIMERS).map(|at| {
        let store = if at % 2 == 0 { subject.store.clone() } else { subject.other.clone() };
        tokio::spawn(work(store, format!("w{at}"), PER_INSTANCE, Arc::clone(&running)))
    });
    let mut done = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        done.extend(claimer.await.unwrap());
    }
    let distinct: HashSet<i64> = done.iter().copied().collect();
    assert_eq!((done.len(), distinct.len()), (JOBS, JOBS));
    let figures = subject.store.queue_figures().await.unwrap();
    assert_eq!((figures.succeeded, figures.running), (40, 0));
    assert_eq!(subject.number("SELECT MAX(attempt) FROM job").await, 1);
}

/// Claims and finishes until nothing is left; gives the jobs it did.
async fn work(
    store: Store,
    owner: String,
    per_instance_max: u32,
    running: Arc<Mutex<HashMap<String, u32>>>,
) -> Vec<i64> {
    let mut done = Vec::new();
    loop {
        let Some(claimed) = store.claim(&owner, TTL, per_instance_max).await.unwrap() else {
            if store.queue_figures().await.unwrap().queued == 0 {
                return done;
            }
            continue;
        };
        let instance = claimed.job.instance_id.clone();
        {
            let mut running = running.lock().unwrap();
            let count = running.entry(instance.clone()).or_default();
            *count += 1;
            assert!(*count <= per_instance_max, "{count} on {instance}");
        }
        store.beat(&claimed.lease, None, 50).await.unwrap();
        *running.lock().unwrap().get_mut(&instance).unwrap() -= 1;
        store.finish(&claimed.lease, Outcome::Succeeded("{}")).await.unwrap();
        done.push(claimed.job.id);
    }
}

pub(crate) async fn an_instance_has_no_more_running_jobs_than_allowed(subject: Arc<Subject>) {
    const ALLOWED: u32 = 3;
    let account = subject.account("a").await;
    for _ in 0..CLAIMERS {
        subject.enqueue(account, &job_on("db-1")).await;
    }
    let claims = (0..CLAIMERS).map(|at| {
        let store = if at % 2 == 0 { subject.store.clone() } else { subject.other.clone() };
        tokio::spawn(async move { store.claim("w", TTL, ALLOWED).await.unwrap() })
    });
    let mut ids = HashSet::new();
    for claim in claims.collect::<Vec<_>>() {
        ids.extend(claim.await.unwrap().map(|claimed| claimed.job.id));
    }
    assert_eq!(ids.len(), 3);
    assert_eq!(subject.store.queue_figures().await.unwrap().running, 3);
}

pub(crate) async fn a_full_instance_holds_up_no_other(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let first = subject.enqueue(account, &job_on("db-1")).await;
    let held_up = subject.enqueue(account, &job_on("db-1")).await;
    // Reading an instance takes no room on it.
    let reading = NewJob { source_instance_id: Some("db-1"), ..job_on("db-2") };
    let reading = subject.enqueue(account, &reading).await;
    let claimed = store.claim("w", TTL, 1).await.unwrap().unwrap();
    assert_eq!(claimed.job.id, first.id);
    let other = store.claim("w", TTL, 1).await.unwrap().unwrap();
    assert_eq!(other.job.id, reading.id);
    assert_eq!(store.claim("w", TTL, 1).await.unwrap(), None);
    assert_eq!(store.claim("w", TTL, 0).await.unwrap(), None);
    // Its lease ran out, but it may still write: its room is not free, only it can be claimed.
    subject.expire(first.id).await;
    let again = store.claim("w", TTL, 1).await.unwrap().unwrap();
    assert_eq!(again.job.id, first.id);
    assert_eq!(store.claim("w", TTL, 1).await.unwrap(), None);
    store.finish(&again.lease, Outcome::Failed(r#"{"kind":"x"}"#)).await.unwrap();
    assert_eq!(store.claim("w", TTL, 1).await.unwrap().unwrap().job.id, held_up.id);
    assert_eq!(store.cancel(account, held_up.id, NOW).await.unwrap(), Cancelled::Requested);
}

pub(crate) async fn a_claim_and_a_cancel_at_once_agree(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    for _ in 0..20 {
        let id = subject.enqueue(account, &job_on("db-1")).await.id;
        let claim = subject.store.claim("w", TTL, 9);
        let (claimed, cancelled) = tokio::join!(claim, subject.other.cancel(account, id, NOW));
        let claimed = claimed.unwrap();
        let expected = if claimed.is_some() { Cancelled::Requested } else { Cancelled::AtOnce };
        assert_eq!(cancelled.unwrap(), expected);
        if let Some(Claimed { lease, .. }) = claimed {
            assert!(subject.store.beat(&lease, None, 0).await.unwrap().cancel_requested);
            subject.store.finish(&lease, Outcome::Cancelled("{}")).await.unwrap();
        }
    }
}
