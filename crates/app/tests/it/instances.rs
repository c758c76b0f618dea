//! Instances by the native API and by `dbferry instance`: who may touch which, what a change leaves
//! alone, and that passwords go nowhere they were not named for.

use sandbox::Server;
use serde_json::{Value, json};

use crate::native::{ask_with, check, create, is_over, job_when, request};
use crate::sameness::dbferry;
use crate::service::{INSTANCE, Key, Site};

/// Sends a JSON document; status and document of the answer.
fn send(site: &Site, key: &Key, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let headers = "Content-Type: application/json\r\n";
    let path = format!("/api/v1/instances{path}");
    ask_with(site, key, method, &path, headers, body.to_string().as_bytes())
}

#[track_caller]
fn refused(answer: (u16, Value), expected: (u16, &str)) {
    let (status, document) = answer;
    let kind = document["type"].as_str().unwrap_or_default();
    assert_eq!(
        (status, kind),
        (expected.0, format!("urn:dbferry:problem:{}", expected.1).as_str())
    );
}

/// Where a server is, as a request says it.
fn place(server: &Server) -> Value {
    json!({
        "engine": "mariadb", "host": "127.0.0.1", "port": server.port(), "user": "imp",
        "password": "hunter2",
    })
}

fn with(mut document: Value, fields: &Value) -> Value {
    let fields = fields.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(fields);
    document
}

/// A site whose server has the account that [`place`] names.
fn site() -> Site {
    let site = Site::start(&[]);
    let grant = "CREATE USER imp@'%' IDENTIFIED BY 'hunter2'; GRANT ALL ON *.* TO imp@'%'";
    site.server.sql(grant).unwrap();
    site
}

#[test]
fn an_account_registers_changes_and_removes_its_own() {
    let site = site();
    let (own, other) = (&site.key, &site.new_key("other"));
    let new = with(place(&site.server), &json!({"id": "db-2", "name": "Läden", "storage_gb": 7}));
    let (status, made) = send(&site, own, "POST", "", &new);
    assert_eq!((status, &made["status"]), (201, &json!("unknown")), "{made}");
    assert_eq!((&made["class"], &made["tls"]), (&json!("dedicated"), &json!("prefer")));
    for key in [own, other] {
        refused(send(&site, key, "POST", "", &new), (409, "exists"));
    }
    let looked = check(&site, own, ("POST", "/api/v1/instances/db-2/check", b""), 200);
    assert_eq!(looked["status"], json!("running"), "{looked}");
    site.upload(own, "a.sql", b"CREATE TABLE imp.t (id INT);\nINSERT INTO imp.t VALUES (1);\n");
    let (status, job) = create(&site, own, &json!({"instance": "db-2", "file": "a.sql"}));
    assert_eq!(status, 201, "{job}");
    job_when(&site, job["id"].as_str().unwrap(), is_over);
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim(), "1");

    let renamed = json!({"name": "shops", "region": "eu", "storage_gb": null});
    for (key, expected) in [(other, 404), (own, 200)] {
        let (status, document) = send(&site, key, "PATCH", "/db-2", &renamed);
        assert_eq!(status, expected, "{document}");
    }
    let shown = check(&site, own, ("GET", "/api/v1/instances/db-2", b""), 200);
    assert_eq!((&shown["name"], &shown["storage_gb"]), (&json!("shops"), &json!(7)));
    assert_eq!((&shown["status"], &shown["host"]), (&json!("running"), &json!("127.0.0.1")));
    check(&site, other, ("DELETE", "/api/v1/instances/db-2", b""), 404);
    check(&site, own, ("DELETE", "/api/v1/instances/db-2", b""), 204);
    check(&site, own, ("GET", "/api/v1/instances/db-2", b""), 404);
    for secret in ["hunter2", "\"imp\""] {
        assert!(!made.to_string().contains(secret) && !site.service.log().contains(secret));
    }
}

#[test]
fn a_password_goes_only_to_the_server_that_it_was_given_with() {
    let site = site();
    let key = &site.key;
    // The registered login of the operator is not lent to a server of the caller's.
    for change in [
        json!({"host": "192.0.2.1"}),
        json!({"port": 1}),
        json!({"user": "somebody"}),
        json!({"tls": "disable"}),
        json!({"engine": "mysql"}),
    ] {
        let path = format!("/{INSTANCE}");
        refused(send(&site, key, "PATCH", &path, &change), (400, "invalid"));
        let given = with(change.clone(), &json!({"password": "p"}));
        let (status, changed) = send(&site, key, "PATCH", &path, &given);
        assert_eq!(status, 200, "{change}: {changed}");
    }
    for host in ["h/x", "a?tls=disable", "u@h", "[::1]", "1:2"] {
        let new = with(place(&site.server), &json!({"id": "db-2", "host": host}));
        refused(send(&site, key, "POST", "", &new), (400, "invalid"));
    }
    // The values of fields without their names.
    refused(send(&site, key, "PATCH", &format!("/{INSTANCE}"), &json!(["x"])), (400, "invalid"));
    for field in ["options", "socket", "ca"] {
        let new = with(place(&site.server), &json!({"id": "db-2", field: "/etc/passwd"}));
        refused(send(&site, key, "POST", "", &new), (400, "invalid"));
    }
    // What the operator named on this machine stays with what he named it for.
    let url = "mysql://root@localhost?socket=/run/mysqld/mysqld.sock";
    site.register("db-3", key, url, &[]);
    let change = json!({"user": "mysql", "password": ""});
    refused(send(&site, key, "PATCH", "/db-3", &change), (403, "not-allowed"));
    let (status, moved) = send(&site, key, "PATCH", "/db-3", &place(&site.server));
    assert_eq!(status, 200, "{moved}");
    let looked = check(&site, key, ("POST", "/api/v1/instances/db-3/check", b""), 200);
    assert_eq!(looked["status"], json!("running"), "{looked}");
}

