//! What a server says of a chunk's rows: how many there are, their digest, and which rows are not the
//! same on both sides.
//!
//! A digest is the sum of the rows' CRC32, which stays the same in any order and, unlike their XOR, tells
//! apart rows that have swapped values: one wrong row goes unseen once in four thousand million times.

use super::job::Job;
use crate::copy::check::{Check, KEY_CHARS_MAX, KEYS_MAX, Sum};
use crate::copy::chunk::Chunk;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::Conn;

/// Stands for a digest that is not known: more than the sum of as many as [`ROWS_MAX`]. Not larger than the
/// servers' whole numbers are, which they add faster than decimals.
const UNKNOWN: u64 = u64::MAX;
/// Rows of which a digest is certain to be known.
const ROWS_MAX: u64 = 1 << 32;

/// Rows and, if wanted, the digest of a chunk on one side.
pub async fn sum(conn: &mut Conn, job: &Job, side: Side, check: &Check) -> Result<Sum> {
    let from = job.rows_of(side, &check.chunk, !check.digest);
    let filter = check.chunk.filter();
    // A NULL is a digest that the server could not compute; it must not look like none.
    let digest = match check.digest {
        true => format!("SUM(IFNULL({}, {UNKNOWN}))", job.table.row_digest(job.is_translated)),
        false => "0".to_owned(),
    };
    let sql = format!("SELECT COUNT(*), {digest} FROM {from}{filter}");
    let rows = conn.rows(&sql).await?;
    let cell = |index: usize| rows.first().and_then(|row| row.get(index).cloned().flatten());
    let rows = cell(0).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let digest = cell(1).unwrap_or_default();
    let is_known = digest.is_empty()
        || digest.parse::<u128>().is_ok_and(|digest| digest < u128::from(UNKNOWN));
    if !is_known {
        let text = match rows > ROWS_MAX {
            true => {
                "compare rows: a table without a key to cut it by has more rows than a digest is for; \
                     compare by --verify rows"
            }
            false => {
                "compare rows: the server could not compute a row's digest (is max_allowed_packet \
                      large enough?)"
            }
        };
        return Err(Error::new(ErrorKind::Statement, Side::Target, text));
    }
    Ok(Sum { rows, digest })
}

/// The keys of the first rows of a chunk that are not the same, in the order of the key.
pub async fn differing(
    source: &mut Conn,
    target: &mut Conn,
    job: &Job,
    chunk: &Chunk,
) -> Result<Vec<String>> {
    let Some((key, columns)) = job.table.chunk_key() else { return Ok(Vec::new()) };
    let names: Vec<String> = columns.iter().map(|(c, _)| identifier(&c.name)).collect();
    let list = |schema: &str| {
        let from = job.table.from(schema, Some(&key.name));
        let (digest, names, filter) =
            (job.table.row_digest(job.is_translated), names.join(", "), chunk.filter());
        format!("SELECT {digest}, {names} FROM {from}{filter} ORDER BY {names}").into_bytes()
    };
    let (there, here) = (list(&job.source), list(&job.target));
    let mut there = source.select(&there).await.map_err(|error| error.on(Side::Source))?;
    let mut here = target.select(&here).await?;
    let mut found = Vec::new();
    // Rows that only one side has put the two out of step, so what comes after one says nothing:
    // the first few are named, and both lists are read to their ends.
    loop {
        let (one, other) = (there.next().await?, here.next().await?);
        if one.is_none() && other.is_none() {
            return Ok(found);
        }
        let same = match (&one, &other) {
            (Some(one), Some(other)) => one.iter().eq(other.iter()),
            _ => false,
        };
        if let Some(cells) = one.as_ref().or(other.as_ref()).filter(|_| !same)
            && found.len() < KEYS_MAX
        {
            let shown = columns.iter().zip(cells.iter().skip(1)).map(|((column, _), cell)| {
                let text = String::from_utf8_lossy(cell.unwrap_or_default());
                let text: String = text.chars().take(KEY_CHARS_MAX).collect();
                format!("{}={text}", column.name)
            });
            found.push(shown.collect::<Vec<_>>().join(", "));
        }
    }
}
