//! From one kind of server to the other: what of the source's definitions the target can be given, and
//! in which words.
//!
//! Pure. Promises: what is converted means the same on the target; what would not is a finding with its
//! object and a proposal, and all findings are found, not the first. Expressions are not
//! understood here: whether the target takes them shows when all tables and programs are made in
//! the staging databases. Rows go as they are: what is read of them is still the source's.

use std::collections::BTreeMap;

use dump::rules::Rules;
use dump::token::{Target, Tokens};

use super::catalog::{Database, Program, ProgramKind};
use super::table::Table;
use crate::copy::finding::Finding;
use crate::import::target_of;
use crate::mysql::facts::{Flavor, ServerFacts};
use collation::Choice;

pub mod collation;
pub mod text;

/// Objects that a finding names; the others are counted.
const OBJECTS_SHOWN: usize = 5;

/// The definitions for the target.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The databases; columns are still those of the source.
    pub databases: Vec<Database>,
    /// What stands in the way.
    pub obstacles: Vec<Finding>,
    /// What is worth knowing, in words.
    pub remarks: Vec<String>,
    /// Texts of keys may have another order on the target.
    pub is_translated: bool,
}

/// Converts. `told` is which collations the user wants for which.
pub fn convert(
    databases: Vec<Database>,
    source: &ServerFacts,
    target: &ServerFacts,
    told: &BTreeMap<String, String>,
) -> Converted {
    let dialect = target_of(source);
    let mut work = Work { source, target, told, dialect, names: BTreeMap::new() };
    let is_across = source.flavor != target.flavor;
    let mut found = Converted {
        databases: Vec::new(),
        obstacles: Vec::new(),
        remarks: Vec::new(),
        is_translated: is_across,
    };
    for mut database in databases {
        if is_across {
            work.sequences(&database, &mut found);
        }
        for table in &mut database.tables {
            work.table(&database.name, table, is_across, &mut found);
        }
        for program in &mut database.programs {
            work.program(&database.name, program, is_across, &mut found);
        }
        let object = database.name.clone();
        database.charset.1 = work.chosen(&database.charset.1, &object);
        found.databases.push(database);
    }
    work.collations(&mut found);
    found.obstacles.sort();
    found
}

/// A collation, and who needs it.
#[derive(Debug)]
struct Needed {
    choice: Choice,
    objects: Vec<String>,
}

struct Work<'a> {
    source: &'a ServerFacts,
    target: &'a ServerFacts,
    told: &'a BTreeMap<String, String>,
    /// Whose comments are read.
    dialect: Target,
    names: BTreeMap<String, Needed>,
}