#[test]
fn sql_servers_are_instances_too() {
    let site = site();
    let key = &site.key;
    let new = json!({"id": "sql-1", "engine": "sqlserver", "host": "127.0.0.1", "user": "sa"});
    let (status, made) = send(&site, key, "POST", "", &with(new, &json!({"tls": "strict"})));
    let told = (&made["engine"], &made["port"], &made["tls"]);
    assert_eq!((status, told), (201, (&json!("sqlserver"), &json!(1433), &json!("strict"))));
    // It is a word of theirs only.
    let strict = with(place(&site.server), &json!({"id": "db-2", "tls": "strict"}));
    refused(send(&site, key, "POST", "", &strict), (400, "invalid"));
    let mysql = json!({"engine": "mysql", "password": "p"});
    refused(send(&site, key, "PATCH", "/sql-1", &mysql), (400, "invalid"));
    let other = json!({"tls": "prefer", "port": 1, "password": "p"});
    let (status, changed) = send(&site, key, "PATCH", "/sql-1", &other);
    assert_eq!((status, &changed["tls"]), (200, &json!("prefer")), "{changed}");
    let looked = check(&site, key, ("POST", "/api/v1/instances/sql-1/check", b""), 200);
    assert_eq!(looked["status"], json!("unreachable"), "{looked}");
    // No file goes into one, and no database between kinds of server.
    site.upload(key, "a.sql", b"DO 1;\n");
    refused(
        create(&site, key, &json!({"instance": "sql-1", "file": "a.sql"})),
        (409, "wrong-engine"),
    );
    let copy = json!({
        "kind": "copy", "source": INSTANCE, "instance": "sql-1", "databases": [{"name": "imp"}],
    });
    refused(create(&site, key, &copy), (409, "wrong-engine"));
    site.add_instance("db-2", key);
    let skip = json!({"instance": "db-2", "skip_unsupported": true});
    refused(create(&site, key, &with(copy.clone(), &skip)), (400, "invalid"));
    let between = json!({"source": "sql-1", "instance": "sql-2", "skip_unsupported": true});
    site.register("sql-2", key, "mssql://sa:p@127.0.0.1:1?tls=strict", &[]);
    refused(create(&site, key, &with(copy, &between)), (409, "instance-down"));
    let shown = check(&site, key, ("GET", "/api/v1/instances/sql-2", b""), 200);
    assert_eq!(shown["tls"], json!("strict"), "{shown}");
}

#[test]
fn an_instance_stays_where_it_is_under_a_job() {
    let site = site();
    let key = &site.key;
    site.upload(key, "a.sql", b"DO SLEEP(300);\n");
    let (_, job) = create(&site, key, &request("a.sql", None));
    let id = job["id"].as_str().unwrap();
    let path = format!("/{INSTANCE}");
    let moved = with(place(&site.server), &json!({"host": "192.0.2.1"}));
    refused(send(&site, key, "PATCH", &path, &moved), (409, "in-use"));
    refused(send(&site, key, "DELETE", &path, &json!({})), (409, "in-use"));
    let (status, _) = send(&site, key, "PATCH", &path, &json!({"name": "n", "password": ""}));
    assert_eq!(status, 200);
    check(&site, key, ("POST", &format!("/api/v1/jobs/{id}/cancel"), b""), 202);
    job_when(&site, id, is_over);
    let (status, _) = send(&site, key, "PATCH", &path, &moved);
    assert_eq!(status, 200);
}

#[test]
fn the_command_line_does_the_same_with_a_key() {
    let site = site();
    let run = |arguments: &[&str]| {
        let output = dbferry()
            .arg("instance")
            .args(arguments)
            .env("DBFERRY_SERVER", format!("http://{}", site.service.address))
            .env("DBFERRY_KEY_ID", &site.key.id)
            .env("DBFERRY_KEY_SECRET", &site.key.secret)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let port = site.server.port();
    let url = format!("mysql://imp:hunter2@127.0.0.1:{port}");
    let (code, made, said) = run(&["add", "db-2", "--url", &url, "--region", "eu"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(made.starts_with(&format!("db-2  mysql  127.0.0.1:{port}  unknown")), "{made}");
    assert_eq!(run(&["check", "db-2"]).0, Some(0));
    let (code, listed, _) = run(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, &listed["total"]), (Some(0), &json!(2)), "{listed}");
    let (code, changed, said) = run(&["set", "db-2", "--name", "shops", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let changed: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!((&changed["name"], &changed["region"]), (&json!("shops"), &json!("eu")));
    let (code, _, said) = run(&["set", "db-2", "--url", "mysql://imp@192.0.2.1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("together with the password"), "{said}");
    let (code, _, said) =
        run(&["add", "db-4", "--url", "mysql://imp@h?ca=/etc/passwd&tls=verify-ca"]);
    assert_eq!((code, said.contains("only tls=")), (Some(2), true), "{said}");
    // The operator's way to the same instance, with the store itself.
    let shown = site.dbferry(&["instance", "set", "db-2", "--zone", "z", "--account", "shop"]);
    assert!(shown.contains("zone     z"), "{shown}");
    assert_eq!(run(&["remove", "db-2"]).0, Some(0));
    assert_eq!(run(&["show", "db-2"]).0, Some(2));
}
