//! Rules about Rust files and the files that tests read.
//!
//! Takes for granted what rustfmt promises: a function ends with `}` at the indent of its `fn`.

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "manager", "misc", "shared", "types", "util", "utils"];
/// The database driver, and the only source file that may name it.
const DRIVER: (&str, &str) = ("mysql_async", "crates/engine/src/mysql/conn.rs");
/// Folders of fixtures, from the crate's own.
const FIXTURES: [&str; 2] = ["test_data/", "tests/cases/"];

/// A file says first what it is.
pub(super) fn opening(path: &str, text: &str) -> Option<String> {
    let begins = text.starts_with("//! ");
    (!begins).then(|| format!("{path}: does not open with //! and what it is"))
}

/// Functions that are too long without a stated reason.
pub(super) fn functions(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut complaints = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let length = function_length(&lines[at..]);
        if length > FUNCTION_LINES_MAX && !is_excused(&lines[..at]) {
            let name = line.trim().trim_end_matches(['{', '(']).trim_end();
            complaints.push(format!(
                "{path}:{}: {length} lines, {FUNCTION_LINES_MAX} are allowed: {name}",
                at + 1
            ));
        }
    }
    complaints
}

/// Modules whose names say nothing.
pub(super) fn modules(path: &str, text: &str) -> Vec<String> {
    let parts = path.trim_end_matches(".rs").split('/');
    let mut names: Vec<&str> = parts.collect();
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
        if let Some(rest) = line.strip_prefix("mod ") {
            names.push(rest.trim_end_matches([';', '{', ' ', '}']));
        }
    }
    names.retain(|name| EMPTY_NAMES.contains(name));
    names.dedup();
    names.into_iter().map(|name| format!("{path}: a module named {name}")).collect()
}

/// The driver outside the file that hides it.
pub(super) fn driver(path: &str, text: &str) -> Option<String> {
    let (name, home) = DRIVER;
    let strays = path.contains("/src/") && path != home && text.contains(name);
    strays.then(|| format!("{path}: names {name}, which is for {home} only"))
}

/// Whether a path inside a crate is something that tests or code read.
pub(super) fn is_fixture(path: &str) -> bool {
    let is_sql = path.rsplit_once('.').is_some_and(|(_, extension)| extension == "sql");
    is_sql || FIXTURES.iter().any(|folder| path.starts_with(folder))
}

/// A fixture is read by its name, or by a file that lists its folder.
pub(super) fn fixture(path: &str, readers: &[&str]) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let by_name =
        |text: &str| text.contains(&format!("{name}\"")) || text.contains(&format!("\"{stem}\""));
    let is_read = readers.iter().any(|text| by_name(text) || lists_folder(path, text));
    (!is_read).then(|| format!("{path}: nothing reads it"))
}

/// A file lists a folder above `path` if it names that in one piece, or part by part.
fn lists_folder(path: &str, text: &str) -> bool {
    let Some(root) = FIXTURES.into_iter().find(|root| path.starts_with(root)) else { return false };
    let names = |piece: &str| text.contains(&format!("{piece}\""));
    let all = path.match_indices('/').map(|(at, _)| &path[..at]);
    let folders: Vec<&str> = all.filter(|folder| folder.len() + 1 >= root.len()).collect();
    let [top, below @ ..] = folders.as_slice() else { return false };
    let in_one_piece = folders.iter().any(|folder| folder.contains('/') && names(folder));
    let own_name = |folder: &&str| folder.rsplit('/').next().map(|name| format!("\"{name}"));
    let by_parts = !below.is_empty()
        && names(top)
        && below.iter().filter_map(own_name).all(|name| names(&name));
    text.contains("read_dir") && (in_one_piece || by_parts)
}

fn begins_function(line: &str) -> bool {
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "fn"];
    let mut before = line.split_whitespace().take_while(|word| *word != "fn");
    let has_fn = line.split_whitespace().any(|word| word == "fn");
    has_fn && before.all(|word| words.contains(&word))
}

/// Lines from the first to the closing brace at its indent; 1 for a declaration or a one-liner.
fn function_length(lines: &[&str]) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines[0]);
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| indent(line) == own) {
        if line.trim_start().starts_with('}') {
            return at + 1;
        }
        if line.ends_with(';') || (at == 0 && line.ends_with('}')) {
            return 1;
        }
    }
    lines.len()
}

