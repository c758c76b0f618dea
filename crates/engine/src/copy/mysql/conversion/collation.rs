//! Which collation of the target stands for one of the source.
//!
//! Pure. Promises: what is chosen without being told to orders and compares as the source's does. Where
//! none does, one is proposed and nothing chosen: another order may take two keys for the same.

use std::collections::BTreeMap;

use crate::mysql::facts::{Flavor, ServerFacts};

/// What stands for a collation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Itself.
    Same,
    /// This one.
    Other(String),
    /// Nothing by itself; this one would come nearest, if any does.
    Proposed(Option<String>),
}

/// MySQL's languages in names of collations, and MariaDB's.
const LANGUAGES: [(&str, &str); 20] = [
    ("cs", "czech"),
    ("da", "danish"),
    ("de_pb", "german2"),
    ("eo", "esperanto"),
    ("es", "spanish"),
    ("es_trad", "spanish2"),
    ("et", "estonian"),
    ("hr", "croatian"),
    ("hu", "hungarian"),
    ("is", "icelandic"),
    ("la", "roman"),
    ("lt", "lithuanian"),
    ("lv", "latvian"),
    ("pl", "polish"),
    ("ro", "romanian"),
    ("sk", "slovak"),
    ("sl", "slovenian"),
    ("sv", "swedish"),
    ("tr", "turkish"),
    ("vi", "vietnamese"),
];

/// Whether the server has it. MariaDB lists those of the newest order without a character set.
pub fn is_known(collation: &str, server: &ServerFacts) -> bool {
    let has = |name: &str| server.collations.iter().any(|one| one.eq_ignore_ascii_case(name));
    let general = collation.split_once('_').map(|(_charset, rest)| rest);
    has(collation) || general.is_some_and(|rest| rest.starts_with("uca1400") && has(rest))
}

/// Chooses. `told` is what the user wants, and comes first.
pub fn choose(collation: &str, target: &ServerFacts, told: &BTreeMap<String, String>) -> Choice {
    if let Some(to) = told.get(&collation.to_ascii_lowercase()) {
        return Choice::Other(to.clone());
    }
    if is_known(collation, target) {
        return Choice::Same;
    }
    let known = |name: &String| is_known(name, target);
    match same(collation).into_iter().find(known) {
        Some(name) => Choice::Other(name),
        None => Choice::Proposed(near(collation, target.flavor).into_iter().find(known)),
    }
}

/// Other names of the same order.
fn same(collation: &str) -> Vec<String> {
    match collation {
        // By code point, without padding.
        "utf8mb4_0900_bin" => vec!["utf8mb4_nopad_bin".to_owned()],
        "utf8mb4_nopad_bin" => vec!["utf8mb4_0900_bin".to_owned()],
        _ => match collation.split_once('_') {
            Some(("utf8", rest)) => vec![format!("utf8mb3_{rest}")],
            Some(("utf8mb3", rest)) => vec![format!("utf8_{rest}")],
            _ => Vec::new(),
        },
    }
}

/// What comes near, the nearest first.
fn near(collation: &str, target: Flavor) -> Vec<String> {
    let Some((charset, order)) = collation.split_once('_') else { return Vec::new() };
    let mut near = match target {
        Flavor::MariaDb => near_of_mysql(charset, order),
        Flavor::MySql => near_of_mariadb(charset, order),
    };
    near.push(format!("{charset}_{}", order.replace("nopad_", "")));
    near.push(format!("{charset}_unicode_520_ci"));
    near.push(format!("{charset}_general_ci"));
    near.push(format!("{charset}_bin"));
    near
}

