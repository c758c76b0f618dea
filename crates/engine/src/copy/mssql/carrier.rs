//! How rows go between two SQL Servers: the trait's functions, each in a file of its own.

use super::comparing;
use super::job::Job;
use super::loading;
use super::reading::{self, Batch};
use super::session::{self, Conn};
use super::walk::Walk;
use crate::copy::carrier::{Carrier, Written};
use crate::copy::check::{Check, Sum};
use crate::copy::chunk::Chunk;
use crate::copy::connections::Kill;
use crate::copy::outlet::Outlet;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};

/// The way to one target.
#[derive(Clone, Debug)]
pub struct SqlServer {
    /// The target.
    pub target: Endpoint,
}

impl Carrier for SqlServer {
    type Conn = Conn;
    type Job = Job;
    type Walk = Walk;
    type Batch = Batch;

    async fn writer(&self, purpose: &str) -> Result<Conn> {
        session::writer(&self.target, purpose).await
    }

    fn kill(conn: &Conn) -> Kill {
        conn.kill()
    }

    async fn close(conn: Conn) {
        conn.close().await;
    }

    fn walk(job: &Job, chunk_bytes: u64) -> Walk {
        Walk::new(job, chunk_bytes)
    }

    async fn next(walk: &mut Walk, job: &Job, reader: Option<&mut Conn>) -> Result<Option<Chunk>> {
        walk.next(job, reader).await
    }

    async fn read(
        reader: &mut Conn,
        job: &Job,
        chunk: &Chunk,
        outlet: &mut Outlet<Batch>,
    ) -> Result<bool> {
        reading::read(reader, job, chunk, outlet).await
    }

    async fn write(writer: &mut Conn, job: &Job, batch: Batch) -> Result<Written> {
        loading::write(writer, job, batch).await
    }

    fn bytes(batch: &Batch) -> u64 {
        batch.bytes.len() as u64
    }

    fn makes_keys_alone(&self) -> bool {
        false
    }

    async fn prepare_keys(&self, conn: &mut Conn) -> Result<()> {
        conn.wait_for_locks(session::LOCK_WAIT_SECONDS).await
    }

    async fn execute(conn: &mut Conn, statement: &str) -> Result<()> {
        conn.session.run(statement).await.map(|_rows| ())
    }

    async fn sum(conn: &mut Conn, job: &Job, side: Side, check: &Check) -> Result<Sum> {
        comparing::sum(conn, job, side, check).await
    }

    async fn differing(
        source: &mut Conn,
        target: &mut Conn,
        job: &Job,
        chunk: &Chunk,
    ) -> Result<Vec<String>> {
        comparing::differing(source, target, job, chunk).await
    }

    async fn holds(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<bool> {
        comparing::holds(writer, job, chunk).await
    }

    async fn remove(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<()> {
        comparing::remove(writer, job, chunk).await
    }
}
