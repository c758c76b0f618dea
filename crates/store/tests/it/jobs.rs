//! Jobs as those who asked for them see them.

use crate::subject::{NOW, Subject, TTL, idempotent, job_on};
use std::collections::HashSet;
use std::sync::Arc;
use store::{Cancelled, Conflict, Error, JobFilter, NewJob, Outcome, Role, State, Use};

pub(crate) async fn a_job_is_enqueued_and_found(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let new = NewJob {
        source_instance_id: Some("db-2"),
        exclusive_key: Some("k"),
        ..idempotent("i", "digest")
    };
    let made = store.enqueue(account, &new, NOW).await.unwrap();
    assert!(made.is_new);
    let job = made.job;
    assert_eq!((job.state, job.attempt, job.token), (State::Queued, 0, 0));
    assert_eq!((job.payload.as_str(), job.created_at), (new.payload, NOW));
    assert_eq!(job.source_instance_id.as_deref(), Some("db-2"));
    assert_eq!(job.public_id.len(), 32);
    assert!(job.public_id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
    assert_eq!(subject.other.job(account, job.id).await.unwrap(), job);
    assert_eq!(store.job_by_public_id(account, &job.public_id).await.unwrap(), job);
    // Refused requests use up no id.
    store.enqueue(account, &new, NOW).await.unwrap();
    store.enqueue(account + 1000, &job_on("db-1"), NOW).await.unwrap_err();
    assert_eq!(subject.enqueue(account, &job_on("db-1")).await.id, job.id + 1);

    let nobody = store.enqueue(account + 1000, &job_on("db-1"), NOW).await.unwrap_err();
    assert!(matches!(nobody, Error::NotFound), "{nobody:?}");
    let long = "x".repeat(256);
    let bads = [
        NewJob { kind: "", ..job_on("db-1") },
        NewJob { exclusive_key: Some(&long), ..job_on("db-1") },
        idempotent(&long, ""),
        job_on(""),
    ];
    for bad in bads {
        let refused = store.enqueue(account, &bad, NOW).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }), "{bad:?}");
    }
}

pub(crate) async fn an_account_has_so_many_open_jobs(subject: Arc<Subject>) {
    let store = &subject.store;
    let (account, other) = (subject.account("a").await, subject.account("b").await);
    let first = subject.enqueue(account, &idempotent("i", "digest")).await;
    for _ in 1..store::OPEN_JOBS_MAX {
        subject.enqueue(account, &job_on("db-1")).await;
    }
    let refused = store.enqueue(account, &job_on("db-1"), NOW).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(Conflict::Full)), "{refused:?}");
    // The same request is still answered, and others have their own.
    let again = store.enqueue(account, &idempotent("i", "digest"), NOW).await.unwrap();
    assert_eq!((again.is_new, again.job.id), (false, first.id));
    subject.enqueue(other, &job_on("db-1")).await;
    store.cancel(account, first.id, NOW).await.unwrap();
    subject.enqueue(account, &job_on("db-1")).await;
}

pub(crate) async fn another_accounts_job_is_not_found(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, foreign) = (subject.account("mine").await, subject.account("foreign").await);
    let job = subject.enqueue(mine, &job_on("db-1")).await;
    assert!(matches!(store.job(foreign, job.id).await.unwrap_err(), Error::NotFound));
    let hidden = store.job_by_public_id(foreign, &job.public_id).await.unwrap_err();
    assert!(matches!(hidden, Error::NotFound));
    assert!(matches!(store.cancel(foreign, job.id, NOW).await.unwrap_err(), Error::NotFound));
    assert!(matches!(store.cancel(mine, job.id + 9, NOW).await.unwrap_err(), Error::NotFound));
    let filter = JobFilter { ids: &[job.id], ..JobFilter::ALL };
    assert_eq!(store.jobs(foreign, &filter, 0, 9).await.unwrap().total, 0);
    assert_eq!(store.job(mine, job.id).await.unwrap(), job);
}

pub(crate) async fn an_exclusive_key_has_one_unfinished_job(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, other) = (subject.account("mine").await, subject.account("other").await);
    let new = NewJob { exclusive_key: Some("db-1"), ..job_on("db-1") };
    let first = subject.enqueue(mine, &new).await;
    subject.enqueue(other, &new).await;
    let check_held = async || {
        let error = store.enqueue(mine, &new, NOW).await.unwrap_err();
        assert!(
            matches!(error, Error::Conflict(Conflict::Exclusive(id)) if id == first.id),
            "{error:?}"
        );
    };
    check_held().await;
    let lease = subject.claim("w").await.lease;
    check_held().await;
    store.release(&lease).await.unwrap();
    check_held().await;
    let lease = subject.claim("w").await.lease;
    store.finish(&lease, Outcome::Failed("{}")).await.unwrap();
    let second = subject.enqueue(mine, &new).await;
    store.cancel(mine, second.id, NOW).await.unwrap();
    subject.enqueue(mine, &new).await;
    assert_eq!(store.job(mine, first.id).await.unwrap().exclusive_key.as_deref(), Some("db-1"));
}

