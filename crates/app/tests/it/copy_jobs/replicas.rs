//! Copies that wait for replicas which are named by their ids.

use sandbox::Flavor;
use serde_json::{Value, json};

use super::{Pair, Settings, TARGET, request};
use crate::copy::throttle::Replica;
use crate::native::{is_over, job_when};
use crate::remote::run;
use crate::service::INSTANCE;

/// The instance that replicates the target.
const REPLICA: &str = "rm-replica1";

#[test]
fn a_job_waits_for_a_replica_that_it_names_on_mariadb() {
    let settings = Settings::new("[copies]\nreplica_lag_seconds_max = 600\n");
    let pair = Pair::start(Flavor::MariaDb, &settings.options(), &[]);
    let named = json!({"replicas": [REPLICA], "replica_lag_seconds_max": 60});
    let job = check_waits(&pair, &named);
    assert_eq!(
        (&job["replicas"], &job["replica_lag_seconds_max"]),
        (&json!([REPLICA]), &json!(60)),
        "{job}"
    );
    // A server that is no replica is not waited for by mistake.
    pair.site.add_instance("cdb-again", &pair.site.key);
    let copy = ["job", "copy", "--source", INSTANCE, "--instance", TARGET, "--databases", "shop"];
    let wrong = ["--replace", "--max-replica-lag", "60", "--replica", "cdb-again", "--watch"];
    let (_, stderr) = run(&pair.site, &[&copy[..], &wrong[..]].concat(), 1);
    assert!(stderr.contains("is not a replica"), "{stderr}");
}

#[test]
fn a_job_waits_for_a_replica_that_the_settings_name_on_mysql() {
    let text = format!(
        "[copies]\nreplica_lag_seconds_max = 60\n[copies.replicas]\n{TARGET} = [\"{REPLICA}\"]\n"
    );
    let settings = Settings::new(&text);
    let pair = Pair::start(Flavor::MySql, &settings.options(), &[]);
    let job = check_waits(&pair, &json!({}));
    let told = (&job["replicas"], &job["replica_lag_seconds_max"]);
    assert_eq!(told, (&json!([]), &Value::Null), "{job}");
}

/// A replica that applies nothing makes the job pause until it does; the job at its end.
fn check_waits(pair: &Pair, named: &Value) -> Value {
    let replica = Replica::of(&pair.target);
    let login = "CREATE USER 'teller'@'%' IDENTIFIED BY 'told'; GRANT REPLICATION CLIENT, REPLICATION SLAVE \
                 ON *.* TO 'teller'@'%'";
    // Its login is not the target's: the one that it is registered with is used.
    replica
        .server
        .sql(&format!("SET sql_log_bin = 0; {login}; {}", own(replica.server.flavor())))
        .unwrap();
    let url = format!("mysql://teller:told@127.0.0.1:{}", replica.server.port());
    pair.site.register(REPLICA, &pair.site.key, &url, &[]);
    replica.applies(false);
    let mut asked = request();
    asked.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
    let id = pair.job(&asked);
    let job = job_when(&pair.site, &id, |job| job["progress"]["paused"].is_string());
    let why = job["progress"]["paused"].as_str().unwrap();
    assert!(why.contains("replica 127.0.0.1:") && why.contains("does not replicate"), "{why}");
    assert_eq!(pair.target.sql("SHOW DATABASES LIKE 'shop'").unwrap(), "");
    replica.applies(true);
    let job = job_when(&pair.site, &id, is_over);
    assert_eq!(job["state"], "succeeded", "{job}");
    assert!(job["result"]["paused_seconds"].as_f64() > Some(0.0), "{job}");
    replica.shows("SELECT COUNT(*) FROM shop.orders", "3000");
    job
}

/// What the account needs besides to see how replication stands.
fn own(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "GRANT REPLICA MONITOR ON *.* TO 'teller'@'%'",
        Flavor::MySql => "DO 0",
    }
}
