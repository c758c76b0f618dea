//! `dbferry copy` between real servers: everything arrives, and a target is never half-way.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sandbox::{Flavor, Server, state};
use serde_json::Value;

use crate::import_errors::Ended;
use crate::sameness::{self, dbferry};
use crate::schema::conforms;

mod across;
mod comparison;
mod consistency;
mod crash;
mod families;
mod full_disk;
mod keys;
mod refusals;
mod resume;
mod snapshot;
pub(crate) mod throttle;

/// A source and a target.
pub(crate) struct Pair {
    pub(crate) source: Server,
    pub(crate) target: Server,
}

/// The databases of the cases.
const DATABASES: &str = "other,odd `name,empty_one";

#[test]
fn everything_is_copied_on_mariadb() {
    check_everything(Flavor::MariaDb);
}

#[test]
fn everything_is_copied_on_mysql() {
    check_everything(Flavor::MySql);
}

/// Every type and object, in one stream, in parts of single rows, and as INSERT text.
fn check_everything(flavor: Flavor) {
    let pair = Pair::start(flavor);
    pair.load_cases();
    let wanted = comparable(&pair.source);
    for mode in [
        &["--threads", "2"][..],
        &["--threads", "3", "--chunk-bytes", "1"],
        &["--threads", "1", "--no-load-data"],
    ] {
        state::wipe(&pair.target).unwrap();
        let ended = pair.copy(DATABASES, &[mode, &["--json"]].concat());
        ended.check(0, &["compared by checksum"]);
        assert_eq!(documented(&ended.stdout)["report"]["published"], true);
        pair.target.sql("DROP DATABASE imp").unwrap();
        let found = comparable(&pair.target);
        assert!(found == wanted, "{mode:?}:\n{}", state::diff(&wanted, &found));
    }
}

#[test]
fn databases_are_renamed_on_mariadb() {
    check_renamed(Flavor::MariaDb);
}

#[test]
fn databases_are_renamed_on_mysql() {
    check_renamed(Flavor::MySql);
}

/// References between the copied databases follow them; what cannot be told is said.
fn check_renamed(flavor: Flavor) {
    let pair = Pair::start(flavor);
    pair.load_cases();
    let ended = pair.copy("other:new_other,odd `name:plain,empty_one", &[]);
    ended.check(0, &[]);
    // A comment is no name.
    let comment = "' DEFAULT nextval(`odd ``name`.`seq1`)'";
    let text = state::canonical(&pair.target).unwrap().replace(comment, "''");
    assert!(!text.contains("`other`.") && !text.contains("odd ``name"), "{text}");
    let call = "CALL plain.p1(1, @b); SELECT @b; CALL plain.p2(); SELECT code FROM plain.v_a";
    assert_eq!(
        pair.target.sql(call).unwrap(),
        pair.source.sql(&call.replace("plain.", "`odd ``name`.")).unwrap()
    );
    let parents = "SELECT unique_constraint_schema FROM information_schema.referential_constraints \
                   WHERE constraint_schema = 'plain' AND constraint_name = 'cross_fk'";
    assert_eq!(pair.target.sql(parents).unwrap().trim(), "new_other");
}

impl Pair {
    pub(crate) fn start(flavor: Flavor) -> Pair {
        let start = || Server::start_with(flavor, &sameness::options()).unwrap();
        Pair { source: start(), target: start() }
    }

    /// Fills the source with the cases.
    fn load_cases(&self) {
        let own = match self.source.flavor() {
            Flavor::MariaDb => "mariadb",
            Flavor::MySql => "mysql",
        };
        for name in ["common", own] {
            let outcome = self.source.import_stock(None, &case(name)).unwrap();
            assert_eq!(outcome.exit, 0, "{name}: {}", outcome.message);
        }
    }

    /// `dbferry copy`, to be given more arguments.
    pub(crate) fn command(&self, databases: &str) -> Command {
        let url = |server: &Server| sameness::socket_url(server, "").replace("/?", "?");
        let mut command = dbferry();
        command.args(["copy", "--from", &url(&self.source), "--to", &url(&self.target)]);
        command.args(["--databases", databases, "--no-progress"]);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn copy(&self, databases: &str, arguments: &[&str]) -> Ended {
        Ended::of(self.output(databases, arguments))
    }

    fn output(&self, databases: &str, arguments: &[&str]) -> Output {
        self.command(databases).args(arguments).output().unwrap()
    }

    /// Databases on the target that copies made for their own use.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut names = state::databases(&self.target).unwrap();
        names.retain(|name| name.starts_with("dbferry"));
        names
    }
}

/// The document that a run printed, which has to follow its schema.
#[track_caller]
pub(crate) fn documented(stdout: &str) -> Value {
    let document: Value = serde_json::from_str(stdout).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/copy.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
    conforms(&document, &schema, "copy");
    document
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/copy/{name}.sql"))
}

/// The canonical state. MySQL tells the character set of a column's collation once it was made with
/// one; what it is, the collation says.
pub(crate) fn comparable(server: &Server) -> String {
    let text = state::canonical(server).unwrap();
    let pattern = regex::Regex::new(r" CHARACTER SET (\w+) COLLATE (\w+)").unwrap();
    pattern.replace_all(&text, " COLLATE $2").into_owned()
}
