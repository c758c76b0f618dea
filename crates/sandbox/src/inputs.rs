//! Dumps in the hand of the real dump programs, written directly: the inputs of `make bench` that
//! are not TPC-H.
//!
//! Promises: the same bytes for the same [`Plan`] on every machine, and that both stock clients
//! import them without an error. No server is needed. What the values are is in `inputs/tables.rs`;
//! what surrounds them is in `inputs/dump.rs`.

mod dump;
mod tables;

use crate::{Error, Flavor, Result};
use dump::Dump;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tables::Table;

/// A kind of dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// One table of 30 columns, most of them text with escapes and several scripts.
    WideText,
    /// A table of `0x…` literals, as of `--hex-blob`, and one of `_binary '…'`, as without it.
    Blobs,
    /// 2,000 tables of ten rows.
    SmallTables,
    /// One table with a primary key and five secondary indexes, which the rows do not follow.
    SecondaryIndexes,
    /// As phpMyAdmin exports: lists of columns, keys and AUTO_INCREMENT added after the rows.
    PhpMyAdmin,
}

/// What to write.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The kind.
    pub input: Input,
    /// Whose dump program it looks like.
    pub flavor: Flavor,
    /// 1 makes 100 to 150 MB, and of small tables 2,000.
    pub scale: f64,
}

impl Input {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::WideText, Self::Blobs, Self::SmallTables, Self::SecondaryIndexes, Self::PhpMyAdmin];

    /// The name on the command line and in names of files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WideText => "wide-text",
            Self::Blobs => "blobs",
            Self::SmallTables => "small-tables",
            Self::SecondaryIndexes => "secondary-indexes",
            Self::PhpMyAdmin => "phpmyadmin",
        }
    }
}

/// Writes a dump to a file.
pub fn write(plan: &Plan, out: &Path) -> Result<()> {
    let file = File::create(out).map_err(Error::path("create", out))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    write_to(plan, &mut file).and_then(|()| file.flush()).map_err(Error::path("write", out))
}

fn write_to(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let of_scale = |count: f64| ((count * plan.scale) as u64).max(1);
    let mut dump = Dump::new(out, plan.flavor);
    match plan.input {
        Input::WideText => dump.stock(&[Table::wide_text(of_scale(40_000.0))]),
        Input::Blobs => dump.stock(&[
            Table::hex_blobs(of_scale(3_200.0)),
            Table::binary_strings(of_scale(3_200.0)),
        ]),
        Input::SmallTables => {
            let tables: Vec<Table> = (0..of_scale(2_000.0)).map(Table::small).collect();
            dump.stock(&tables)
        }
        Input::SecondaryIndexes => dump.stock(&[Table::indexed(of_scale(1_100_000.0))]),
        Input::PhpMyAdmin => dump.phpmyadmin(&[
            Table::customers(of_scale(60_000.0)),
            Table::orders(of_scale(900_000.0)),
        ]),
    }
}
