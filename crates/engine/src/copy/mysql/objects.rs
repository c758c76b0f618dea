//! Views, routines, triggers and events on the target.
//!
//! Promises: each is made in the session it was first made in (`sql_mode`, character set, collation,
//! time zone), under the definer that the policy says, with databases renamed; in an order in which
//! what one needs is there before it.

use dump::reader::Place;
use dump::rules::Rules;
use dump::statement::classify;
use dump::token::Target;

use super::catalog::{Program, ProgramKind};
use super::rename::{self, Renaming};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::guard::{self, Definer, Guard, Policy, Verdict};
use crate::import::indexes::deferral::identifier;
use crate::import::table::literal;
use crate::mysql::conn::Conn;

/// Where and how programs are made.
#[derive(Debug)]
pub struct Making<'a> {
    /// The target's dialect.
    pub dialect: Target,
    /// Which databases get which names.
    pub renaming: &'a Renaming,
    /// For DEFINER clauses.
    pub definer: &'a Definer,
    /// Events begin to run.
    pub enable_events: bool,
}

/// A program, in its database on the target.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// The database that it is from, for messages.
    pub database: &'a str,
    /// The database on the target.
    pub schema: &'a str,
    /// That database's collation.
    pub collation: &'a str,
    /// The program.
    pub program: &'a Program,
}

/// Makes programs; the first that the target does not take is an error.
pub async fn make(conn: &mut Conn, making: &Making<'_>, programs: &[Placed<'_>]) -> Result<()> {
    match try_all(conn, making, programs).await?.into_iter().next() {
        Some((_object, error)) => Err(error),
        None => Ok(()),
    }
}

