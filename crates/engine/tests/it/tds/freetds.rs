//! FreeTDS against the peer: what tests our client is itself tested by one that is not ours.

use std::process::Command;

use super::*;

fn run(peer: &Peer, program: &str, arguments: &[&str], folder: &std::path::Path) -> String {
    let port = peer.port();
    let settings = format!("[peer]\nhost = 127.0.0.1\nport = {port}\ntds version = 7.4\n");
    let file = folder.join("freetds.conf");
    std::fs::write(&file, settings).unwrap();
    let output = Command::new(program)
        .args(arguments)
        .env("FREETDSCONF", &file)
        .current_dir(folder)
        .stdin(std::fs::File::open(folder.join("input")).unwrap())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: run scripts/setup"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}; {:?}", peer.faults());
    said
}

fn table() -> Rows {
    let columns = vec![
        Column::new("n", b"\x38").not_null(),
        Column::new("t", b"\xa7\x14\x00\x09\x04\xd0\x00\x34"),
        Column::new("u", b"\xe7\x28\x00\x09\x04\xd0\x00\x34"),
        Column::new("d", b"\x6a\x05\x09\x02"),
    ];
    Rows { columns, rows: Vec::new(), compact: false }
}

#[test]
fn freebcp_loads_rows_into_the_peer() {
    for encryption in [Encryption::NotSupported, Encryption::Off, Encryption::Required] {
        let folder = tempfile::tempdir().unwrap();
        let query = "SET FMTONLY ON select * from t SET FMTONLY OFF".to_owned();
        let answers = vec![(query, Answer::Rows(table()))];
        let peer = Peer::start(Script { answers, encryption, ..Script::default() }).unwrap();
        std::fs::write(folder.path().join("input"), "").unwrap();
        std::fs::write(folder.path().join("rows"), "1,one,eins,1.25\n-2,,,\n").unwrap();
        let login = ["-S", "peer", "-U", "sa", "-P", "Sandbox-1"];
        let how = ["t", "in", "rows", "-c", "-t", ","];
        let said = run(&peer, "freebcp", &[&how[..], &login].concat(), folder.path());
        assert!(said.contains("2 rows copied"), "{said}: {:?}", peer.batches());
        let load = &peer.loads()[0];
        let cell = |bytes: &[u8]| Some(bytes.to_vec());
        let first =
            [cell(&[1, 0, 0, 0]), cell(b"one"), Some(utf16("eins")), cell(&[1, 125, 0, 0, 0])];
        assert_eq!(load.rows.rows[0], first);
        assert_eq!(load.rows.rows[1], [cell(&[0xfe, 255, 255, 255]), None, None, None]);
        assert_eq!(peer.faults(), Vec::<String>::new());
    }
}

#[test]
fn tsql_reads_rows_of_the_peer() {
    let folder = tempfile::tempdir().unwrap();
    let cell = |bytes: &[u8]| Some(bytes.to_vec());
    let first =
        vec![cell(&[1, 0, 0, 0]), cell(b"one"), Some(utf16("eins")), cell(&[1, 125, 0, 0, 0])];
    let second = vec![cell(&[2, 0, 0, 0]), None, None, None];
    for compact in [false, true] {
        let rows = Rows { rows: vec![first.clone(), second.clone()], compact, ..table() };
        let answers = vec![("select * from t\n".to_owned(), Answer::Rows(rows))];
        let peer = Peer::start(Script { answers, ..Script::default() }).unwrap();
        std::fs::write(folder.path().join("input"), "select * from t\ngo\nexit\n").unwrap();
        let arguments = ["-S", "peer", "-U", "sa", "-P", "Sandbox-1", "-o", "q"];
        let said = run(&peer, "tsql", &arguments, folder.path());
        assert!(said.contains("1\tone\teins\t1.25"), "{said}: {:?}", peer.batches());
        assert!(said.contains("2\tNULL\tNULL\tNULL"), "{said}");
        assert_eq!(peer.faults(), Vec::<String>::new());
    }
}