pub(crate) async fn the_same_request_makes_one_job(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, other) = (subject.account("mine").await, subject.account("other").await);
    let first = subject.enqueue(mine, &idempotent("key", "d1")).await;
    let again = store.enqueue(mine, &idempotent("key", "d1"), NOW + 5).await.unwrap();
    assert_eq!((again.is_new, again.job.id), (false, first.id));
    let error = store.enqueue(mine, &idempotent("key", "d2"), NOW).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(Conflict::Idempotency(id)) if id == first.id));
    assert!(store.enqueue(other, &idempotent("key", "d2"), NOW).await.unwrap().is_new);
    // Also when the job has ended, and when it holds an exclusive key.
    store.cancel(mine, first.id, NOW).await.unwrap();
    let again = store.enqueue(mine, &idempotent("key", "d1"), NOW).await.unwrap();
    assert_eq!((again.is_new, again.job.state), (false, State::Cancelled));
    let holding = NewJob { exclusive_key: Some("x"), ..idempotent("key2", "d") };
    assert!(store.enqueue(mine, &holding, NOW).await.unwrap().is_new);
    assert!(!store.enqueue(mine, &holding, NOW).await.unwrap().is_new);
}

pub(crate) async fn requests_at_once_make_one_job(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let requests = (0..8).map(|at| {
        let subject = Arc::clone(&subject);
        tokio::spawn(async move {
            let store = if at % 2 == 0 { &subject.store } else { &subject.other };
            store.enqueue(account, &idempotent("key", "d"), NOW).await.unwrap()
        })
    });
    let mut made = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        made.push(request.await.unwrap());
    }
    assert_eq!(made.iter().filter(|made| made.is_new).count(), 1);
    assert_eq!(made.iter().map(|made| made.job.id).collect::<HashSet<_>>().len(), 1);
    assert_eq!(subject.number("SELECT COUNT(*) FROM job").await, 1);
}

pub(crate) async fn jobs_are_filtered_and_paged_newest_first(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let mut ids = Vec::new();
    for (at, instance, kind) in [(0, "db-1", "import"), (10, "db-2", "copy"), (20, "db-1", "copy")]
    {
        let new = NewJob { kind, ..job_on(instance) };
        ids.push(store.enqueue(account, &new, NOW + at).await.unwrap().job.id);
    }
    subject.claim("w").await;
    let check = async |filter: JobFilter<'_>, offset, limit, places: &[usize], total| {
        let page = store.jobs(account, &filter, offset, limit).await.unwrap();
        let found: Vec<i64> = page.items.iter().map(|job| job.id).collect();
        let expected: Vec<i64> = places.iter().map(|place| ids[*place]).collect();
        assert_eq!((found, page.total), (expected, total), "{filter:?}");
    };
    let all = JobFilter::ALL;
    let some = [ids[0], ids[2], i64::MAX];
    check(all, 0, 9, &[2, 1, 0], 3).await;
    check(all, 1, 1, &[1], 3).await;
    check(all, 0, 0, &[], 3).await;
    check(JobFilter { instance: Some("db-1"), ..all }, 0, 9, &[2, 0], 2).await;
    check(JobFilter { kind: Some("copy"), ..all }, 0, 9, &[2, 1], 2).await;
    check(JobFilter { states: &[State::Running], ..all }, 0, 9, &[0], 1).await;
    check(JobFilter { states: &[State::Queued, State::Failed], ..all }, 0, 9, &[2, 1], 2).await;
    check(JobFilter { created_from: Some(NOW + 10), ..all }, 0, 9, &[2, 1], 2).await;
    check(JobFilter { created_to: Some(NOW + 10), ..all }, 0, 9, &[1, 0], 2).await;
    check(JobFilter { ids: &some, ..all }, 0, 9, &[2, 0], 2).await;
    check(JobFilter { ids: &some, kind: Some("copy"), ..all }, 0, 9, &[2], 1).await;
}