impl Work<'_> {
    /// What stands for a collation, as far as something does.
    fn chosen(&mut self, name: &str, object: &str) -> String {
        let needed = self.names.entry(name.to_owned()).or_insert_with(|| Needed {
            choice: collation::choose(name, self.target, self.told),
            objects: Vec::new(),
        });
        if needed.objects.last().is_none_or(|last| last != object) {
            needed.objects.push(object.to_owned());
        }
        match &needed.choice {
            Choice::Other(to) => to.clone(),
            Choice::Same | Choice::Proposed(_) => name.to_owned(),
        }
    }

    /// What became of the collations, one finding for each.
    fn collations(&self, found: &mut Converted) {
        for (name, needed) in &self.names {
            let objects = shown(&needed.objects);
            match &needed.choice {
                Choice::Same => {}
                Choice::Other(to) => {
                    found.is_translated = true;
                    if let Some(wrong) = self.unfit(name, to) {
                        found.obstacles.push(Finding::new(objects, &wrong, "choose another"));
                    } else {
                        found.remarks.push(format!("{objects}: collation {to} instead of {name}"));
                    }
                }
                Choice::Proposed(near) => {
                    let what = format!("the target has no collation {name}");
                    let advice = match near {
                        Some(near) => format!(
                            "--map-collation {name}={near} comes nearest, but may order or fold some \
                             characters otherwise"
                        ),
                        None => "change it on the source".to_owned(),
                    };
                    found.obstacles.push(Finding::new(objects, &what, &advice));
                }
            }
        }
    }

    /// Why a collation that the user wants cannot stand for another.
    fn unfit(&self, from: &str, to: &str) -> Option<String> {
        let charset =
            |name: &str| name.split('_').next().unwrap_or_default().replace("utf8mb3", "utf8");
        if !collation::is_known(to, self.target) {
            return Some(format!("the target has no collation {to}"));
        }
        (charset(from) != charset(to))
            .then(|| format!("{to} is of another character set than {from}"))
    }

    fn sequences(&self, database: &Database, found: &mut Converted) {
        for sequence in &database.sequences {
            let object = format!("{}.{}", database.name, sequence.name);
            let advice = "use AUTO_INCREMENT, or a table, and drop it on the source";
            found.obstacles.push(Finding::new(object, "MySQL has no sequences", advice));
        }
    }

    fn table(&mut self, database: &str, table: &mut Table, is_across: bool, found: &mut Converted) {
        let object = format!("{database}.{}", table.name);
        let engine = &table.engine;
        if !self.target.engines.iter().any(|one| one.eq_ignore_ascii_case(engine)) {
            let what = format!("the target has no storage engine {engine}");
            let advice = "ALTER TABLE … ENGINE=InnoDB on the source";
            found.obstacles.push(Finding::new(&object, &what, advice));
        }
        if table.create.contains('\u{FFFD}') {
            let what = "its definition holds bytes that are no UTF-8";
            found.obstacles.push(Finding::new(&object, what, "write it anew on the source"));
        }
        let collations: Vec<String> =
            table.columns.iter().filter_map(|column| column.collation.clone()).collect();
        for collation in collations {
            self.chosen(&collation, &object);
        }
        let rules = Rules::new(self.dialect.server);
        table.create = self.with_collations(table.create.as_bytes(), rules, &object).map_or_else(
            || table.create.clone(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        );
        if is_across {
            self.words(&object, table, found);
        }
    }

    /// The table in the other kind's words.
    fn words(&self, object: &str, table: &mut Table, found: &mut Converted) {
        let at = |place: &str| match place {
            "" => object.to_owned(),
            place => format!("{object}, {place}"),
        };
        let rewritten = match self.target.flavor {
            Flavor::MariaDb => {
                for key in table.keys.iter().filter(|key| key.columns.iter().any(String::is_empty))
                {
                    let place = at(&format!("key {}", key.name));
                    let advice = "make a generated column of the expression, and a key of that";
                    found.obstacles.push(Finding::new(
                        place,
                        "MariaDB has no keys over expressions",
                        advice,
                    ));
                }
                text::for_mariadb(&table.create, self.target.version >= (11, 7, 0))
            }
            Flavor::MySql => text::for_mysql(&table.create, self.target.version),
        };
        table.create = rewritten.text;
        for (place, what, proposal) in rewritten.obstacles {
            found.obstacles.push(Finding::new(at(&place), &what, &proposal));
        }
        for (place, what) in rewritten.remarks {
            found.remarks.push(format!("{}: {what}", at(&place)));
        }
    }

    fn program(
        &mut self,
        database: &str,
        program: &mut Program,
        is_across: bool,
        found: &mut Converted,
    ) {
        let object =
            format!("{} {database}.{}", program.kind.keyword().to_lowercase(), program.name);
        program.collation = self.chosen(&program.collation, &object);
        if let Some(own) = &program.database_collation {
            program.database_collation = Some(self.chosen(own, &object));
        }
        let mode = program.sql_mode.clone().unwrap_or_default();
        let has = |name: &str| mode.split(',').any(|one| one.eq_ignore_ascii_case(name));
        let rules = Rules {
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            ansi_quotes: has("ANSI_QUOTES"),
            ..Rules::new(self.dialect.server)
        };
        if let Some(text) = self.with_collations(&program.create, rules, &object) {
            program.create = text;
        }
        if !is_across {
            return;
        }
        if matches!(program.kind, ProgramKind::Package | ProgramKind::PackageBody) {
            let advice = "make procedures and functions of it";
            found.obstacles.push(Finding::new(&object, "MySQL has no packages", advice));
        }
        if program.sql_mode.is_some() {
            let (mode, lost) = sql_mode(&mode, self.source.flavor);
            program.sql_mode = Some(mode);
            for name in lost {
                let what = format!("the target has no sql_mode {name}, which changes its meaning");
                found.obstacles.push(Finding::new(
                    &object,
                    &what,
                    "write it anew without that mode",
                ));
            }
        }
    }

    /// The text with other names for collations; nothing if there are none to change.
    fn with_collations(&mut self, text: &[u8], rules: Rules, object: &str) -> Option<Vec<u8>> {
        let mut changes = Vec::new();
        let mut follows = false;
        for spanned in Tokens::new(text, rules, self.dialect) {
            let is_sign = spanned.token == dump::token::Token::Symbol(b'=');
            if follows && !is_sign {
                let name = spanned.token.name().and_then(|name| String::from_utf8(name).ok());
                let name = name.filter(|name| !name.eq_ignore_ascii_case("binary"));
                if let Some(name) = name.filter(|name| name.contains('_')) {
                    let to = self.chosen(&name.to_ascii_lowercase(), object);
                    if !to.eq_ignore_ascii_case(&name) {
                        changes.push((spanned.span.clone(), to));
                    }
                }
            }
            follows = spanned.token.is("COLLATE") || (follows && is_sign);
        }
        if changes.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        let mut copied = 0;
        for (span, to) in changes {
            out.extend_from_slice(&text[copied..span.start]);
            out.extend_from_slice(to.as_bytes());
            copied = span.end;
        }
        out.extend_from_slice(&text[copied..]);
        Some(out)
    }
}

