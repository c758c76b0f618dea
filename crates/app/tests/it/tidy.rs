//! The rules of the house that no compiler holds: who may depend on whom, how files open, how long
//! functions are, what lies around unread.
//!
//! Reads the repository as text; needs no server and no git. Each rule is a pure function from text
//! to complaints, and each is shown to complain. What the rules are for is in STYLE.md.

mod manifest;
mod prose;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// What is not part of the repository: see .gitignore.
const NOT_OURS: [&str; 5] = [".git", "target", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

/// A file of the repository, by its path from the root.
struct File {
    path: String,
    text: String,
}

#[test]
fn crates_depend_only_as_agreed() {
    let crates: Vec<String> = crate_names();
    let mut complaints = Vec::new();
    for name in &crates {
        let text = read(&format!("crates/{name}/Cargo.toml"));
        complaints.extend(manifest::arrows(name, &text, &crates));
        complaints.extend(manifest::settings(name, &text));
    }
    complaints.extend(manifest::arrows("fuzz", &read("fuzz/Cargo.toml"), &crates));
    complaints.extend(manifest::workspace(&read("Cargo.toml")));
    none(&complaints);
}

#[test]
fn the_lock_file_is_kept_and_names_the_public_registry_only() {
    let mut complaints = manifest::lock("Cargo.lock", &read("Cargo.lock"));
    complaints.extend(manifest::lock("fuzz/Cargo.lock", &read("fuzz/Cargo.lock")));
    complaints.extend(manifest::ignored_lock(&read(".gitignore")));
    none(&complaints);
}

#[test]
fn source_files_follow_the_style() {
    let mut complaints = Vec::new();
    let sources: Vec<File> = files().into_iter().filter(is_source).collect();
    assert!(sources.len() > 50, "only {} source files found", sources.len());
    for File { path, text } in &sources {
        complaints.extend(source::opening(path, text));
        complaints.extend(source::functions(path, text));
        complaints.extend(source::modules(path, text));
        complaints.extend(source::driver(path, text));
    }
    none(&complaints);
}

#[test]
fn every_fixture_is_read() {
    let sources: Vec<File> = files().into_iter().filter(is_source).collect();
    let mut complaints = Vec::new();
    for name in crate_names() {
        let folder = format!("crates/{name}/");
        let readers: Vec<&str> = sources
            .iter()
            .filter(|file| file.path.starts_with(&folder))
            .map(|file| file.text.as_str())
            .collect();
        for path in paths().iter().filter_map(|path| path.strip_prefix(&folder)) {
            if source::is_fixture(path) {
                complaints.extend(source::fixture(path, &readers));
            }
        }
    }
    none(&complaints);
}

#[test]
fn nothing_names_a_machine_or_a_missing_file() {
    let mut complaints = Vec::new();
    for File { path, text } in files() {
        complaints.extend(prose::words(&path, &text));
        if path.ends_with(".md") {
            complaints.extend(prose::paths(&path, &text, |path| root().join(path).exists()));
        }
    }
    none(&complaints);
}

#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

/// The folders in `crates`, which are the crates' names.
fn crate_names() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_source(file: &File) -> bool {
    let is_ours = file.path.starts_with("crates/") || file.path.starts_with("fuzz/");
    is_ours && file.path.ends_with(".rs")
}

/// All files whose content is text.
fn files() -> Vec<File> {
    let text = |path: String| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some(File { path, text })
    };
    paths().into_iter().filter_map(text).collect()
}

/// The paths of all files, from the root.
fn paths() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            if NOT_OURS.contains(&path.as_str()) {
                continue;
            }
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(format!("{path}/")),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}
