//! Instances and their probes.

use crate::subject::{NOW, Subject, instance, job_on};
use std::sync::Arc;
use store::{
    Cancelled, Conflict, Error, InstanceChange, InstanceFilter, InstanceStatus, NewJob, Outcome,
    Probe, Secret,
};

pub(crate) async fn an_instance_is_registered_listed_and_removed(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, foreign) = (subject.account("mine").await, subject.account("foreign").await);
    let new = instance("db-1", "hunter2");
    assert!(!format!("{new:?}").contains("hunter2"));
    let made = store.register_instance(mine, &new, NOW).await.unwrap();
    assert_eq!((made.status, made.probed_at), (InstanceStatus::Unknown, None));
    assert_eq!((made.port, made.storage_gb, made.engine), (3306, 100, new.engine));
    assert_eq!(store.instance(mine, "db-1").await.unwrap(), made);
    let password = subject.other.instance_password(mine, "db-1").await.unwrap();
    assert_eq!(password.text().unwrap(), "hunter2");

    for account in [mine, foreign] {
        let taken = store.register_instance(account, &new, NOW).await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Conflict::Exists)), "{taken:?}");
    }
    let nobody = store.register_instance(mine + 1000, &instance("db-2", ""), NOW).await;
    assert!(matches!(nobody.unwrap_err(), Error::NotFound));
    assert!(matches!(store.instance(foreign, "db-1").await.unwrap_err(), Error::NotFound));
    let refused = store.instance_password(foreign, "db-1").await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    let refused = store.remove_instance(foreign, "db-1").await.unwrap_err();
    assert!(matches!(refused, Error::NotFound));
    let page = store.instances(foreign, &InstanceFilter::ALL, 0, 10).await.unwrap();
    assert_eq!((page.items, page.total), (vec![], 0));

    store.remove_instance(mine, "db-1").await.unwrap();
    assert!(matches!(store.instance(mine, "db-1").await.unwrap_err(), Error::NotFound));
    assert!(matches!(store.remove_instance(mine, "db-1").await.unwrap_err(), Error::NotFound));
}

pub(crate) async fn instances_are_filtered_and_paged(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    for (id, at) in [("db-c", 1), ("db-a", 2), ("db-b", 3)] {
        store.register_instance(account, &instance(id, "x"), NOW + at).await.unwrap();
    }
    let seen = Probe {
        status: InstanceStatus::Running,
        version: Some("10.11".to_owned()),
        used_bytes: None,
        error: None,
    };
    store.record_probe("db-a", &seen, NOW).await.unwrap();
    let check = async |filter: InstanceFilter<'_>, offset, limit, ids: &[&str], total| {
        let page = store.instances(account, &filter, offset, limit).await.unwrap();
        let found: Vec<&str> = page.items.iter().map(|instance| instance.id.as_str()).collect();
        assert_eq!((found.as_slice(), page.total), (ids, total));
    };
    let all = InstanceFilter::ALL;
    let ids = ["db-a".to_owned(), "db-b".to_owned(), "db-z".to_owned()];
    let names = ["the db-b".to_owned()];
    let (running, unknown) = ([InstanceStatus::Running], [InstanceStatus::Unknown]);
    check(all, 0, 10, &["db-c", "db-a", "db-b"], 3).await;
    check(all, 1, 1, &["db-a"], 3).await;
    check(all, 9, 1, &[], 3).await;
    check(InstanceFilter { ids: &ids, ..all }, 0, 10, &["db-a", "db-b"], 2).await;
    check(InstanceFilter { ids: &ids, names: &names, ..all }, 0, 10, &["db-b"], 1).await;
    check(InstanceFilter { statuses: &running, ..all }, 0, 10, &["db-a"], 1).await;
    check(InstanceFilter { statuses: &unknown, ..all }, 0, 1, &["db-c"], 2).await;
    let many = vec!["x".to_owned(); store::FILTER_MAX + 1];
    let filter = InstanceFilter { ids: &many, ..all };
    let bad = store.instances(account, &filter, 0, 1).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}

pub(crate) async fn a_probe_is_kept_and_what_it_did_not_see_stays(subject: Arc<Subject>) {
    let store = &subject.store;
    let (one, two) = (subject.account("one").await, subject.account("two").await);
    store.register_instance(one, &instance("db-1", "p1"), NOW).await.unwrap();
    store.register_instance(two, &instance("db-2", "p2"), NOW).await.unwrap();
    let seen = Probe {
        status: InstanceStatus::Running,
        version: Some("10.11.19".to_owned()),
        used_bytes: Some(5 << 40),
        error: None,
    };
    store.record_probe("db-1", &seen, NOW + 1).await.unwrap();
    let failed = Probe {
        status: InstanceStatus::Unreachable,
        version: None,
        used_bytes: None,
        error: Some("connection refused".to_owned()),
    };
    store.record_probe("db-1", &failed, NOW + 2).await.unwrap();
    let kept = store.instance(one, "db-1").await.unwrap();
    assert_eq!((kept.status, kept.probed_at), (InstanceStatus::Unreachable, Some(NOW + 2)));
    assert_eq!((kept.version.as_deref(), kept.used_bytes), (Some("10.11.19"), Some(5 << 40)));
    assert_eq!(kept.probe_error.as_deref(), Some("connection refused"));
    store.record_probe("db-1", &seen, NOW + 3).await.unwrap();
    assert_eq!(store.instance(one, "db-1").await.unwrap().probe_error, None);

    let missing = store.record_probe("db-3", &seen, NOW).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound));
    let all = store.all_for_probe(None, 10).await.unwrap();
    let found: Vec<_> = all
        .iter()
        .map(|each| (each.instance.id.as_str(), each.admin_password.text().unwrap()))
        .collect();
    assert_eq!(found, [("db-1", "p1"), ("db-2", "p2")]);
    let rest = store.all_for_probe(Some("db-1"), 10).await.unwrap();
    assert_eq!((rest.len(), rest[0].instance.account), (1, two));
}

