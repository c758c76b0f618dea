//! What the dump programs write around rows: heads, comments, CREATE TABLE, INSERT, tails.
//!
//! Modelled on files of mariadb-dump 10.19 (10.11), mysqldump 9.7 and phpMyAdmin 5.2. Without dates.

use super::tables::{Random, Table};
use crate::Flavor;
use std::io::{self, Write};

/// The dump programs begin another INSERT when one is this long, in bytes (`net_buffer_length`).
const STOCK_INSERT_BYTES: usize = 1_046_528;
/// phpMyAdmin does so here, in bytes ("Maximal length of created query").
const PHPMYADMIN_INSERT_BYTES: usize = 50_000;

const DATABASE: &str = "bench";

const PHPMYADMIN_HEAD: &str = r#"-- phpMyAdmin SQL Dump
-- version 5.2.1
-- https://www.phpmyadmin.net/
--
-- Host: localhost

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
SET time_zone = "+00:00";


/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
"#;

const PHPMYADMIN_TAIL: &str = "COMMIT;

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
";

const STOCK_SETTINGS: &str = "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
";

const STOCK_TAIL: &str = "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed
";

/// How rows are laid out in an INSERT.
struct Layout {
    /// After `VALUES`.
    first: &'static str,
    /// Between rows.
    between: &'static str,
    /// Between the cells of a row.
    cells: &'static str,
    /// With the list of columns.
    columns: bool,
    /// Bytes after which another INSERT begins.
    bytes_max: usize,
}

/// A dump that is being written.
pub(super) struct Dump<'a, W> {
    out: &'a mut W,
    flavor: Flavor,
}

impl<'a, W: Write> Dump<'a, W> {
    pub(super) fn new(out: &'a mut W, flavor: Flavor) -> Self {
        Self { out, flavor }
    }

    /// As `mariadb-dump` or `mysqldump --databases` writes it.
    pub(super) fn stock(&mut self, tables: &[Table]) -> io::Result<()> {
        self.stock_head()?;
        for table in tables {
            self.stock_table(table)?;
        }
        self.out.write_all(STOCK_TAIL.as_bytes())
    }

    /// As phpMyAdmin exports a database.
    pub(super) fn phpmyadmin(&mut self, tables: &[Table]) -> io::Result<()> {
        self.out.write_all(PHPMYADMIN_HEAD.as_bytes())?;
        let rest = self.collation();
        write!(self.out, "\n--\n-- Database: `{DATABASE}`\n--\n")?;
        writeln!(
            self.out,
            "CREATE DATABASE IF NOT EXISTS `{DATABASE}` DEFAULT CHARACTER SET utf8mb4 COLLATE {rest};"
        )?;
        writeln!(self.out, "USE `{DATABASE}`;")?;
        for table in tables {
            self.phpmyadmin_table(table)?;
        }
        self.comment("Indexes for dumped tables")?;
        for table in tables {
            self.comment(&format!("Indexes for table `{}`", table.name))?;
            let keys: Vec<String> = table.keys.iter().map(|key| format!("  ADD {key}")).collect();
            writeln!(self.out, "ALTER TABLE `{}`\n{};", table.name, keys.join(",\n"))?;
        }
        self.comment("AUTO_INCREMENT for dumped tables")?;
        for table in tables {
            self.comment(&format!("AUTO_INCREMENT for table `{}`", table.name))?;
            let (name, kind) = self.columns(table).swap_remove(0);
            let next = table.rows + 1;
            writeln!(
                self.out,
                "ALTER TABLE `{}`\n  MODIFY `{name}` {kind} AUTO_INCREMENT, AUTO_INCREMENT={next};",
                table.name
            )?;
        }
        self.out.write_all(PHPMYADMIN_TAIL.as_bytes())
    }

