//! One table on its way from a server of MySQL's family to another: from where, to where, in which form.

use super::rows::Form;
use super::table::{PRIMARY, Table};
use crate::copy::carrier::Task;
use crate::copy::chunk::Chunk;
use crate::copy::lane::BATCH_BYTES;
use crate::error::Side;
use crate::import::indexes::deferral::identifier;
use crate::mysql::facts::Flavor;

/// A table on its way.
#[derive(Debug)]
pub struct Job {
    /// The database on the source.
    pub source: String,
    /// The database on the target that takes the rows.
    pub target: String,
    /// The table.
    pub table: Table,
    /// In which form its rows are written.
    pub form: Form,
    /// The statement around a batch.
    pub statement: String,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Texts may have another order on the target, and numbers another text.
    pub is_translated: bool,
    /// The key by which the target counts rows, where it would take a worse one.
    counted_by: Option<&'static str>,
}

/// What the target takes.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its dialect.
    pub flavor: Flavor,
    /// LOAD DATA LOCAL.
    pub load: bool,
    /// Statements up to this length.
    pub packet_bytes: u64,
    /// Batches up to this length, where rows are not longer.
    pub batch_bytes: usize,
    /// Texts may have another order there than on the source, and numbers another text.
    pub is_translated: bool,
}

impl Job {
    /// Rows go as LOAD DATA where the target takes that, else as INSERT of up to `packet_bytes`.
    pub fn new(source: &str, target: &str, table: Table, way: &Way) -> Job {
        let name = format!("{}.{}", identifier(target), identifier(&table.name));
        // INSERT needs a column; what a table without any holds is its number of rows.
        let load = way.load && table.stored().next().is_some();
        let (form, statement) = match load {
            true => (
                Form::load(&table),
                format!(
                    "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {name} CHARACTER SET binary FIELDS \
                     TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {}",
                    table.loaded(way.flavor)
                ),
            ),
            false => {
                (Form::insert(&table), format!("INSERT INTO {name} ({}) VALUES ", table.inserted()))
            }
        };
        let packet_bytes = usize::try_from(way.packet_bytes).unwrap_or(usize::MAX);
        let batch_bytes = way.batch_bytes.min(BATCH_BYTES);
        let batch_bytes = if load { batch_bytes } else { batch_bytes.min(packet_bytes / 2) };
        let (source, target) = (source.to_owned(), target.to_owned());
        let is_translated = way.is_translated;
        // MariaDB takes the smallest key. As long as a build of another table's keys that is older
        // than that key goes on, every row of it is looked up in the primary one.
        let counted_by =
            (way.flavor == Flavor::MariaDb && table.has_primary_key()).then_some(PRIMARY);
        Job { source, target, table, form, statement, batch_bytes, is_translated, counted_by }
    }

    /// Where one side finds the rows of a chunk, or of the whole table to count them.
    pub fn rows_of(&self, side: Side, chunk: &Chunk, is_counted: bool) -> String {
        let (schema, counted_by) = match side {
            Side::Source | Side::Input => (&self.source, None),
            Side::Target | Side::Internal => (&self.target, self.counted_by),
        };
        let key = chunk.key.as_deref().or(counted_by.filter(|_| is_counted));
        self.table.from(schema, key)
    }

    /// What reads a chunk's rows.
    pub fn selection(&self, chunk: &Chunk) -> String {
        let from = self.table.from(&self.source, chunk.key.as_deref());
        format!("SELECT {} FROM {from}{}", self.table.selected(), chunk.filter())
    }

    /// The table that takes the rows, as a statement names it.
    pub fn target_table(&self) -> String {
        format!("{}.{}", identifier(&self.target), identifier(&self.table.name))
    }
}

impl Task for Job {
    fn source(&self) -> &str {
        &self.source
    }

    fn target(&self) -> &str {
        &self.target
    }

    fn table(&self) -> &str {
        &self.table.name
    }

    fn rows_estimated(&self) -> u64 {
        self.table.rows_estimated
    }

    fn is_one(&self) -> bool {
        self.is_translated && self.table.is_cut_by_text()
    }
}