/// `utf8mb4_de_pb_0900_ai_ci`: MySQL's do not pad.
fn near_of_mysql(charset: &str, order: &str) -> Vec<String> {
    let (language, strength) = match order.split_once("0900_") {
        Some((language, strength)) => (language.trim_end_matches('_'), strength),
        None => return Vec::new(),
    };
    let mut near = Vec::new();
    if let Some((_, name)) = LANGUAGES.iter().find(|(short, _)| *short == language) {
        near.push(format!("{charset}_uca1400_{name}_nopad_{strength}"));
    }
    near.push(format!("{charset}_uca1400_nopad_{strength}"));
    if strength == "ai_ci" {
        near.push(format!("{charset}_unicode_520_nopad_ci"));
    } else {
        near.push(format!("{charset}_nopad_bin"));
    }
    near
}

/// `utf8mb4_uca1400_german2_nopad_ai_ci`: MySQL has the newest order for utf8mb4 only.
fn near_of_mariadb(charset: &str, order: &str) -> Vec<String> {
    let Some(rest) = order.strip_prefix("uca1400_") else { return Vec::new() };
    let rest = rest.replace("nopad_", "");
    let named = LANGUAGES.iter().find_map(|(short, name)| {
        rest.strip_prefix(&format!("{name}_")).map(|strength| (*short, strength.to_owned()))
    });
    let strength = named.as_ref().map_or(rest.clone(), |(_, strength)| strength.clone());
    // There is no order that folds accents and tells cases apart.
    let strength = strength.replace("ai_cs", "as_cs");
    let mut near = Vec::new();
    if let Some((short, _)) = named {
        near.push(format!("{charset}_{short}_0900_{strength}"));
    }
    near.push(format!("{charset}_0900_{strength}"));
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(collation: &str, target: Flavor, there: &[&str], expected: Option<&str>) {
        let found = near(collation, target).into_iter().find(|name| there.contains(&name.as_str()));
        assert_eq!(found.as_deref(), expected, "{collation}");
    }

    #[test]
    fn the_nearest_is_proposed() {
        let new = [
            "utf8mb4_uca1400_nopad_ai_ci",
            "utf8mb4_uca1400_german2_nopad_ai_ci",
            "utf8mb4_uca1400_nopad_as_cs",
        ];
        let old = ["utf8mb4_unicode_520_nopad_ci", "utf8mb4_nopad_bin", "utf8mb4_bin"];
        let maria = |name, there: &[&str], expected| check(name, Flavor::MariaDb, there, expected);
        maria("utf8mb4_0900_ai_ci", &new, Some("utf8mb4_uca1400_nopad_ai_ci"));
        maria("utf8mb4_de_pb_0900_ai_ci", &new, Some("utf8mb4_uca1400_german2_nopad_ai_ci"));
        maria("utf8mb4_ja_0900_as_cs", &new, Some("utf8mb4_uca1400_nopad_as_cs"));
        maria("utf8mb4_0900_ai_ci", &old, Some("utf8mb4_unicode_520_nopad_ci"));
        maria("utf8mb4_0900_as_cs", &old, Some("utf8mb4_nopad_bin"));
        maria("gb18030_chinese_ci", &old, None);
        let there =
            ["utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_sv_0900_ai_ci", "latin1_bin"];
        let mysql = |name, expected| check(name, Flavor::MySql, &there, expected);
        mysql("utf8mb4_uca1400_ai_ci", Some("utf8mb4_0900_ai_ci"));
        mysql("utf8mb4_uca1400_swedish_nopad_ai_ci", Some("utf8mb4_sv_0900_ai_ci"));
        mysql("utf8mb4_uca1400_ai_cs", Some("utf8mb4_0900_as_cs"));
        mysql("latin1_nopad_bin", Some("latin1_bin"));
    }

    #[test]
    fn other_names_of_the_same_order_are_taken() {
        assert_eq!(same("utf8mb4_0900_bin"), ["utf8mb4_nopad_bin"]);
        assert_eq!(same("utf8_swedish_ci"), ["utf8mb3_swedish_ci"]);
        assert_eq!(same("utf8mb4_0900_ai_ci"), [""; 0]);
    }
}
