//! How rows go between two servers of MySQL's family: [`Carrier`], function by function.
//!
//! Only says who does what.

use super::job::Job;
use super::rows::Batch;
use super::walk::Walk;
use super::{digest, session, transfer};
use crate::copy::carrier::{Carrier, Written};
use crate::copy::check::{Check, Sum};
use crate::copy::chunk::Chunk;
use crate::copy::connections::Kill;
use crate::copy::outlet::Outlet;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// What MySQL may use for sorting one key, in bytes: its default of 1 MiB makes for long merges.
const SORT_BYTES: u64 = 128 << 20;

/// The way to a target.
#[derive(Clone, Debug)]
pub struct MySqlCarrier {
    /// The target.
    pub target: Endpoint,
    /// What it is.
    pub flavor: Flavor,
}

impl Carrier for MySqlCarrier {
    type Conn = Conn;
    type Job = Job;
    type Walk = Walk;
    type Batch = Batch;

    async fn writer(&self, purpose: &str) -> Result<Conn> {
        session::writer(&self.target, self.flavor, purpose).await
    }

    fn kill(conn: &Conn) -> Kill {
        session::kill(conn)
    }

    async fn close(conn: Conn) {
        conn.close().await;
    }

    fn walk(job: &Job, chunk_bytes: u64) -> Walk {
        Walk::new(&job.table, chunk_bytes)
    }

    async fn next(walk: &mut Walk, job: &Job, reader: Option<&mut Conn>) -> Result<Option<Chunk>> {
        walk.next((&job.source, &job.table), reader).await
    }

    async fn read(
        reader: &mut Conn,
        job: &Job,
        chunk: &Chunk,
        outlet: &mut Outlet<Batch>,
    ) -> Result<bool> {
        transfer::read(reader, job, chunk, outlet).await
    }

    async fn write(writer: &mut Conn, job: &Job, batch: Batch) -> Result<Written> {
        transfer::write(writer, job, batch).await
    }

    fn bytes(batch: &Batch) -> u64 {
        batch.text.len() as u64
    }

    fn makes_keys_alone(&self) -> bool {
        self.flavor == Flavor::MariaDb
    }

    async fn prepare_keys(&self, conn: &mut Conn) -> Result<()> {
        if self.flavor == Flavor::MySql {
            // Old versions do not know it.
            let text = format!("SET SESSION innodb_ddl_buffer_size = {SORT_BYTES}");
            let _ = conn.query(text.as_bytes()).await;
        }
        Ok(())
    }

    async fn execute(conn: &mut Conn, statement: &str) -> Result<()> {
        conn.query(statement.as_bytes()).await.map(|_effect| ())
    }

    async fn sum(conn: &mut Conn, job: &Job, side: Side, check: &Check) -> Result<Sum> {
        digest::sum(conn, job, side, check).await
    }

    async fn differing(
        source: &mut Conn,
        target: &mut Conn,
        job: &Job,
        chunk: &Chunk,
    ) -> Result<Vec<String>> {
        digest::differing(source, target, job, chunk).await
    }

    async fn holds(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<bool> {
        transfer::holds(writer, job, chunk).await
    }

    async fn remove(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<()> {
        transfer::remove(writer, job, chunk).await
    }
}