/// Makes programs, and gives those that the target does not take. Those that need others which are not
/// there yet are tried again after them.
pub async fn try_all(
    conn: &mut Conn,
    making: &Making<'_>,
    programs: &[Placed<'_>],
) -> Result<Vec<(String, Error)>> {
    let mut waiting: Vec<Placed<'_>> = programs.to_vec();
    // Triggers and events come last: what they call need not be there when they are made, but
    // nothing of theirs should run before all is.
    waiting.sort_by_key(|placed| placed.program.kind);
    let mut refused = Vec::new();
    loop {
        let (mut again, mut errors) = (Vec::new(), Vec::new());
        let before = waiting.len();
        for placed in waiting {
            let Err(error) = make_one(conn, making, placed).await else { continue };
            let what = placed.program.kind.keyword().to_lowercase();
            let object = format!("{what} {}.{}", placed.database, placed.program.name);
            if conn.is_broken() || error.server.is_none() {
                return Err(error);
            }
            match may_wait(&error) {
                true => {
                    again.push(placed);
                    errors.push((object, error));
                }
                false => refused.push((object, error)),
            }
        }
        if again.is_empty() || again.len() == before {
            refused.extend(errors);
            return Ok(refused);
        }
        waiting = again;
    }
}

/// Removes programs; what is not there is no error.
pub async fn remove(conn: &mut Conn, programs: &[Placed<'_>]) -> Result<()> {
    for placed in programs.iter().rev() {
        let (schema, name) = (identifier(placed.schema), identifier(&placed.program.name));
        let what = placed.program.kind.keyword();
        let sql = format!("DROP {what} IF EXISTS {schema}.{name}");
        conn.query(sql.as_bytes()).await?;
    }
    Ok(())
}

/// Names in programs that cannot be renamed with certainty, and texts that hide names, in words.
pub fn doubts(program: &Program, making: &Making<'_>) -> Vec<String> {
    let renamed = renamed(program, making);
    let shown = format!("{} {}", program.kind.keyword().to_lowercase(), program.name);
    let mut doubts: Vec<String> = renamed
        .doubtful
        .iter()
        .map(|name| format!("{shown}: {name} may mean the database or something else; it stays"))
        .collect();
    let is_renamed = making.renaming.names.iter().any(|(from, to)| from != to);
    if renamed.has_dynamic_sql && is_renamed {
        doubts.push(format!("{shown}: makes statements of strings, whose names are not renamed"));
    }
    doubts
}

/// A table, view or routine that is not there, or a view that is not valid yet.
fn may_wait(error: &Error) -> bool {
    lacks_table(error) || error.code() == Some(1305)
}

/// A table or view that is not there, or not valid yet.
pub fn lacks_table(error: &Error) -> bool {
    matches!(error.code(), Some(1146 | 1356))
}

fn rules_of(program: &Program, dialect: Target) -> Rules {
    let mode = program.sql_mode.as_deref().unwrap_or_default();
    let has = |name: &str| mode.split(',').any(|one| one.eq_ignore_ascii_case(name));
    Rules {
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        ansi_quotes: has("ANSI_QUOTES"),
        ..Rules::new(dialect.server)
    }
}

fn renamed(program: &Program, making: &Making<'_>) -> rename::Renamed {
    let rules = rules_of(program, making.dialect);
    rename::rename(&program.create, making.renaming, rules, making.dialect)
}

async fn make_one(conn: &mut Conn, making: &Making<'_>, placed: Placed<'_>) -> Result<()> {
    let outcome = try_one(conn, making, placed).await;
    // Whatever happened, later statements of this connection are in UTF-8 again.
    let back = conn.query(b"SET NAMES utf8mb4").await;
    outcome.map_err(|mut error| {
        let what = placed.program.kind.keyword().to_lowercase();
        error.message = format!("make {what} {}.{}", placed.database, placed.program.name);
        error
    })?;
    back.map(|_effect| ())
}

async fn try_one(conn: &mut Conn, making: &Making<'_>, placed: Placed<'_>) -> Result<()> {
    let Placed { schema, collation, program, .. } = placed;
    let text = statement(program, making)?;
    conn.query(format!("USE {}", identifier(schema)).as_bytes()).await?;
    let foreign = program.database_collation.as_deref().filter(|own| *own != collation);
    if let Some(own) = foreign {
        set_collation(conn, schema, own).await?;
    }
    let mut set = vec![
        format!("sql_mode = {}", literal(program.sql_mode.as_deref().unwrap_or_default())),
        format!("character_set_client = {}", word(&program.charset)),
        format!("collation_connection = {}", word(&program.collation)),
    ];
    if let Some(zone) = &program.time_zone {
        set.push(format!("time_zone = {}", literal(zone)));
    }
    let mut outcome = conn.query(format!("SET SESSION {}", set.join(", ")).as_bytes()).await;
    if outcome.is_ok() {
        outcome = conn.query(&text).await;
    }
    conn.query(b"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'").await?;
    if foreign.is_some() {
        set_collation(conn, schema, collation).await?;
    }
    outcome.map(|_effect| ())
}

/// A program remembers its database's collation of when it was made.
async fn set_collation(conn: &mut Conn, schema: &str, collation: &str) -> Result<()> {
    let sql = format!("ALTER DATABASE {} COLLATE {}", identifier(schema), word(collation));
    conn.query(sql.as_bytes()).await.map(|_effect| ())
}

/// The names of character sets and collations are words; whatever else came is none.
fn word(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The statement that makes a program.
fn statement(program: &Program, making: &Making<'_>) -> Result<Vec<u8>> {
    let text = renamed(program, making).text;
    let text = match program.kind {
        ProgramKind::Event if program.enabled && !making.enable_events => disabled(&text, program),
        _ => text,
    };
    let rules = rules_of(program, making.dialect);
    let class = classify(&text, rules, making.dialect);
    let guard = Guard { policy: Policy::Allow, allow_files: true, definer: making.definer.clone() };
    match guard::judge(&guard, &class, &text, Place { offset: 0, line: 1 }) {
        Verdict::Run(text, _note) => Ok(text.into_owned()),
        Verdict::Skip(_) | Verdict::Refuse(_) => {
            let text = format!("{} is not what it should be", program.name);
            Err(Error::new(ErrorKind::Internal, Side::Source, text))
        }
    }
}

/// The event with `DISABLE` where the server wrote `ENABLE`: between the schedule and the body.
fn disabled(text: &[u8], program: &Program) -> Vec<u8> {
    let dialect = Target { server: dump::rules::Client::MariaDb, version: 0 };
    let rules = rules_of(program, dialect);
    let tokens = dump::token::Tokens::new(text, rules, dialect);
    let mut preserve = tokens.skip_while(|spanned| !spanned.token.is("PRESERVE"));
    match preserve.find(|spanned| spanned.token.is("ENABLE")) {
        Some(enable) => [&text[..enable.span.start], b"DISABLE", &text[enable.span.end..]].concat(),
        None => text.to_vec(),
    }
}
