//! `dbferry import --dry-run` as a program: its page, its document, its exit codes, and that it
//! changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Output;

use sandbox::{Flavor, Server, state};
use serde_json::Value;

use crate::sameness::dbferry;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dump/test_data/dumps").join(name)
}

fn dry_run(file: &Path, url: &str, arguments: &[&str]) -> Output {
    let mut command = dbferry();
    command.args(["import", "--dry-run", "--to", url]).arg(file).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn nothing_is_changed_and_the_exit_code_tells() {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor).unwrap();
        server.sql("CREATE DATABASE imp; CREATE TABLE imp.customer (id INT)").unwrap();
        let before = state::canonical(&server).unwrap();
        let url = server.url(Some("imp"));
        for (name, expected) in [
            ("mydumper-schema.sql", 0),
            ("phpmyadmin.sql", 0),
            ("by-hand.sql", 1),
            ("mysqldump57.sql", if flavor == Flavor::MySql { 1 } else { 0 }),
        ] {
            let output = dry_run(&fixture(name), &url, &[]);
            let page = text(&output.stdout);
            let shown = format!("{name}: {page}{}", text(&output.stderr));
            assert_eq!(output.status.code(), Some(expected), "{shown}");
            assert!(page.ends_with("Nothing was changed.\n"), "{shown}");
            assert!(output.stderr.is_empty(), "{shown}");
        }
        let mut stdin = dbferry();
        stdin.args(["import", "-", "--dry-run", "--to", &url]);
        let output = stdin.stdin(File::open(fixture("phpmyadmin.sql")).unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(state::canonical(&server).unwrap(), before);
    }
}