pub(crate) async fn a_cancel_depends_on_the_state(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let check_finished = async |id, state: State| {
        let error = store.cancel(account, id, NOW).await.unwrap_err();
        assert!(matches!(error, Error::Finished(was) if was == state), "{error:?}");
    };
    let queued = subject.enqueue(account, &job_on("db-1")).await.id;
    assert_eq!(store.cancel(account, queued, NOW + 7).await.unwrap(), Cancelled::AtOnce);
    let job = store.job(account, queued).await.unwrap();
    assert_eq!((job.state, job.finished_at), (State::Cancelled, Some(NOW + 7)));
    assert_eq!(store.claim("w", TTL, 9).await.unwrap(), None);
    check_finished(queued, State::Cancelled).await;

    let ends = [Outcome::Succeeded("{}"), Outcome::Failed("{}"), Outcome::Cancelled("{}")];
    for end in ends {
        let id = subject.enqueue(account, &job_on("db-1")).await.id;
        let lease = subject.claim("w").await.lease;
        assert_eq!(store.cancel(account, id, NOW).await.unwrap(), Cancelled::Requested);
        assert_eq!(store.cancel(account, id, NOW).await.unwrap(), Cancelled::Requested);
        assert_eq!(store.job(account, id).await.unwrap().state, State::Running);
        let events = store.events(account, id, 0, 9).await.unwrap();
        let asked = events.iter().filter(|event| event.kind == "cancel_requested").count();
        assert_eq!(asked, 1);
        store.finish(&lease, end).await.unwrap();
        check_finished(id, end.state()).await;
    }
}

pub(crate) async fn figures_count_each_state(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    assert_eq!(store.queue_figures().await.unwrap(), store::QueueFigures::default());
    let copy = NewJob { source_instance_id: Some("db-2"), ..job_on("db-1") };
    let running = subject.enqueue(account, &copy).await.id;
    subject.claim("w").await;
    for at in [3, 5] {
        store.enqueue(account, &job_on("db-3"), NOW + at).await.unwrap();
    }
    let figures = store.queue_figures().await.unwrap();
    assert_eq!((figures.queued, figures.running, figures.failed), (2, 1, 0));
    assert_eq!(figures.oldest_queued_at, Some(NOW + 3));
    let on = async |instance| store.running_on(instance).await.unwrap();
    assert_eq!(on("db-1").await, [Use { job: running, role: Role::Target }]);
    assert_eq!(on("db-2").await, [Use { job: running, role: Role::Source }]);
    assert_eq!(on("db-3").await, []);
    assert_eq!(store.instances_in_use().await.unwrap(), ["db-1", "db-2"]);
}

pub(crate) async fn old_finished_jobs_are_pruned(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let mut ids = Vec::new();
    for at in 0..4 {
        let id = subject.enqueue(account, &job_on("db-1")).await.id;
        store.cancel(account, id, NOW + at).await.unwrap();
        ids.push(id);
    }
    let queued = subject.enqueue(account, &job_on("db-1")).await.id;
    assert_eq!(store.prune_jobs(NOW + 3, 2).await.unwrap(), 2);
    assert!(matches!(store.job(account, ids[1]).await.unwrap_err(), Error::NotFound));
    store.job(account, ids[2]).await.unwrap();
    assert_eq!(store.prune_jobs(NOW + 3, 2).await.unwrap(), 1);
    assert_eq!(store.prune_jobs(NOW + 3, 2).await.unwrap(), 0);
    store.job(account, ids[3]).await.unwrap();
    store.job(account, queued).await.unwrap();
    assert_eq!(subject.number("SELECT COUNT(*) FROM job_event").await, 3);
}

pub(crate) async fn ids_end_where_the_clients_do(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let kept = subject.number("SELECT value FROM counter WHERE name = 'job'").await;
    let set = async |value: i64| {
        let change = format!("UPDATE counter SET value = {value} WHERE name = 'job'");
        assert_eq!(subject.run(&change).await.unwrap(), 1);
    };
    set(store::JOB_ID_MAX - 1).await;
    assert_eq!(subject.enqueue(account, &job_on("db-1")).await.id, 2_147_483_647);
    let error = store.enqueue(account, &job_on("db-1"), NOW).await.unwrap_err();
    assert!(matches!(error, Error::IdsExhausted), "{error:?}");
    set(kept).await;
}

pub(crate) async fn the_constraint_is_the_transition_table(subject: Arc<Subject>) {
    let account = subject.account("a").await;
    let id = subject.enqueue(account, &job_on("db-1")).await.id;
    let befores = std::iter::once(None).chain(State::ALL.map(Some));
    let mut accepted = 0;
    for before in befores {
        for after in State::ALL {
            let name = before.map_or("new", State::name);
            let is_running = after == State::Running;
            let (owner, until) = if is_running { ("'w'", "1") } else { ("NULL", "NULL") };
            let finished = if after.is_finished() { "1" } else { "NULL" };
            let change = format!(
                "UPDATE job SET came_from = '{name}', state = '{after}', owner = {owner},
                 lease_until = {until}, started_at = 1, finished_at = {finished} WHERE id = {id}"
            );
            let allowed = before.map_or(after == State::Queued, |before| before.may_become(after));
            assert_eq!(subject.run(&change).await.is_ok(), allowed, "{name} to {after}");
            accepted += u32::from(allowed);
        }
    }
    assert_eq!(accepted, 8);
    let change = format!("UPDATE job SET state = 'paused' WHERE id = {id}");
    subject.run(&change).await.unwrap_err();
}
