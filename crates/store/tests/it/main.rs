//! One conformance suite, run on `SQLite` and on real `PostgreSQL`, `MariaDB` and `MySQL` servers.
//!
//! Each case begins with empty tables and two stores on them, as two processes would have.

#![expect(clippy::unwrap_used, reason = "these are tests, and so are their helper functions")]

mod accounts;
mod claims;
mod instances;
mod jobs;
mod leases;
mod opening;
mod requests;
mod secrets;
mod subject;
mod uploads;

use std::pin::Pin;
use std::sync::Arc;
use subject::{Kind, Subject};

type Case = fn(Arc<Subject>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($module:ident::$name:ident,)*) => {
        &[$((
            concat!(stringify!($module), "::", stringify!($name)),
            |subject| Box::pin($module::$name(subject)),
        ),)*]
    };
}

const CASES: &[(&str, Case)] = cases![
    accounts::an_account_has_a_name_of_its_own,
    accounts::a_key_is_made_found_disabled_and_removed,
    accounts::a_nonce_is_new_once,
    accounts::the_audit_is_listed_newest_first_and_pruned,
    instances::an_instance_is_registered_listed_and_removed,
    instances::instances_are_filtered_and_paged,
    instances::a_probe_is_kept_and_what_it_did_not_see_stays,
    instances::what_does_not_fit_is_refused,
    instances::what_is_not_named_stays_when_an_instance_is_changed,
    instances::an_instance_stays_where_it_is_under_a_job,
    uploads::an_upload_is_begun_advanced_and_finished,
    uploads::a_finished_upload_is_replaced_on_request_only,
    uploads::uploads_are_listed_expire_and_are_removed,
    jobs::a_job_is_enqueued_and_found,
    jobs::an_account_has_so_many_open_jobs,
    jobs::another_accounts_job_is_not_found,
    jobs::an_exclusive_key_has_one_unfinished_job,
    jobs::the_same_request_makes_one_job,
    jobs::requests_at_once_make_one_job,
    jobs::jobs_are_filtered_and_paged_newest_first,
    jobs::a_cancel_depends_on_the_state,
    jobs::figures_count_each_state,
    jobs::old_finished_jobs_are_pruned,
    jobs::ids_end_where_the_clients_do,
    jobs::the_constraint_is_the_transition_table,
    claims::the_oldest_job_is_claimed_first,
    claims::every_job_is_claimed_once,
    claims::an_instance_has_no_more_running_jobs_than_allowed,
    claims::a_full_instance_holds_up_no_other,
    claims::a_claim_and_a_cancel_at_once_agree,
    leases::a_beat_renews_and_tells_of_a_cancel,
    leases::an_expired_lease_goes_to_another_and_fences_the_old_one,
    leases::a_lease_runs_out_by_the_databases_clock,
    leases::a_beat_and_a_claim_at_once_agree,
    leases::an_end_can_be_said_twice_but_not_otherwise,
    leases::a_released_job_is_claimed_again,
    leases::a_released_job_that_is_to_be_cancelled_is,
    leases::events_are_numbered_without_gaps,
    leases::pulses_tell_how_far_jobs_are,
    requests::a_request_is_done_once_and_answered_again,
    requests::a_refused_request_may_be_tried_again,
    requests::an_abandoned_request_is_taken_over_by_one,
    requests::requests_at_once_are_one,
    requests::old_requests_are_forgotten,
    secrets::nothing_secret_is_in_clear,
    secrets::a_sealed_value_opens_in_its_row_only,
    secrets::a_finished_job_has_no_secret,
    secrets::another_key_is_refused,
    secrets::a_new_key_opens_what_the_old_one_sealed,
    secrets::a_rotation_that_broke_off_is_completed,
    opening::two_at_once_make_the_tables_once,
    opening::a_newer_store_is_left_alone,
    opening::an_older_store_is_brought_up_to_date,
    opening::a_refused_login_is_unreachable,
];

/// What only engines without transactions for tables have to promise.
const MYSQL_CASES: &[(&str, Case)] = cases![opening::tables_half_made_are_completed,];

/// What only tables with a prefix have to promise.
const PREFIX_CASES: &[(&str, Case)] = cases![opening::two_stores_share_a_database,];

#[test]
fn sqlite() {
    check(Kind::Sqlite, &[CASES]);
}

#[test]
fn postgres() {
    check(Kind::Postgres, &[CASES]);
}

#[test]
fn mariadb() {
    check(Kind::MariaDb, &[CASES, MYSQL_CASES]);
}

#[test]
fn mysql() {
    check(Kind::MySql, &[CASES, MYSQL_CASES]);
}

/// The suite where the store shares its database with others.
#[test]
fn mariadb_with_a_prefix() {
    check(Kind::Prefixed, &[CASES, PREFIX_CASES]);
}

/// Runs the lists and names every case that failed.
fn check(kind: Kind, lists: &[&[(&str, Case)]]) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let failed = runtime.block_on(async {
        let subject = Arc::new(Subject::start(kind).await);
        let mut failed = Vec::new();
        for (name, case) in lists.concat() {
            subject.empty().await;
            if tokio::spawn(case(Arc::clone(&subject))).await.is_err() {
                failed.push(name);
            }
        }
        subject.stop().await;
        failed
    });
    assert!(failed.is_empty(), "on {kind:?}: {failed:?}");
}
