//! Leases: beats, ends, and what an old one cannot do.

use crate::subject::{NOW, Subject, TTL, job_on};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Error, Outcome, Pulse, State};

pub(crate) async fn a_beat_renews_and_tells_of_a_cancel(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let lease = subject.claim("w").await.lease;
    subject.expire(id).await;
    // Nobody else came: it is still ours.
    assert!(!store.beat(&lease, Some(r#"{"rows":5}"#), 40).await.unwrap().cancel_requested);
    let job = store.job(account, id).await.unwrap();
    assert_eq!((job.progress.as_deref(), job.percent), (Some(r#"{"rows":5}"#), 40));
    assert!(job.lease_until.unwrap() >= job.started_at.unwrap() + TTL);
    // A beat with nothing new is no lost lease, also where unchanged rows are not counted.
    store.beat(&lease, None, 40).await.unwrap();
    store.beat(&lease, None, 40).await.unwrap();
    assert_eq!(store.job(account, id).await.unwrap().progress, job.progress);
    subject.other.cancel(account, id, NOW).await.unwrap();
    assert!(store.beat(&lease, None, 255).await.unwrap().cancel_requested);
    assert_eq!(store.job(account, id).await.unwrap().percent, 100);
}

pub(crate) async fn an_expired_lease_goes_to_another_and_fences_the_old_one(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let old = subject.claim("w1").await.lease;
    assert_eq!(subject.other.claim("w2", TTL, 9).await.unwrap(), None);
    subject.expire(id).await;
    let new = subject.other.claim("w2", TTL, 9).await.unwrap().unwrap();
    assert_eq!((new.job.id, new.job.attempt), (id, 2));
    assert!(new.lease.token() > old.token());

    assert!(matches!(store.beat(&old, None, 1).await.unwrap_err(), Error::LeaseLost));
    let lost = store.finish(&old, Outcome::Succeeded("{}")).await.unwrap_err();
    assert!(matches!(lost, Error::LeaseLost));
    assert!(matches!(store.release(&old).await.unwrap_err(), Error::LeaseLost));
    let lost = store.append_event(&old, "note", "{}").await.unwrap_err();
    assert!(matches!(lost, Error::LeaseLost));
    assert!(matches!(store.job_secret(&old).await.unwrap_err(), Error::LeaseLost));

    let job = store.job(account, id).await.unwrap();
    assert_eq!((job.state, job.owner.as_deref()), (State::Running, Some("w2")));
    store.append_event(&new.lease, "note", "{}").await.unwrap();
    store.finish(&new.lease, Outcome::Succeeded(r#"{"rows":1}"#)).await.unwrap();
    let lost = store.finish(&old, Outcome::Succeeded("{}")).await.unwrap_err();
    assert!(matches!(lost, Error::LeaseLost));
    let job = store.job(account, id).await.unwrap();
    assert_eq!((job.result.as_deref(), job.percent), (Some(r#"{"rows":1}"#), 100));
}

pub(crate) async fn a_lease_runs_out_by_the_databases_clock(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    subject.enqueue(account, &job_on("db-1")).await;
    let old = subject.store.claim("w1", 1, 9).await.unwrap().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let new = loop {
        match subject.other.claim("w2", TTL, 9).await.unwrap() {
            Some(claimed) => break claimed,
            None => assert!(Instant::now() < deadline, "the lease never ran out"),
        }
    };
    assert!(new.lease.token() > old.lease.token());
    assert!(new.job.lease_until.unwrap() > old.job.lease_until.unwrap() + TTL - 1);
}

pub(crate) async fn a_beat_and_a_claim_at_once_agree(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    for _ in 0..20 {
        let id = subject.enqueue(account, &job_on("db-1")).await.id;
        let lease = subject.claim("w1").await.lease;
        subject.expire(id).await;
        let beat = subject.store.beat(&lease, None, 0);
        let (beat, claimed) = tokio::join!(beat, subject.other.claim("w2", TTL, 9));
        let claimed = claimed.unwrap();
        // Whoever was first has it, and the other knows.
        match beat {
            Ok(_) => assert_eq!(claimed, None),
            Err(error) => assert!(matches!(error, Error::LeaseLost) && claimed.is_some()),
        }
        let lease = claimed.map_or(lease, |claimed| claimed.lease);
        subject.store.finish(&lease, Outcome::Succeeded("{}")).await.unwrap();
    }
}

pub(crate) async fn an_end_can_be_said_twice_but_not_otherwise(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let lease = subject.claim("w").await.lease;
    store.finish(&lease, Outcome::Failed(r#"{"code":1062}"#)).await.unwrap();
    store.finish(&lease, Outcome::Failed("{}")).await.unwrap();
    let other = store.finish(&lease, Outcome::Succeeded("{}")).await.unwrap_err();
    assert!(matches!(other, Error::LeaseLost));
    assert!(matches!(store.beat(&lease, None, 1).await.unwrap_err(), Error::LeaseLost));
    assert!(matches!(store.release(&lease).await.unwrap_err(), Error::LeaseLost));
    let job = store.job(account, id).await.unwrap();
    assert_eq!((job.state, job.error.as_deref()), (State::Failed, Some(r#"{"code":1062}"#)));
    assert_eq!((job.owner, job.lease_until, job.result), (None, None, None));
    assert!(job.finished_at.unwrap() >= job.started_at.unwrap());
    assert_eq!(store.claim("w", TTL, 9).await.unwrap(), None);
    assert_eq!(store.events(account, id, 0, 10).await.unwrap().len(), 3);
}

pub(crate) async fn a_released_job_is_claimed_again(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let first = subject.claim("w1").await;
    store.beat(&first.lease, Some("[1]"), 30).await.unwrap();
    assert_eq!(store.release(&first.lease).await.unwrap(), State::Queued);
    let job = store.job(account, id).await.unwrap();
    assert_eq!((job.state, job.attempt, job.owner), (State::Queued, 1, None));
    assert!(matches!(store.beat(&first.lease, None, 1).await.unwrap_err(), Error::LeaseLost));
    assert!(matches!(store.release(&first.lease).await.unwrap_err(), Error::LeaseLost));
    let second = subject.claim("w2").await;
    assert_eq!((second.job.attempt, second.job.progress.as_deref()), (2, Some("[1]")));
    assert_eq!(second.job.started_at, first.job.started_at);
    assert!(second.lease.token() > first.lease.token());
}

pub(crate) async fn a_released_job_that_is_to_be_cancelled_is(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let lease = subject.claim("w").await.lease;
    store.cancel(account, id, NOW).await.unwrap();
    assert_eq!(store.release(&lease).await.unwrap(), State::Cancelled);
    assert_eq!(store.job(account, id).await.unwrap().state, State::Cancelled);
    assert_eq!(store.claim("w", TTL, 9).await.unwrap(), None);
}

pub(crate) async fn events_are_numbered_without_gaps(subject: Arc<Subject>) {
    let store = &subject.store;
    let (account, foreign) = (subject.account("a").await, subject.account("b").await);
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let lease = subject.claim("w").await.lease;
    let appends = (0..16).map(|at| {
        let (subject, lease) = (Arc::clone(&subject), lease.clone());
        tokio::spawn(async move {
            let data = format!("{at}");
            if at % 2 == 0 {
                subject.store.append_event(&lease, "note", &data).await.unwrap()
            } else {
                let other = &subject.other;
                other
                    .append_event_to(lease.account(), lease.job(), "seen", &data, NOW)
                    .await
                    .unwrap()
            }
        })
    });
    let mut numbers = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        numbers.push(append.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (3..19).collect::<Vec<i64>>());
    store.finish(&lease, Outcome::Cancelled("{}")).await.unwrap();

    let events = store.events(account, id, 0, 100).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.seq).collect::<Vec<_>>(),
        (1..20).collect::<Vec<_>>()
    );
    let states: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == "state")
        .map(|event| event.data.as_str())
        .collect();
    let expected = [
        r#"{"from":"new","to":"queued","attempt":0}"#,
        r#"{"from":"queued","to":"running","attempt":1}"#,
        r#"{"from":"running","to":"cancelled","attempt":1}"#,
    ];
    assert_eq!(states, expected);
    assert_eq!(events[0].created_at, NOW);
    let some = store.events(account, id, 17, 1).await.unwrap();
    assert_eq!(some.iter().map(|event| event.seq).collect::<Vec<_>>(), [18]);
    assert_eq!(store.events(account, id, 19, 9).await.unwrap(), []);

    assert!(matches!(store.events(foreign, id, 0, 9).await.unwrap_err(), Error::NotFound));
    let refused = store.append_event_to(foreign, id, "x", "{}", NOW).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    let long = "k".repeat(33);
    let bad = store.append_event_to(account, id, &long, "{}", NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}

pub(crate) async fn pulses_tell_how_far_jobs_are(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let queued = subject.enqueue(account, &job_on("db-1")).await;
    let running = subject.claim("w").await;
    assert_eq!(running.job.id, queued.id);
    let waiting = subject.enqueue(account, &job_on("db-1")).await;
    subject.store.beat(&running.lease, Some("{\"rows\":7}"), 12).await.unwrap();
    let mut pulses =
        subject.other.pulses(&[waiting.id, queued.id, queued.id + 4711]).await.unwrap();
    pulses.sort_by_key(|pulse| pulse.job);
    let progress = Some("{\"rows\":7}".to_owned());
    let expected = [
        Pulse { job: queued.id, state: State::Running, event_seq: 2, percent: 12, progress },
        Pulse { job: waiting.id, state: State::Queued, event_seq: 1, percent: 0, progress: None },
    ];
    assert_eq!(pulses, expected);
    assert!(subject.store.pulses(&[]).await.unwrap().is_empty());
    assert!(subject.store.pulses(&vec![1; store::FILTER_MAX + 1]).await.is_err());
}
