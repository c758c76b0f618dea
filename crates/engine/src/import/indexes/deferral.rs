//! Which keys and foreign keys of a table are built after its rows: a pure plan from its definition.
//!
//! Promises: what is planned can be left out of a table and given back so that nobody can tell
//! afterwards, and no row is stored that the complete table would have refused. Whenever that is not
//! certain, the answer is a reason to leave the table alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::definition::{self, Definition, Key, KeyKind};

/// Why a table keeps its indexes.
pub type Reason = &'static str;

/// Keys and foreign keys that are taken out of a table and given back later. Holds all that is
/// needed to do so, also for another process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    /// The table's schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// Its `SHOW CREATE TABLE` with all of them.
    pub definition: String,
    /// The lines of `definition` that are taken out: keys, then foreign keys.
    pub lines: Vec<Vec<String>>,
    /// The names of these keys and constraints.
    pub names: Vec<String>,
    /// The names of the tables that the foreign keys refer to.
    pub parents: Vec<String>,
    /// Takes them out.
    pub drop: String,
    /// Gives them back: the keys, then the foreign keys if there are any.
    pub add: Vec<String>,
    /// The byte of the file where the statement begins that made `definition` what it is; none if
    /// the table had it before its rows. The deferral means nothing before that statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A statement of the file that adds keys, some of which can wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Those that can.
    pub deferral: Deferral,
    /// What adds the others, at the statement's place.
    pub at_once: Option<String>,
}

/// What is known besides the definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The names of the table's keys, by the catalogue.
    pub catalogue: BTreeSet<String>,
    /// The keys that the file's CREATE TABLE names, in lower case: others come from the server.
    pub named: BTreeSet<String>,
    /// Every table that a foreign key refers to is there and free.
    pub parents_at_hand: bool,
}

/// What a table has now of what was taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Everything is there.
    Present,
    /// `Deferral::add` from this index on has to be executed.
    Missing(usize),
    /// The table is another one now.
    Changed,
}

impl Deferral {
    /// `schema.table`, for people.
    pub fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// The text that the definition has to have when `steps` of [`Deferral::add`] are done.
    pub fn expected(&self, steps: usize) -> Option<String> {
        let out: Vec<String> = self.lines.iter().skip(steps).flatten().cloned().collect();
        definition::without(&definition::masked(&self.definition), &out)
    }

    /// What there is, by the table's present definition.
    pub fn presence(&self, present: &str) -> Presence {
        let present = definition::masked(present);
        let is_at = |steps: usize| self.expected(steps).is_some_and(|text| text == present);
        match (0..=self.add.len()).rev().find(|steps| is_at(*steps)) {
            Some(steps) if steps == self.add.len() => Presence::Present,
            Some(steps) => Presence::Missing(steps),
            None => Presence::Changed,
        }
    }
}

/// Plans what is taken out of `schema.table`.
pub fn plan(
    schema: &str,
    table: &str,
    text: &str,
    circumstances: &Circumstances,
) -> Result<Deferral, Reason> {
    let Some(definition) = definition::parse(text).filter(|_| !text.contains('\u{FFFD}')) else {
        return Err("its definition is not understood");
    };
    if !definition.plain_innodb {
        return Err("it is not a plain InnoDB table");
    }
    let names: BTreeSet<String> = definition.keys.iter().map(|key| key.name.clone()).collect();
    if names != circumstances.catalogue || names.len() != definition.keys.len() {
        return Err("its keys are not told alike");
    }
    let keys = deferrable(&definition, circumstances)?;
    // A foreign key goes with the keys that it may need.
    let foreign_keys = match circumstances.parents_at_hand {
        true => definition.foreign_keys.as_slice(),
        false => &[],
    };
    let mut lines = vec![keys.iter().map(|key| key.line.clone()).collect::<Vec<_>>()];
    if !foreign_keys.is_empty() {
        lines.push(foreign_keys.iter().map(|key| key.line.clone()).collect());
    }
    let drops = foreign_keys
        .iter()
        .map(|key| format!("DROP FOREIGN KEY {}", identifier(&key.name)))
        .chain(keys.iter().map(|key| format!("DROP KEY {}", identifier(&key.name))));
    let full_name = format!("{}.{}", identifier(schema), identifier(table));
    let alter = |changes: Vec<String>| format!("ALTER TABLE {full_name} {}", changes.join(", "));
    let added = |group: &Vec<String>| alter(group.iter().map(|l| format!("ADD {l}")).collect());
    Ok(Deferral {
        schema: schema.to_owned(),
        table: table.to_owned(),
        definition: text.to_owned(),
        names: keys
            .iter()
            .map(|key| key.name.clone())
            .chain(foreign_keys.iter().map(|key| key.name.clone()))
            .collect(),
        parents: foreign_keys.iter().map(|key| key.parent.clone()).collect(),
        drop: alter(drops.collect()),
        add: lines.iter().map(added).collect(),
        lines,
        since: None,
    })
}

