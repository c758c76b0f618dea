//! Where a password may come from, which one wins, and that none of them shows anywhere.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use sandbox::Flavor;

use crate::import_errors::{Bench, Ended};
use crate::sameness::dbferry;

/// The right one has characters that a URL, an option file and a shell would each treat.
const RIGHT: &str = "cana ry@1:/#'%\"";
const WRONG: &str = "canary-wrong";

/// A server with an account `app` whose password is [`RIGHT`].
fn bench() -> Bench {
    let bench = Bench::start(Flavor::MariaDb);
    let quoted = RIGHT.replace('\'', "''");
    bench.sql(&format!("CREATE USER app@'127.0.0.1' IDENTIFIED BY '{quoted}'"));
    bench.sql("GRANT ALL ON imp.* TO app@'127.0.0.1'");
    bench.file("dump.sql", "CREATE OR REPLACE TABLE t (id INT);\nINSERT INTO t VALUES (1);\n");
    bench.file("right", format!("{RIGHT}\n"));
    bench.file("wrong", WRONG);
    let section = |password: &str| {
        let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            "[mysqld]\npassword=no\n[client]\n# a comment\nuser = app\npassword = \"{escaped}\"\n[mysqldump]\nuser=no\n"
        )
    };
    bench.file("right.cnf", section(RIGHT));
    bench.file("wrong.cnf", section(WRONG));
    bench.file("stranger.cnf", section(RIGHT).replace("user = app", "user = stranger"));
    std::fs::create_dir(bench.folder.path().join("home")).unwrap();
    bench.file("home/.my.cnf", section(RIGHT));
    bench
}

/// `percent` encodes everything that is not plain.
fn encoded(password: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    password
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn import(bench: &Bench, login: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let url = format!("mysql://{login}127.0.0.1:{}/imp", bench.server.port());
    let mut command = dbferry();
    command.args(["import", "dump.sql", "--to", &url, "--json"]).args(arguments);
    command.args(["--report", "report.json"]).current_dir(bench.folder.path());
    for (name, value) in environment {
        command.env(name, value);
    }
    let ended = Ended::of(command.output().unwrap());
    let report =
        std::fs::read_to_string(bench.folder.path().join("report.json")).unwrap_or_default();
    for text in [&ended.stdout, &ended.stderr, &report] {
        for secret in ["canary", "cana ry", &encoded(RIGHT)] {
            assert!(!text.contains(secret), "it shows the password: {text}");
        }
    }
    ended
}

#[test]
fn a_password_comes_from_any_of_the_places() {
    let bench = bench();
    let in_url = format!("app:{}@", encoded(RIGHT));
    let home = bench.folder.path().join("home").display().to_string();
    import(&bench, &in_url, &[], &[]).check(0, &[]);
    import(&bench, "app@", &["--password-file", "right"], &[]).check(0, &[]);
    import(&bench, "app@", &[], &[("DBFERRY_PASSWORD", RIGHT)]).check(0, &[]);
    import(&bench, "app@", &["--defaults-file", "right.cnf"], &[]).check(0, &[]);
    import(&bench, "", &["--defaults-file", "right.cnf"], &[]).check(0, &[]);
    import(&bench, "app@", &[], &[("HOME", &home)]).check(0, &[]);
    import(&bench, "app@", &[], &[]).check(3, &["Access denied"]);
}

#[test]
fn the_nearest_place_wins() {
    let bench = bench();
    let home = bench.folder.path().join("home").display().to_string();
    let (right, wrong) = (format!("app:{}@", encoded(RIGHT)), format!("app:{WRONG}@"));
    let right_in_environment = [("DBFERRY_PASSWORD", RIGHT), ("HOME", &home)];
    let wrong_in_environment = [("DBFERRY_PASSWORD", WRONG), ("HOME", &home)];
    import(&bench, &right, &["--defaults-file", "wrong.cnf"], &wrong_in_environment).check(0, &[]);
    import(&bench, &wrong, &[], &right_in_environment).check(3, &[]);
    import(&bench, "app@", &["--password-file", "right"], &wrong_in_environment).check(0, &[]);
    import(&bench, "app@", &["--password-file", "wrong"], &right_in_environment).check(3, &[]);
    import(&bench, "app@", &["--defaults-file", "wrong.cnf"], &right_in_environment).check(0, &[]);
    import(&bench, "app@", &["--defaults-file", "right.cnf"], &wrong_in_environment).check(3, &[]);
    // Another account's password is not tried.
    import(&bench, "app@", &["--defaults-file", "stranger.cnf"], &[]).check(3, &[]);
    import(&bench, "app@", &["--password-file", "missing"], &[]).check(2, &["missing"]);
    import(&bench, "app@", &["--defaults-file", "missing.cnf"], &[]).check(2, &["missing.cnf"]);
}

#[test]
fn a_running_import_does_not_show_its_password() {
    let bench = bench();
    let url = format!("mysql://app:{}@127.0.0.1:{}/imp", encoded(RIGHT), bench.server.port());
    for arguments in [vec!["--to".to_owned(), url.clone()], vec![format!("--to={url}")]] {
        let mut child = dbferry()
            .args(["import", "-"])
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let begin =
            format!("/* {} */ CREATE TABLE seen (id INT);\nINSERT INTO", "-".repeat(100_000));
        stdin.write_all(begin.as_bytes()).unwrap();
        // It has logged in and works.
        while !bench.tables().contains("seen") {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
        }
        let title = read(&format!("/proc/{}/cmdline", child.id()));
        assert!(title.contains("mysql://app@127.0.0.1"), "{title}");
        assert!(!title.contains("cana"), "{title}");
        let listed =
            Command::new("ps").args(["-o", "args=", "-p", &child.id().to_string()]).output();
        if let Ok(listed) = listed {
            assert!(!String::from_utf8_lossy(&listed.stdout).contains("cana"));
        }
        stdin.write_all(b" seen VALUES (1);\nDROP TABLE seen;\n").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ended::of(output).check(0, &["3 statements"]);
    }
}

fn read(path: &str) -> String {
    let mut text = Vec::new();
    std::fs::File::open(Path::new(path)).unwrap().read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).replace('\0', " ")
}