/// `a, b and 3 more`
fn shown(objects: &[String]) -> String {
    let named = objects.iter().take(OBJECTS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match objects.len().saturating_sub(OBJECTS_SHOWN) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The sql_mode of a program for the other kind of server, and the modes in it that have a meaning
/// there is no word for. How fractions of seconds are cut is the contrary by default.
fn sql_mode(mode: &str, source: Flavor) -> (String, Vec<String>) {
    /// Modes of MariaDB, and of MySQL before 8.0, that mean nothing to a program's own text.
    const HARMLESS: [&str; 5] = [
        "NO_AUTO_CREATE_USER",
        "NO_KEY_OPTIONS",
        "NO_FIELD_OPTIONS",
        "NO_TABLE_OPTIONS",
        "IGNORE_BAD_TABLE_OPTIONS",
    ];
    const OWN: [&str; 9] = [
        "ORACLE",
        "MSSQL",
        "DB2",
        "MAXDB",
        "POSTGRESQL",
        "MYSQL323",
        "MYSQL40",
        "SIMULTANEOUS_ASSIGNMENT",
        "EMPTY_STRING_IS_NULL",
    ];
    let names: Vec<&str> = mode.split(',').filter(|name| !name.is_empty()).collect();
    let (cuts, rounds) = ("TIME_TRUNCATE_FRACTIONAL", "TIME_ROUND_FRACTIONAL");
    let mut kept: Vec<&str> = names.clone();
    kept.retain(|name| !HARMLESS.contains(name) && !OWN.contains(name));
    kept.retain(|name| *name != cuts && *name != rounds);
    match source {
        Flavor::MySql if !names.contains(&cuts) => kept.push(rounds),
        Flavor::MariaDb if !names.contains(&rounds) => kept.push(cuts),
        Flavor::MySql | Flavor::MariaDb => {}
    }
    let lost = names.iter().filter(|name| OWN.contains(name));
    (kept.join(","), lost.map(|name| (*name).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_seconds_are_cut_as_before() {
        let mysql = |mode| sql_mode(mode, Flavor::MySql).0;
        let mariadb = |mode| sql_mode(mode, Flavor::MariaDb);
        assert_eq!(mysql("ANSI_QUOTES"), "ANSI_QUOTES,TIME_ROUND_FRACTIONAL");
        assert_eq!(mysql("TIME_TRUNCATE_FRACTIONAL"), "");
        assert_eq!(mariadb("NO_AUTO_CREATE_USER").0, "TIME_TRUNCATE_FRACTIONAL");
        assert_eq!(mariadb("TIME_ROUND_FRACTIONAL").0, "");
        assert_eq!(mariadb("ORACLE,PIPES_AS_CONCAT").1, ["ORACLE"]);
    }

    #[test]
    fn many_objects_are_counted() {
        let objects: Vec<String> = (0..7).map(|n| format!("a.t{n}")).collect();
        assert_eq!(shown(&objects), "a.t0, a.t1, a.t2, a.t3, a.t4 and 2 more");
        assert_eq!(shown(&objects[..2]), "a.t0, a.t1");
    }
}