/// Plans what can wait of the keys that a statement at byte `since` adds: `before` and `after` are
/// the definitions around it.
pub fn addition(
    schema: &str,
    table: &str,
    before: &str,
    after: &str,
    since: u64,
) -> Result<Addition, Reason> {
    let (Some(old), Some(new)) = (definition::parse(before), definition::parse(after)) else {
        return Err("its definition is not understood");
    };
    let is_new = |key: &&Key| !old.keys.contains(key);
    let added: Vec<String> = new.keys.iter().filter(is_new).map(|key| key.line.clone()).collect();
    let rest = definition::without(&definition::masked(after), &added);
    if rest != Some(definition::masked(before)) {
        return Err("the statement does more than adding keys");
    }
    let planned = plan(schema, table, after, &alone(&new))?;
    let waits = |line: &&String| planned.lines.iter().flatten().any(|waits| waits == *line);
    if !planned.lines.iter().flatten().all(|line| added.contains(line)) {
        return Err("older keys of it would have to wait too");
    }
    let now: Vec<String> =
        added.iter().filter(|line| !waits(line)).map(|line| format!("ADD {line}")).collect();
    let full_name = format!("{}.{}", identifier(schema), identifier(table));
    let at_once = (!now.is_empty()).then(|| format!("ALTER TABLE {full_name} {}", now.join(", ")));
    Ok(Addition { deferral: Deferral { since: Some(since), ..planned }, at_once })
}

/// `deferral` after a statement at byte `since` that leaves the table as `without` says if the keys
/// wait, and as `with` says if they do not.
pub fn carried(
    deferral: &Deferral,
    without: &str,
    with: &str,
    since: u64,
) -> Result<Deferral, Reason> {
    let Some(definition) = definition::parse(with) else {
        return Err("its definition is not understood");
    };
    let planned = plan(&deferral.schema, &deferral.table, with, &alone(&definition))?;
    let next = Deferral { since: Some(since), ..planned };
    let is_same = next.lines == deferral.lines && next.presence(without) == Presence::Missing(0);
    if is_same { Ok(next) } else { Err("the statement makes other keys of those that wait") }
}

/// What is known of a table that only its definition tells of, and that no foreign key concerns.
fn alone(definition: &Definition) -> Circumstances {
    let names = definition.keys.iter().map(|key| key.name.clone());
    Circumstances {
        catalogue: names.clone().collect(),
        named: names.map(|name| name.to_lowercase()).collect(),
        // With foreign keys the stand-in would not have been like the table.
        parents_at_hand: definition.foreign_keys.is_empty(),
    }
}

/// The names that [`plan`] and [`addition`] will most likely give for the definition in a dump and the keys
/// that are added to it later, a list for each statement, if they are written as servers tell them; `None`
/// if they are not, an empty list if nothing waits.
pub fn foreseen(text: &str, added: &[Vec<String>], parents_at_hand: bool) -> Option<Vec<String>> {
    let told = text.trim_end().trim_end_matches(';');
    let mut told = match told.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
        Some(rest) => format!("CREATE TABLE {rest}"),
        None => told.to_owned(),
    };
    let names_of = |planned: Result<Deferral, Reason>| planned.map(|plan| plan.names);
    let definition = definition::parse(&told)?;
    let circumstances = Circumstances { parents_at_hand, ..alone(&definition) };
    let mut names = names_of(plan("", "", &told, &circumstances)).unwrap_or_default();
    for keys in added {
        let before = std::mem::take(&mut told);
        told = definition::with_keys(&before, keys)?;
        let planned = addition("", "", &before, &told, 0).map(|addition| addition.deferral);
        names.extend(names_of(planned).unwrap_or_default());
    }
    Some(names)
}

/// The keys that may wait. Servers list normal keys in the order of their making, so only the last
/// of them keep their places.
fn deferrable<'a>(
    definition: &'a Definition,
    circumstances: &Circumstances,
) -> Result<Vec<&'a Key>, Reason> {
    let numbering = numbering_key(definition);
    let stays = |key: &Key| {
        key.kind == KeyKind::Special
            || Some(&key.name) == numbering.as_ref()
            // MariaDB computes such a column for a row only if a key has it, and may then refuse.
            || key.columns.iter().any(|column| definition.computed.contains(column))
            || (!circumstances.parents_at_hand && supports_foreign_key(definition, key))
    };
    let ordered: Vec<&Key> = definition
        .keys
        .iter()
        .filter(|key| matches!(key.kind, KeyKind::Normal | KeyKind::Special))
        .collect();
    let first = ordered.iter().rposition(|key| stays(key)).map_or(0, |last| last + 1);
    let keys = ordered[first..].to_vec();
    if keys.is_empty() {
        return Err("it has no keys that can wait");
    }
    // A key that the server made for a foreign key goes away by itself when another one will do.
    let is_named = |key: &Key| circumstances.named.contains(&key.name.to_lowercase());
    let all: Vec<&&Key> = ordered.iter().filter(|key| key.kind == KeyKind::Normal).collect();
    if !definition.foreign_keys.is_empty() && !all.iter().all(|key| is_named(key)) {
        return Err("the server made some of its keys");
    }
    Ok(keys)
}

/// The normal key that AUTO_INCREMENT cannot do without.
fn numbering_key(definition: &Definition) -> Option<String> {
    let column = definition.auto_increment.first()?;
    let mut starting = definition.keys.iter().filter(|key| key.columns.first() == Some(column));
    let first = starting.next()?;
    (first.kind != KeyKind::Unique).then(|| first.name.clone())
}

fn supports_foreign_key(definition: &Definition, key: &Key) -> bool {
    let first = key.columns.first();
    definition.foreign_keys.iter().any(|foreign| {
        first.is_some_and(|first| foreign.columns.iter().any(|c| c.eq_ignore_ascii_case(first)))
    })
}

/// A name as it stands in a statement.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
