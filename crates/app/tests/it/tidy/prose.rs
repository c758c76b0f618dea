//! Rules about every text of the repository: it names no machine, and the files it names exist.

/// The files of each place where somebody's home is, and the hosts that packages come from; cut in
/// two so that this file does not hold them.
const WORDS: [(&str, &str); 8] = [
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("index.cra", "tes.io"),
    ("static.cra", "tes.io"),
    ("py", "pi.org"),
    ("registry.np", "mjs.org"),
    ("proxy.go", "lang.org"),
];
/// Where the paths that documents name begin.
const FOLDERS: [&str; 7] = ["crates/", "docs/", "fuzz/", "scripts/", ".ci/", ".config/", "./"];

/// Words that tie a file to one machine or one network.
pub(super) fn words(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (head, tail) in WORDS {
            let word = format!("{head}{tail}");
            if line.contains(&word) {
                complaints.push(format!("{path}:{}: names {word}", number + 1));
            }
        }
    }
    complaints
}

/// Paths in a document, between backticks or as a link's target, that do not exist.
pub(super) fn paths(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for name in
            quoted.chain(linked).map(|name| name.split(['#', ' ', ':']).next().unwrap_or_default())
        {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder));
            // Patterns stand for several.
            let is_plain = !name.contains(['*', '{', '<', '…']);
            if is_path && is_plain && !exists(name) {
                complaints.push(format!("{path}:{}: {name} does not exist", number + 1));
            }
        }
    }
    complaints
}

#[test]
fn words_of_a_machine_are_found() {
    assert!(words("x", "a home, a root, crates.io\n").is_empty());
    for (head, tail) in WORDS {
        assert_eq!(words("x", &format!("fine\nsee {head}{tail}x\n")).len(), 1);
    }
}

#[test]
fn dead_paths_are_found() {
    let exists = |path: &str| path == "crates/dump/src/lib.rs";
    let check = |text: &str| paths("x.md", text, exists).len();
    assert_eq!(check("see `crates/dump/src/lib.rs` and [it](crates/dump/src/lib.rs#L3)"), 0);
    assert_eq!(check("see `crates/dump/src/gone.rs`"), 1);
    assert_eq!(check("see [it](docs/gone.md)"), 1);
    assert_eq!(check("`crates/*/src` and crates/gone, `a/b`"), 0);
}