/// The attributes above a function excuse its length and say why.
fn is_excused(before: &[&str]) -> bool {
    let ends = |line: &&&str| line.is_empty() || line.trim() == "}" || line.ends_with(';');
    let above: Vec<&str> = before.iter().rev().take_while(|line| !ends(line)).copied().collect();
    let above = above.join("\n");
    above.contains("clippy::too_many_lines") && above.contains("reason")
}

#[track_caller]
fn check_functions(text: &str, count: usize) {
    assert_eq!(functions("x.rs", text).len(), count, "{text}");
}

/// A function of so many lines, indented.
fn function(head: &str, lines: usize) -> String {
    format!("    {head} {{\n{}    }}\n", "        work();\n".repeat(lines - 2))
}

#[test]
fn a_file_without_words_is_found() {
    assert_eq!(opening("x.rs", "//! What it is.\n"), None);
    assert!(opening("x.rs", "use std::fs;\n").is_some());
    assert!(opening("x.rs", "//!\n").is_some());
    assert!(opening("x.rs", "").is_some());
}

#[test]
fn long_functions_are_found() {
    check_functions(&function("fn f()", FUNCTION_LINES_MAX), 0);
    check_functions(&function("fn f()", FUNCTION_LINES_MAX + 1), 1);
    check_functions(&function("pub(crate) async fn f()", FUNCTION_LINES_MAX + 1), 1);
    let split = "fn f(\n        a: u8,\n    ) -> u8";
    check_functions(&function(split, FUNCTION_LINES_MAX + 1), 1);
}

#[test]
fn a_reason_excuses_a_long_function_and_only_that_one() {
    let long = function("fn f()", FUNCTION_LINES_MAX + 1);
    let reason = "    #[expect(clippy::too_many_lines, reason = \"a table\")]\n";
    check_functions(&format!("{reason}{long}"), 0);
    check_functions(&format!("{reason}{long}\n{long}"), 1);
    check_functions(&format!("    #[expect(clippy::too_many_lines)]\n{long}"), 1);
}

#[test]
fn declarations_and_one_liners_are_short() {
    let many = "\n".repeat(FUNCTION_LINES_MAX);
    check_functions(&format!("    fn f();{many}}}\n"), 0);
    check_functions(&format!("    fn f(\n        a: u8,\n    );{many}}}\n"), 0);
    check_functions(&format!("    fn f() {{}}{many}    }}\n"), 0);
}

#[test]
fn only_one_file_names_the_driver() {
    let (name, home) = DRIVER;
    assert_eq!(driver(home, name), None);
    assert!(driver("crates/engine/src/import.rs", name).is_some());
}

#[test]
fn empty_module_names_are_found() {
    assert!(modules("crates/app/src/size.rs", "mod tests;").is_empty());
    assert_eq!(modules("crates/app/src/utils.rs", "").len(), 1);
    assert_eq!(modules("crates/app/src/common/mod.rs", "").len(), 1);
    assert_eq!(modules("x.rs", "pub(crate) mod helpers {\n").len(), 1);
    assert_eq!(modules("x.rs", "    mod types;\n").len(), 1);
}

#[test]
fn dead_fixtures_are_found() {
    assert!(is_fixture("test_data/archive/a.zip") && is_fixture("src/x/schema.sql"));
    assert!(!is_fixture("src/lib.rs") && !is_fixture("src/notes.md"));
    let reader = "include_str!(\"x/schema.sql\")";
    assert_eq!(fixture("src/x/schema.sql", &[reader]), None);
    assert!(fixture("src/x/keys.sql", &[reader]).is_some());
    let lister = "read_dir(root.join(\"tests/cases\"))";
    assert_eq!(fixture("tests/cases/a.sql", &["", lister]), None);
    assert!(fixture("tests/cases/a.sql", &["join(\"tests/cases\")", "read_dir(x)"]).is_some());
    assert!(fixture("test_data/b.sql", &[lister]).is_some());
    let by_parts = "check(\"ok\"); read_dir(root.join(\"test_data\").join(folder))";
    assert_eq!(fixture("test_data/ok/c.sql", &[by_parts]), None);
    assert!(fixture("test_data/old/c.sql", &[by_parts]).is_some());
    assert!(fixture("test_data/c.sql", &[by_parts]).is_some());
}