    fn stock_head(&mut self) -> io::Result<()> {
        let (first, names, encryption) = match self.flavor {
            Flavor::MariaDb => (
                "/*M!999999\\- enable the sandbox mode */ \n\
                 -- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n",
                "/*!40101 SET NAMES utf8mb4 */;\n",
                "",
            ),
            Flavor::MySql => (
                "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n",
                "/*!50503 SET NAMES utf8mb4 */;\n",
                " /*!80016 DEFAULT ENCRYPTION='N' */",
            ),
        };
        write!(
            self.out,
            "{first}--\n-- Host: localhost    Database: {DATABASE}\n-- {:-<54}\n\n",
            ""
        )?;
        for name in ["CHARACTER_SET_CLIENT", "CHARACTER_SET_RESULTS", "COLLATION_CONNECTION"] {
            writeln!(self.out, "/*!40101 SET @OLD_{name}=@@{name} */;")?;
        }
        self.out.write_all(names.as_bytes())?;
        self.out.write_all(STOCK_SETTINGS.as_bytes())?;
        self.comment(&format!("Current Database: `{DATABASE}`"))?;
        write!(
            self.out,
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{DATABASE}` \
             /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE {} */{encryption};\n\nUSE `{DATABASE}`;\n",
            self.collation()
        )
    }

    fn stock_table(&mut self, table: &Table) -> io::Result<()> {
        let name = &table.name;
        let version = if self.flavor == Flavor::MariaDb { 40101 } else { 50503 };
        self.comment(&format!("Table structure for table `{name}`"))?;
        writeln!(self.out, "DROP TABLE IF EXISTS `{name}`;")?;
        writeln!(self.out, "/*!40101 SET @saved_cs_client     = @@character_set_client */;")?;
        writeln!(self.out, "/*!{version} SET character_set_client = utf8mb4 */;")?;
        let mut lines = self.column_lines(table, " AUTO_INCREMENT");
        lines.extend(table.keys.iter().map(|key| format!("  {key}")));
        self.create(table, &lines, &format!(" AUTO_INCREMENT={}", table.rows + 1))?;
        writeln!(self.out, "/*!40101 SET character_set_client = @saved_cs_client */;")?;
        self.comment(&format!("Dumping data for table `{name}`"))?;
        writeln!(self.out, "LOCK TABLES `{name}` WRITE;")?;
        writeln!(self.out, "/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;")?;
        let (first, between) = match self.flavor {
            Flavor::MariaDb => ("\n", ",\n"),
            Flavor::MySql => (" ", ","),
        };
        let bytes_max = STOCK_INSERT_BYTES;
        self.rows(table, &Layout { first, between, cells: ",", columns: false, bytes_max })?;
        writeln!(self.out, "/*!40000 ALTER TABLE `{name}` ENABLE KEYS */;")?;
        writeln!(self.out, "UNLOCK TABLES;")
    }

    fn phpmyadmin_table(&mut self, table: &Table) -> io::Result<()> {
        write!(self.out, "\n-- {:-<56}\n", "")?;
        self.comment(&format!("Table structure for table `{}`", table.name))?;
        writeln!(self.out, "DROP TABLE IF EXISTS `{}`;", table.name)?;
        let lines = self.column_lines(table, "");
        self.create(table, &lines, "")?;
        self.comment(&format!("Dumping data for table `{}`", table.name))?;
        let bytes_max = PHPMYADMIN_INSERT_BYTES;
        let layout = Layout { first: "\n", between: ",\n", cells: ", ", columns: true, bytes_max };
        self.rows(table, &layout)
    }

    fn create(&mut self, table: &Table, lines: &[String], next: &str) -> io::Result<()> {
        writeln!(self.out, "CREATE TABLE `{}` (\n{}", table.name, lines.join(",\n"))?;
        let collation = self.collation();
        writeln!(self.out, ") ENGINE=InnoDB{next} DEFAULT CHARSET=utf8mb4 COLLATE={collation};")
    }

    /// The columns' lines; `generated` follows the first column's.
    fn column_lines(&self, table: &Table, generated: &str) -> Vec<String> {
        let columns = self.columns(table).into_iter().enumerate();
        let line = |(at, (name, kind)): (usize, (String, String))| {
            format!("  `{name}` {kind}{}", if at == 0 { generated } else { "" })
        };
        columns.map(line).collect()
    }

    /// Names and types; MySQL no longer shows the width of integers.
    fn columns(&self, table: &Table) -> Vec<(String, String)> {
        let kind = |kind: &str| match self.flavor {
            Flavor::MariaDb => kind.to_owned(),
            Flavor::MySql => kind.replace("int(11)", "int").replace("bigint(20)", "bigint"),
        };
        table.columns.iter().map(|(name, of)| (name.clone(), kind(of))).collect()
    }

    fn rows(&mut self, table: &Table, layout: &Layout) -> io::Result<()> {
        let mut head = format!("INSERT INTO `{}` ", table.name);
        if layout.columns {
            let names: Vec<String> =
                table.columns.iter().map(|(name, _)| format!("`{name}`")).collect();
            head.push_str(&format!("({}) ", names.join(", ")));
        }
        head.push_str("VALUES");
        let mut random = Random::new(&table.name);
        let (mut insert, mut row) = (Vec::new(), Vec::new());
        for id in 1..=table.rows {
            row.clear();
            row.push(b'(');
            (table.row)(id, &mut random, layout.cells, &mut row);
            row.push(b')');
            if !insert.is_empty() && insert.len() + row.len() > layout.bytes_max {
                insert.extend_from_slice(b";\n");
                self.out.write_all(&insert)?;
                insert.clear();
            }
            let before = if insert.is_empty() { layout.first } else { layout.between };
            if insert.is_empty() {
                insert.extend_from_slice(head.as_bytes());
            }
            insert.extend_from_slice(before.as_bytes());
            insert.extend_from_slice(&row);
        }
        insert.extend_from_slice(b";\n");
        self.out.write_all(&insert)
    }

    fn comment(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "\n--\n-- {text}\n--\n\n")
    }

    /// The collation that the family's servers give to a new database.
    fn collation(&self) -> &'static str {
        match self.flavor {
            Flavor::MariaDb => "utf8mb4_general_ci",
            Flavor::MySql => "utf8mb4_0900_ai_ci",
        }
    }
}