pub(crate) async fn what_does_not_fit_is_refused(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    let long = format!("d{}", "b".repeat(63));
    for id in ["", "d", "Db-1", "1db", "-db", "db_1", "db 1", "dbé", long.as_str()] {
        let bad = store.register_instance(account, &instance(id, "x"), NOW).await.unwrap_err();
        assert!(matches!(bad, Error::Invalid { .. }), "{id}: {bad:?}");
    }
    let mut new = instance(&long[..63], "x");
    new.name = "名".repeat(255);
    new.options = "o".repeat(store::JSON_BYTES_MAX);
    let made = store.register_instance(account, &new, NOW).await.unwrap();
    assert_eq!((made.name, made.options), (new.name.clone(), new.options.clone()));
    new.id = "db-1".to_owned();
    new.options.push('o');
    let bad = store.register_instance(account, &new, NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
    let mut new = instance("db-1", "x");
    new.port = 0;
    let bad = store.register_instance(account, &new, NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
    let secret = "s".repeat(store::SECRET_BYTES_MAX + 1);
    let bad = store.register_instance(account, &instance("db-1", &secret), NOW).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}

pub(crate) async fn what_is_not_named_stays_when_an_instance_is_changed(subject: Arc<Subject>) {
    let store = &subject.store;
    let (mine, foreign) = (subject.account("mine").await, subject.account("foreign").await);
    let before = store.register_instance(mine, &instance("db-1", "old"), NOW).await.unwrap();
    let seen = Probe {
        status: InstanceStatus::Running,
        version: Some("10.11".to_owned()),
        used_bytes: Some(7),
        error: None,
    };
    store.record_probe("db-1", &seen, NOW).await.unwrap();
    let nothing = InstanceChange::default();
    let same = store.change_instance(mine, "db-1", &nothing).await.unwrap();
    assert_eq!((same.status, same.used_bytes), (InstanceStatus::Running, Some(7)));
    let change = InstanceChange {
        name: Some("neu".to_owned()),
        storage_gb: Some(0),
        admin_password: Some(Secret::from("new")),
        ..InstanceChange::default()
    };
    assert!(!format!("{change:?}").contains("new\""), "{change:?}");
    let changed = store.change_instance(mine, "db-1", &change).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.storage_gb), ("neu", 0));
    assert_eq!((&changed.host, changed.status), (&before.host, InstanceStatus::Running));
    let password = store.instance_password(mine, "db-1").await.unwrap();
    assert_eq!(password.text().unwrap(), "new");

    let moved = InstanceChange { port: Some(3307), ..InstanceChange::default() };
    let moved = store.change_instance(mine, "db-1", &moved).await.unwrap();
    assert_eq!((moved.port, moved.status, moved.version), (3307, InstanceStatus::Unknown, None));
    assert_eq!((moved.created_at, moved.probed_at), (before.created_at, None));
    for (account, id) in [(foreign, "db-1"), (mine, "db-2")] {
        let missing = store.change_instance(account, id, &change).await.unwrap_err();
        assert!(matches!(missing, Error::NotFound), "{missing:?}");
    }
    for bad in [
        InstanceChange { host: Some(String::new()), ..nothing.clone() },
        InstanceChange { port: Some(0), ..nothing.clone() },
        InstanceChange { class: Some("c".repeat(65)), ..nothing },
    ] {
        let bad = store.change_instance(mine, "db-1", &bad).await.unwrap_err();
        assert!(matches!(bad, Error::Invalid { .. }), "{bad:?}");
    }
}

pub(crate) async fn an_instance_stays_where_it_is_under_a_job(subject: Arc<Subject>) {
    let store = &subject.store;
    let account = subject.account("a").await;
    for id in ["db-1", "db-2"] {
        store.register_instance(account, &instance(id, "x"), NOW).await.unwrap();
    }
    let moves = [
        InstanceChange { host: Some("other".to_owned()), ..InstanceChange::default() },
        InstanceChange { admin_user: Some("other".to_owned()), ..InstanceChange::default() },
    ];
    let stays = InstanceChange {
        region: Some("here".to_owned()),
        admin_password: Some(Secret::from("new")),
        ..InstanceChange::default()
    };
    let check = async |expected_in_use: bool| {
        for id in ["db-1", "db-2"] {
            for change in &moves {
                let outcome = store.change_instance(account, id, change).await;
                let in_use = matches!(outcome, Err(Error::Conflict(Conflict::InUse)));
                assert_eq!((in_use, outcome.is_ok()), (expected_in_use, !expected_in_use));
            }
            store.change_instance(account, id, &stays).await.unwrap();
            if expected_in_use {
                let refused = store.remove_instance(account, id).await.unwrap_err();
                assert!(matches!(refused, Error::Conflict(Conflict::InUse)), "{refused:?}");
            }
        }
    };
    check(false).await;
    let copy = NewJob { source_instance_id: Some("db-2"), ..job_on("db-1") };
    subject.enqueue(account, &copy).await;
    check(true).await;
    let claimed = subject.claim("worker").await;
    check(true).await;
    store.finish(&claimed.lease, Outcome::Succeeded("{}")).await.unwrap();
    check(false).await;
    let job = subject.enqueue(account, &job_on("db-1")).await;
    assert_eq!(store.cancel(account, job.id, NOW).await.unwrap(), Cancelled::AtOnce);
    store.remove_instance(account, "db-1").await.unwrap();
}
