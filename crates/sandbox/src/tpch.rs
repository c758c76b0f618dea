//! A real dump of generated data: TPC-H through a server and its own dump program.
//!
//! The rows come from the TPC-H generator and are the same on every machine; the file is what the
//! stock dump program writes, so its text follows that program's version. The server is thrown
//! away, so it loads without durability. Not here: the TPC-H queries, and their refresh streams.

use crate::client::printable;
use crate::{Error, Flavor, Options, Result, Server};
use std::fmt::{Display, Write as _};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The server the dump is made with.
    pub flavor: Flavor,
    /// 1 makes 6 million line items, about 1.25 GB of dump.
    pub scale: f64,
    /// Adds a procedure, a function, a trigger and a view.
    pub extras: bool,
}

/// In an order in which foreign keys find their tables.
const TABLES: [&str; 8] =
    ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"];

const SCHEMA: &str = include_str!("tpch/schema.sql");
const KEYS: &str = include_str!("tpch/keys.sql");
const EXTRAS: &str = include_str!("tpch/extras.sql");

/// Generates, loads and dumps database `tpch` into `out`; tells each step to `progress`.
pub fn dump(plan: &Plan, out: &Path, progress: &mut dyn Write) -> Result<()> {
    let mut tell = |step: &str| writeln!(progress, "{step}").map_err(Error::io("write progress"));
    let server = Server::start_with(plan.flavor, &loading_options())?;
    server.sql(SCHEMA)?;
    for table in TABLES {
        tell(&format!("load {table}"))?;
        load(&server, table, plan.scale)?;
    }
    tell("build indexes and foreign keys")?;
    server.sql(KEYS)?;
    if plan.extras {
        server.sql(EXTRAS)?;
    }
    tell("dump")?;
    write_dump(&server, out)
}

fn loading_options() -> Options {
    let args = [
        "--local-infile=ON",
        "--innodb-doublewrite=OFF",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-autoinc-lock-mode=2",
    ];
    Options {
        args: args.map(String::from).to_vec(),
        binlog: false,
        buffer_pool_mib: 512,
        ..Options::test()
    }
}

fn load(server: &Server, table: &str, scale: f64) -> Result<()> {
    let path = server.dir().join(format!("{table}.tbl"));
    let file = File::create(&path).map_err(Error::path("create", &path))?;
    let mut rows = BufWriter::with_capacity(1 << 20, file);
    generate(table, scale, &mut rows)
        .and_then(|()| rows.flush())
        .map_err(Error::path("write", &path))?;
    let output = server
        .client()?
        .args(["--local-infile=1", "tpch", "-e"])
        .arg(load_statement(table, &path))
        .output()
        .map_err(Error::io("run the stock client"))?;
    fs::remove_file(&path).map_err(Error::path("remove", &path))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Client {
        program: format!("LOAD DATA of {table}"),
        message: printable(&output.stderr),
    })
}

fn load_statement(table: &str, path: &Path) -> String {
    format!(
        "SET unique_checks = 0, foreign_key_checks = 0; \
         LOAD DATA LOCAL INFILE '{}' INTO TABLE {table} FIELDS TERMINATED BY '|'",
        path.display()
    )
}

fn generate(table: &str, scale: f64, out: &mut impl Write) -> io::Result<()> {
    match table {
        "region" => write_rows(RegionGenerator::new(scale, 1, 1).iter(), out),
        "nation" => write_rows(NationGenerator::new(scale, 1, 1).iter(), out),
        "supplier" => write_rows(SupplierGenerator::new(scale, 1, 1).iter(), out),
        "part" => write_rows(PartGenerator::new(scale, 1, 1).iter(), out),
        "partsupp" => write_rows(PartSuppGenerator::new(scale, 1, 1).iter(), out),
        "customer" => write_rows(CustomerGenerator::new(scale, 1, 1).iter(), out),
        "orders" => write_rows(OrderGenerator::new(scale, 1, 1).iter(), out),
        "lineitem" => write_rows(LineItemGenerator::new(scale, 1, 1).iter(), out),
        other => unreachable!("{other} is not in TABLES"),
    }
}

/// Writes rows in the generator's own format, without the separator it puts after the last field.
fn write_rows(rows: impl Iterator<Item: Display>, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    for row in rows {
        line.clear();
        let _ = write!(line, "{row}");
        out.write_all(line.trim_end_matches('|').as_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_dump(server: &Server, out: &Path) -> Result<()> {
    let file = File::create(out).map_err(Error::path("create", out))?;
    let output = server
        .dump_command()?
        .args(["--databases", "tpch", "--routines", "--triggers", "--events"])
        .stdout(file)
        .stderr(Stdio::piped())
        .output()
        .map_err(Error::io("run the dump program"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Client { program: "the dump program".into(), message: printable(&output.stderr) })
}
