//! What `make bench` imports leaves the same as the stock client does: small versions of its
//! generated dumps.

use sandbox::inputs::{self, Input, Plan};
use sandbox::{Flavor, Server};

use crate::sameness;

/// Small enough for a test, large enough for several batches.
const SCALE: f64 = 0.004;

#[test]
fn benchmark_inputs_leave_mariadb_as_the_stock_client_does() {
    check(Flavor::MariaDb);
}

#[test]
fn benchmark_inputs_leave_mysql_as_the_stock_client_does() {
    check(Flavor::MySql);
}

fn check(flavor: Flavor) {
    let server = Server::start_with(flavor, &sameness::options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for input in Input::ALL {
        let file = folder.path().join(input.name());
        inputs::write(&Plan { input, flavor, scale: SCALE }, &file).unwrap();
        let oracle = sameness::oracle(&server, &file);
        assert_eq!(oracle.outcome.exit, 0, "{}: {}", input.name(), oracle.outcome.message);
        let imported =
            sameness::imported(&server, &file, &["--threads", "3", "--batch-bytes", "50000"]);
        let difference = sameness::difference(&oracle, &imported);
        assert_eq!(difference, None, "{}", input.name());
    }
}
