//! Rules about Cargo.toml and Cargo.lock.
//!
//! Reads as much TOML as these files use: sections, and one `key = value` a line.

/// Who may depend on whom.
const ARROWS: [(&str, &str); 6] = [
    ("engine", "dump"),
    ("app", "dump"),
    ("app", "engine"),
    ("app", "wire"),
    ("app", "store"),
    ("fuzz", "dump"),
];
/// Who may do so in tests only.
const TEST_ARROWS: [(&str, &str); 3] =
    [("engine", "sandbox"), ("app", "sandbox"), ("store", "sandbox")];
/// The only place that packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One `key = value` line and the section it stands in.
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
}

/// Dependencies of crate `name` on our own crates that are not agreed.
pub(super) fn arrows(name: &str, text: &str, crates: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (target, in_tests) in dependencies(text) {
        let is_ours = crates.contains(&target);
        let arrow = (name, target.as_str());
        let agreed = ARROWS.contains(&arrow) || (in_tests && TEST_ARROWS.contains(&arrow));
        if is_ours && !agreed {
            complaints.push(format!("{name}: must not depend on {target}"));
        }
    }
    complaints
}

/// What every crate takes from the workspace.
pub(super) fn settings(name: &str, text: &str) -> Vec<String> {
    let has = |section: &str, key: &str| {
        entries(text).any(|e| e.section == section && e.key == key && e.value == "true")
    };
    let wanted = [
        ("lints", "workspace"),
        ("package", "rust-version.workspace"),
        ("package", "edition.workspace"),
        ("package", "license.workspace"),
    ];
    let missing = wanted.into_iter().filter(|(section, key)| !has(section, key));
    missing.map(|(section, key)| format!("{name}: [{section}] lacks {key} = true")).collect()
}

/// The root's own settings; a dependency on a crate of ours goes by that crate's name.
pub(super) fn workspace(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_set = |section: &str, key: &str| {
        entries(text).any(|entry| entry.section == section && entry.key == key)
    };
    if !is_set("workspace.package", "rust-version") {
        complaints.push("Cargo.toml: [workspace.package] lacks rust-version".to_owned());
    }
    if !is_set("workspace.lints.rust", "unsafe_code") {
        complaints.push("Cargo.toml: [workspace.lints.rust] lacks unsafe_code".to_owned());
    }
    for entry in entries(text).filter(|entry| entry.section == "workspace.dependencies") {
        if let Some(path) = inline(entry.value, "path")
            && path != format!("crates/{}", entry.key)
        {
            complaints.push(format!("Cargo.toml: {} stands for {path}", entry.key));
        }
    }
    complaints
}

/// Packages in a lock file that come from elsewhere than the public registry.
pub(super) fn lock(path: &str, text: &str) -> Vec<String> {
    let sources = text.lines().filter_map(|line| line.strip_prefix("source = "));
    let strange = sources.map(|source| source.trim_matches('"')).filter(|s| *s != REGISTRY);
    strange.map(|source| format!("{path}: a package from {source}")).collect()
}

/// Lines of a .gitignore that would leave the lock file out.
pub(super) fn ignored_lock(text: &str) -> Vec<String> {
    let ignoring =
        text.lines().filter(|line| line.contains(".lock") && !line.starts_with(['#', '!']));
    ignoring.map(|line| format!(".gitignore: {line} leaves Cargo.lock out")).collect()
}

/// The packages that a manifest depends on, and whether only in tests.
fn dependencies(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for entry in entries(text) {
        let (section, own_name) = match entry.section.rsplit_once("dependencies.") {
            // [dependencies.NAME] has a section of its own.
            Some((kind, name)) => (format!("{kind}dependencies"), Some(name)),
            None => (entry.section.to_owned(), None),
        };
        if !section.ends_with("dependencies") || section.starts_with("workspace") {
            continue;
        }
        let in_tests = section.ends_with("dev-dependencies");
        let key = entry.key.split('.').next().unwrap_or_default();
        let name = own_name.unwrap_or(key).trim_matches('"');
        let renamed = match own_name {
            Some(_) if entry.key == "package" => Some(entry.value.trim_matches('"').to_owned()),
            Some(_) => None,
            None => inline(entry.value, "package"),
        };
        found.push((renamed.unwrap_or_else(|| name.to_owned()), in_tests));
    }
    found
}

fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut section = "";
    text.lines().filter_map(move |line| {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']);
            return None;
        }
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some(Entry { section, key: key.trim(), value: value.trim() })
    })
}

/// `key = "text"` in an inline table.
fn inline(value: &str, key: &str) -> Option<String> {
    let table = value.strip_prefix('{')?.strip_suffix('}')?;
    let field = table.split(',').find_map(|field| {
        let (name, text) = field.split_once('=')?;
        (name.trim() == key).then_some(text)
    })?;
    Some(field.trim().trim_matches('"').to_owned())
}

#[track_caller]
fn check_arrows(name: &str, text: &str, expected: &[&str]) {
    let crates = ["app", "dump", "engine", "sandbox", "store", "wire"].map(str::to_owned);
    assert_eq!(arrows(name, text, &crates), expected);
}

#[test]
fn arrows_are_found_however_they_are_written() {
    check_arrows("engine", "[dependencies]\ndump.workspace = true\nserde = \"1\"", &[]);
    let bad = &["dump: must not depend on engine"];
    check_arrows("dump", "[dependencies]\nengine.workspace = true", bad);
    check_arrows("dump", "[dependencies]\nengine = { path = \"../engine\" }", bad);
    check_arrows("dump", "[dependencies]\nx = { path = \"../y\", package = \"engine\" }", bad);
    check_arrows("dump", "[dependencies.engine]\npath = \"../engine\"", bad);
    check_arrows("dump", "[dependencies.x]\npackage = \"engine\"", bad);
    check_arrows("dump", "[build-dependencies]\nengine.workspace = true", bad);
    check_arrows("dump", "[dev-dependencies]\nengine.workspace = true # why", bad);
    check_arrows("dump", "[target.'cfg(unix)'.dependencies]\nengine.workspace = true", bad);
}

#[test]
fn the_wire_knows_nobody() {
    check_arrows("app", "[dependencies]\nwire.workspace = true", &[]);
    for name in ["dump", "engine", "sandbox", "store"] {
        let text = format!("[dependencies]\n{name}.workspace = true");
        check_arrows("wire", &text, &[&format!("wire: must not depend on {name}")]);
        let text = "[dependencies]\nwire.workspace = true";
        check_arrows(name, text, &[&format!("{name}: must not depend on wire")]);
    }
}

#[test]
fn the_sandbox_is_for_tests() {
    check_arrows("app", "[dev-dependencies]\nsandbox.workspace = true", &[]);
    let bad = &["app: must not depend on sandbox"];
    check_arrows("app", "[dependencies]\nsandbox.workspace = true", bad);
}

#[test]
fn what_a_crate_does_not_take_over_is_missed() {
    let good = "[package]\nrust-version.workspace = true\nedition.workspace = true\n\
                license.workspace = true\n[lints]\nworkspace = true\n";
    assert!(settings("x", good).is_empty());
    assert_eq!(settings("x", &good.replace("[lints]", "[lint]")).len(), 1);
    assert_eq!(settings("x", &good.replace("rust-version.workspace", "rust-version")).len(), 1);
}

#[test]
fn a_workspace_pins_its_rust_and_gives_crates_their_names() {
    let good = "[workspace.package]\nrust-version = \"1\"\n[workspace.dependencies]\n\
                dump = { path = \"crates/dump\" }\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    assert!(workspace(good).is_empty());
    assert_eq!(workspace(&good.replace("rust-version", "rust")).len(), 1);
    assert_eq!(workspace(&good.replace("dump =", "reader =")).len(), 1);
}

#[test]
fn a_mirror_in_a_lock_file_is_found() {
    assert!(lock("x", &format!("source = \"{REGISTRY}\"")).is_empty());
    assert_eq!(lock("x", "source = \"registry+https://mirror.example/index\"").len(), 1);
    assert_eq!(lock("x", "source = \"git+https://example.org/x#1234\"").len(), 1);
    assert!(ignored_lock("/target\n").is_empty());
    assert_eq!(ignored_lock("Cargo.lock\n").len(), 1);
}
