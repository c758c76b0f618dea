//! `dbferry copy`, and what else takes a server, by kinds of server: what does not go together is said
//! before anybody connects.

use crate::import_errors::Ended;
use crate::sameness::dbferry;

/// Nothing listens there.
const MYSQL: &str = "mysql://root@127.0.0.1:1";
const SQL_SERVER: &str = "mssql://sa@127.0.0.1:1";

#[track_caller]
fn check(arguments: &[&str], exit: i32, said: &[&str]) {
    let output = dbferry().args(arguments).env_remove("DBFERRY_PASSWORD").output().unwrap();
    Ended::of(output).check(exit, said);
}

/// `dbferry copy` of one database between two servers.
#[track_caller]
fn check_copy(from: &str, to: &str, arguments: &[&str], exit: i32, said: &[&str]) {
    let copy = ["copy", "--from", from, "--to", to, "--databases", "a:b", "--no-progress"];
    check(&[&copy[..], arguments].concat(), exit, said);
}

#[test]
fn both_servers_are_of_one_kind() {
    let kinds = ["--from names a SQL Server, --to a MySQL or MariaDB server"];
    check_copy(SQL_SERVER, MYSQL, &[], 2, &kinds);
    let kinds = ["--from names a MySQL or MariaDB server, --to a SQL Server"];
    check_copy(MYSQL, SQL_SERVER, &[], 2, &kinds);
    check_copy(MYSQL, "mariadb://root@127.0.0.1:1", &[], 3, &["127.0.0.1:1"]);
    let skip = ["--skip-unsupported"];
    check_copy(SQL_SERVER, "sqlserver://sa@127.0.0.1:1", &skip, 3, &["127.0.0.1:1"]);
}

#[test]
fn options_of_the_other_kind_are_refused() {
    for option in [
        &["--definer", "keep"][..],
        &["--map-collation", "a=b"],
        &["--no-load-data"],
        &["--max-replica-lag", "3"],
        &["--defaults-file", "/nowhere"],
        &["--default-character-set", "utf8"],
    ] {
        let said = format!("{}: this means nothing for a SQL Server", option[0]);
        check_copy(SQL_SERVER, SQL_SERVER, option, 2, &[&said]);
    }
    let said = ["--skip-unsupported: this means nothing for a MySQL or MariaDB server"];
    check_copy(MYSQL, MYSQL, &["--skip-unsupported"], 2, &said);
    let replica = ["--max-replica-lag", "3", "--replica", SQL_SERVER];
    check_copy(MYSQL, MYSQL, &replica, 2, &["--replica names a SQL Server"]);
}

#[test]
fn what_knows_mysql_only_says_what_there_is_instead() {
    let said = ["--to names a SQL Server", "dbferry copy --from mssql://"];
    check(&["import", "a.sql", "--to", SQL_SERVER], 2, &said);
    check(&["import", "a.sql", "--dry-run", "--to", SQL_SERVER], 2, &said);
    check(&["repair", "--forget", "--to", SQL_SERVER], 2, &["--forget: this means nothing"]);
    check(&["repair", "--to", SQL_SERVER], 3, &["127.0.0.1:1"]);
}