#[test]
fn the_document_has_what_its_schema_requires() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let server = Server::start(Flavor::MariaDb).unwrap();
    let output = dry_run(&fixture("mysqldump90.sql"), &server.url(None), &["--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    same_keys(&document, &schema);
    for (value, of) in [
        (&document["target"], "target"),
        (&document["file"], "file"),
        (&document["tables"][0], "table"),
        (&document["steps"], "steps"),
        (&document["findings"][0], "finding"),
        (&document["estimates"], "estimates"),
    ] {
        same_keys(value, &schema["$defs"][of]);
    }
    let codes = schema["$defs"]["finding"]["properties"]["code"]["description"].as_str().unwrap();
    for finding in document["findings"].as_array().unwrap() {
        let code = finding["code"].as_str().unwrap();
        let is_hazard = code.ends_with("_feature") || code.starts_with("skipped_by");
        assert!(is_hazard || codes.contains(code), "{code} is not documented");
    }
    assert!(!text(&output.stdout).contains(server.root_password()));
}

/// All required keys are there, and no other.
#[track_caller]
fn same_keys(value: &Value, schema: &Value) {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let required = schema["required"].as_array().unwrap();
    let mut required: Vec<&str> = required.iter().map(|key| key.as_str().unwrap()).collect();
    keys.sort_unstable();
    required.sort_unstable();
    assert_eq!(keys, required);
}

/// Tables with all kinds of keys, one of them before those that it refers to.
const KEYED: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE zone (id INT PRIMARY KEY, code CHAR(3), name VARCHAR(60), KEY by_name (name(10)), UNIQUE KEY one (code));
    CREATE TABLE item (id INT NOT NULL AUTO_INCREMENT, zone INT, a INT, `odd ``name,` VARCHAR(60), PRIMARY KEY (id),
        KEY by_a (a), KEY by_odd (`odd ``name,`, a), KEY item_zone (zone), FULLTEXT KEY words (`odd ``name,`),
        CONSTRAINT item_zone FOREIGN KEY (zone) REFERENCES zone (id));
    CREATE TABLE bare (id INT PRIMARY KEY, name VARCHAR(60));
    CREATE TABLE small (id INT PRIMARY KEY, a INT, KEY by_a (a));
    INSERT INTO zone SELECT seq, CONVERT(seq, CHAR), 'zone' FROM numbers.one;
    INSERT INTO item SELECT seq, seq, seq, REPEAT('word ', 5) FROM numbers.one;
    INSERT INTO bare SELECT seq, REPEAT('x', 50) FROM numbers.one;
    INSERT INTO small VALUES (1, 1);";

#[test]
fn the_keys_that_wait_are_foreseen_by_name() {
    for flavor in Flavor::ALL {
        let server = Server::start_with(flavor, &crate::sameness::options()).unwrap();
        let numbers = "CREATE DATABASE numbers; CREATE TABLE numbers.one AS WITH RECURSIVE n (seq) AS \
                       (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 400) SELECT seq FROM n; ";
        server.sql(&format!("{numbers}{KEYED}")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.sql");
        let mut dump = server.dump_command().unwrap();
        let dump = dump.args(["--databases", "shop", "--skip-extended-insert"]);
        // Else the dump says what the server that it goes back to has executed.
        let gtid = (flavor == Flavor::MySql).then_some("--set-gtid-purged=OFF");
        let dump = dump.args(gtid);
        let dump = dump.stdout(File::create(&file).unwrap()).output().unwrap();
        assert!(dump.status.success(), "{}", text(&dump.stderr));
        server.sql("DROP DATABASE shop").unwrap();

        let imported = foreseen_and_imported(&file, &server.url(None));
        assert_eq!(imported["shop.zone"], ["by_name"]);
        assert!(imported["shop.item"].contains(&"by_odd".to_owned()), "{imported:?}");
        assert_eq!(imported.len(), 2, "{imported:?}");
    }
}

#[test]
fn the_keys_that_the_file_adds_later_are_foreseen_by_name() {
    let mut file = String::new();
    for name in ["plain", "own", "twice", "odd"] {
        let keys = if name == "own" { ",\n  PRIMARY KEY (`id`),\n  KEY `n` (`n`)" } else { "" };
        let columns = "`id` int NOT NULL,\n  `n` int DEFAULT NULL,\n  `v` varchar(60) DEFAULT NULL";
        let table = format!("CREATE TABLE `{name}` (\n  {columns}{keys}\n) ENGINE=InnoDB");
        writeln!(file, "{table} DEFAULT CHARSET=utf8mb4;").unwrap();
        for id in 0..200 {
            writeln!(file, "INSERT INTO `{name}` VALUES ({id}, {id}, 'word {id}');").unwrap();
        }
    }
    file.push_str(
        "ALTER TABLE `plain`\n  ADD PRIMARY KEY (`id`),\n  ADD UNIQUE KEY `one` (`n`),\n  ADD KEY `v` (`v`(10)),\n  \
         ADD KEY `both` (`n`,`v`);\n\
         ALTER TABLE `own`\n  ADD KEY `v` (`v`);\n\
         ALTER TABLE `twice`\n  ADD PRIMARY KEY (`id`);\nALTER TABLE `twice`\n  ADD KEY `v` (`v`);\n\
         ALTER TABLE `odd`\n  ADD FULLTEXT KEY `words` (`v`);\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("added.sql");
    std::fs::write(&path, file).unwrap();
    for flavor in Flavor::ALL {
        let server = Server::start_with(flavor, &crate::sameness::options()).unwrap();
        server.sql("CREATE DATABASE shop").unwrap();
        let imported = foreseen_and_imported(&path, &server.url(Some("shop")));
        assert_eq!(imported["shop.plain"], ["v", "both"]);
        assert_eq!(imported["shop.twice"], ["v"]);
        assert!(imported["shop.own"].contains(&"n".to_owned()), "{imported:?}");
        assert_eq!(imported.len(), 3, "{imported:?}");
    }
}

/// The keys that an import lets wait, by table; they are those that its plan names.
#[track_caller]
fn foreseen_and_imported(file: &Path, url: &str) -> BTreeMap<String, Vec<String>> {
    let small = ["--json", "--threads", "2", "--batch-bytes", "2000"];
    let planned = names(&dry_run(file, url, &small));
    let mut import = dbferry();
    import.args(["import", "--no-progress", "--to", url]).arg(file).args(small);
    let output = import.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let imported = names(&output);
    assert_eq!(planned, imported);
    imported
}

/// By table: the keys that wait, of a plan's or a report's document. Tables without any are left out.
#[track_caller]
fn names(output: &Output) -> BTreeMap<String, Vec<String>> {
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let waiting = |table: &Value| -> Vec<String> {
        let names = table.get("deferred_indexes").cloned().unwrap_or_default();
        serde_json::from_value::<Option<Vec<String>>>(names).unwrap().unwrap_or_default()
    };
    let tables = document.get("report").unwrap_or(&document);
    let all: Vec<(String, &Value)> = match &tables["tables"] {
        Value::Object(tables) => tables.iter().map(|(name, table)| (name.clone(), table)).collect(),
        tables => {
            let tables = tables.as_array().unwrap().iter();
            tables.map(|table| (table["name"].as_str().unwrap().to_owned(), table)).collect()
        }
    };
    let named = all.into_iter().map(|(name, table)| (name, waiting(table)));
    named.filter(|(_, names)| !names.is_empty()).collect()
}

#[test]
fn what_is_no_plan() {
    let server = Server::start(Flavor::MariaDb).unwrap();
    let file = fixture("phpmyadmin.sql");
    let missing = dry_run(&file, &server.url(Some("absent")), &[]);
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing.stderr));
    assert!(text(&missing.stdout).contains("there is no database absent (error 1049)"));
    let no_file = dry_run(Path::new("/nonexistent.sql"), &server.url(None), &[]);
    assert_eq!((no_file.status.code(), no_file.stdout.len()), (Some(2), 0));
    let url = server.url(None).replace(server.root_password(), "wrong");
    assert_eq!(dry_run(&file, &url, &[]).status.code(), Some(3));
    server.stop().unwrap();
    let gone = dry_run(&file, &server.url(None), &[]);
    assert_eq!((gone.status.code(), gone.stdout.len()), (Some(3), 0), "{}", text(&gone.stderr));
}
