//! Which tool wrote a dump, when, and on which server: read from the comments at its head, and
//! whether it says at its end that it is complete.
//!
//! Looks only at the text it is given (the first and the last bytes of a file). What a tool does not
//! say is left out, never guessed.

use serde::Serialize;

use crate::hazard;
use crate::rules::Client;

/// The tools that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Tool {
    /// MySQL's mysqldump.
    #[serde(rename = "mysqldump")]
    Mysqldump,
    /// MariaDB's mysqldump and mariadb-dump.
    #[serde(rename = "mariadb-dump")]
    MariadbDump,
    /// MySQL's mysqlpump.
    #[serde(rename = "mysqlpump")]
    Mysqlpump,
    /// mydumper's schema and data files.
    #[serde(rename = "mydumper")]
    Mydumper,
    /// phpMyAdmin
    #[serde(rename = "phpMyAdmin")]
    PhpMyAdmin,
    /// Adminer
    #[serde(rename = "Adminer")]
    Adminer,
    /// HeidiSQL
    #[serde(rename = "HeidiSQL")]
    HeidiSql,
    /// DBeaver
    #[serde(rename = "DBeaver")]
    DBeaver,
    /// TablePlus
    #[serde(rename = "TablePlus")]
    TablePlus,
    /// Sequel Pro
    #[serde(rename = "Sequel Pro")]
    SequelPro,
    /// Sequel Ace
    #[serde(rename = "Sequel Ace")]
    SequelAce,
    /// Navicat
    #[serde(rename = "Navicat")]
    Navicat,
    /// SQLyog
    #[serde(rename = "SQLyog")]
    SqlYog,
    /// MySQL Workbench's forward engineering.
    #[serde(rename = "MySQL Workbench")]
    Workbench,
    /// dbForge Studio
    #[serde(rename = "dbForge Studio")]
    DbForge,
    /// The PHP library mysqldump-php.
    #[serde(rename = "mysqldump-php")]
    MysqldumpPhp,
    /// PostgreSQL's pg_dump: not for these servers.
    #[serde(rename = "pg_dump")]
    PgDump,
    /// SQLite's `.dump`: not for these servers.
    #[serde(rename = "sqlite3")]
    Sqlite,
    /// Nothing known: written by hand, or by a tool that does not say its name.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Tool {
    /// As its makers write it; `unknown` for [`Tool::Unknown`].
    pub fn name(self) -> &'static str {
        match self {
            Tool::Mysqldump => "mysqldump",
            Tool::MariadbDump => "mariadb-dump",
            Tool::Mysqlpump => "mysqlpump",
            Tool::Mydumper => "mydumper",
            Tool::PhpMyAdmin => "phpMyAdmin",
            Tool::Adminer => "Adminer",
            Tool::HeidiSql => "HeidiSQL",
            Tool::DBeaver => "DBeaver",
            Tool::TablePlus => "TablePlus",
            Tool::SequelPro => "Sequel Pro",
            Tool::SequelAce => "Sequel Ace",
            Tool::Navicat => "Navicat",
            Tool::SqlYog => "SQLyog",
            Tool::Workbench => "MySQL Workbench",
            Tool::DbForge => "dbForge Studio",
            Tool::MysqldumpPhp => "mysqldump-php",
            Tool::PgDump => "pg_dump",
            Tool::Sqlite => "sqlite3",
            Tool::Unknown => "unknown",
        }
    }

    /// What its last comment begins with, for the tools that always write one.
    pub fn trailer(self) -> Option<&'static str> {
        match self {
            Tool::Mysqldump | Tool::MariadbDump | Tool::MysqldumpPhp => Some("-- Dump completed"),
            Tool::Mysqlpump => Some("-- Dump end time"),
            Tool::Mydumper
            | Tool::PhpMyAdmin
            | Tool::Adminer
            | Tool::HeidiSql
            | Tool::DBeaver
            | Tool::TablePlus
            | Tool::SequelPro
            | Tool::SequelAce
            | Tool::Navicat
            | Tool::SqlYog
            | Tool::Workbench
            | Tool::DbForge
            | Tool::PgDump
            | Tool::Sqlite
            | Tool::Unknown => None,
        }
    }
}

/// What a dump says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The tool.
    pub generator: Tool,
    /// The tool's version.
    pub generator_version: Option<String>,
    /// The server that it was made on, as the tool writes it.
    pub server_version: Option<String>,
    /// That server's host.
    pub host: Option<String>,
    /// The database that it says it holds.
    pub database: Option<String>,
    /// When it was made, as the tool writes it.
    pub dumped_at: Option<String>,
}

impl Origin {
    /// Whether the server that it was made on was MariaDB; `None` if nothing is said.
    pub fn server(&self) -> Option<Client> {
        let says_mariadb = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.to_ascii_lowercase().contains("maria"))
        };
        if says_mariadb(&self.server_version) {
            return Some(Client::MariaDb);
        }
        match self.generator {
            Tool::MariadbDump if self.server_version.is_none() => Some(Client::MariaDb),
            Tool::Mysqldump | Tool::Mysqlpump | Tool::Workbench => Some(Client::MySql),
            _ => self.server_version.as_ref().map(|_| Client::MySql),
        }
    }

    /// The stock client that belongs to the tool: MySQL's for MySQL's own tools, otherwise
    /// MariaDB's, which knows more client commands and therefore hides fewer of them.
    pub fn client(&self) -> Client {
        match self.generator {
            Tool::Mysqldump | Tool::Mysqlpump | Tool::Workbench => Client::MySql,
            _ => Client::MariaDb,
        }
    }
}

/// Reads the head of a dump.
pub(super) fn of_head(head: &[u8]) -> Origin {
    let text = String::from_utf8_lossy(head);
    let lines: Vec<&str> = comment_lines(&text);
    let (generator, generator_version) = generator(&text, &lines);
    let mut origin = Origin {
        generator,
        generator_version,
        server_version: None,
        host: None,
        database: None,
        dumped_at: None,
    };
    for line in &lines {
        facts(line, &mut origin);
    }
    origin
}

/// The lines of comments, without their marks.
fn comment_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        let line = line.trim();
        if in_block || (line.starts_with("/*") && !line.starts_with("/*!")) {
            in_block = !line.contains("*/");
            let inner = line.trim_start_matches(['/', '*']).trim_end_matches(['/', '*']);
            lines.push(inner.trim());
        } else if let Some(rest) = line.strip_prefix("--").or(line.strip_prefix('#')) {
            lines.push(rest.trim());
        }
    }
    lines
}

fn generator(text: &str, lines: &[&str]) -> (Tool, Option<String>) {
    for (index, line) in lines.iter().enumerate() {
        let following = |prefix: &str| {
            let window = &lines[index..lines.len().min(index + 4)];
            window.iter().find_map(|line| after(line, prefix))
        };
        if let Some(found) = signature(line, &following) {
            return found;
        }
    }
    (by_shape(text, lines), None)
}

/// The tool that a comment line names. `following` looks for a prefix in the next lines.
fn signature(
    line: &str,
    following: &dyn Fn(&str) -> Option<String>,
) -> Option<(Tool, Option<String>)> {
    if after(line, "MySQL dump ").is_some() || after(line, "MariaDB dump ").is_some() {
        return Some(stock(line));
    }
    if line.starts_with("Dump created by MySQL pump utility") {
        return Some((Tool::Mysqlpump, number_after(line, "version: ")));
    }
    // The prefix that names the tool, and what its version follows, there or in the next lines.
    const SIGNATURES: [(&str, Tool, &str); 14] = [
        ("mysqldump-php ", Tool::MysqldumpPhp, "Version "),
        ("phpMyAdmin SQL Dump", Tool::PhpMyAdmin, "version "),
        ("Adminer ", Tool::Adminer, "Adminer "),
        ("HeidiSQL Version:", Tool::HeidiSql, "HeidiSQL Version:"),
        ("HeidiSQL ", Tool::HeidiSql, "HeidiSQL Version:"),
        ("TablePlus ", Tool::TablePlus, "TablePlus "),
        ("Sequel Pro ", Tool::SequelPro, "Version "),
        ("Sequel Ace ", Tool::SequelAce, "Version "),
        ("Navicat ", Tool::Navicat, "Navicat version "),
        ("SQLyog ", Tool::SqlYog, "SQLyog "),
        ("MySQL Script generated by MySQL Workbench", Tool::Workbench, "Workbench version "),
        ("MySQL Workbench Forward Engineering", Tool::Workbench, "Workbench version "),
        ("Script was generated by Devart dbForge", Tool::DbForge, "Version "),
        ("PostgreSQL database dump", Tool::PgDump, "Dumped by pg_dump version "),
    ];
    let (_, tool, version) = SIGNATURES.iter().find(|(prefix, ..)| line.starts_with(prefix))?;
    let version = following(version).and_then(|rest| first_number(&rest));
    Some((*tool, version))
}

/// `MySQL dump 10.13  Distrib 8.0.40, for Linux (x86_64)`, and what forks make of it.
fn stock(line: &str) -> (Tool, Option<String>) {
    let is_mariadb = line.contains("MariaDB");
    let tool = if is_mariadb { Tool::MariadbDump } else { Tool::Mysqldump };
    // `from 11.4.2-MariaDB` since MariaDB 11.
    let version = number_after(line, "Distrib ").or_else(|| number_after(line, "from "));
    (tool, version)
}

/// Tools that do not say their name, by the shape of what they write.
fn by_shape(text: &str, lines: &[&str]) -> Tool {
    let start = text.trim_start();
    if start.starts_with("/*!40101 SET NAMES ")
        && start.lines().next().is_some_and(|line| line.ends_with("*/;"))
        && start.contains("/*!40014 SET FOREIGN_KEY_CHECKS=0*/;")
    {
        return Tool::Mydumper;
    }
    if start.starts_with("PRAGMA foreign_keys") {
        return Tool::Sqlite;
    }
    let is_dbeaver = |line: &&&str| line.ends_with(" definition") && line.split(' ').count() == 2;
    if lines.iter().find(|line| !line.is_empty()).iter().any(is_dbeaver) {
        return Tool::DBeaver;
    }
    // --skip-comments leaves the statements of the head.
    if text.contains("SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;") {
        let is_mariadb = text.contains("/*M!") || text.contains("enable the sandbox mode");
        return if is_mariadb { Tool::MariadbDump } else { Tool::Unknown };
    }
    if text.contains("/*M!999999\\- enable the sandbox mode") {
        return Tool::MariadbDump;
    }
    Tool::Unknown
}

/// Facts that one comment line may state; the first statement of each counts.
fn facts(line: &str, origin: &mut Origin) {
    if let Some(rest) = after(line, "Host:") {
        host(&rest, origin);
        return;
    }
    if let Some(rest) = after(line, "Server version") {
        set(&mut origin.server_version, rest.trim_start_matches(':'));
        return;
    }
    const DATES: [&str; 3] = ["Generation Time:", "Date:", "Dump start time:"];
    if let Some(rest) = DATES.iter().find_map(|prefix| after(line, prefix)) {
        set(&mut origin.dumped_at, &rest);
        return;
    }
    // SQLyog: `MySQL - 5.7.20-log : Database - shop`
    if let Some(rest) = after(line, "MySQL - ") {
        let mut parts = rest.split(" : Database - ");
        set(&mut origin.server_version, parts.next().unwrap_or_default());
        set(&mut origin.database, parts.next().unwrap_or_default());
        return;
    }
    // Adminer: `Adminer 4.8.1 MySQL 8.0.30 dump`
    if let Some(rest) = after(line, "Adminer ") {
        let server = rest.split_once(' ').map(|(_, server)| server.trim_end_matches("dump"));
        let server = server.filter(|server| server.contains('.')).unwrap_or_default();
        set(&mut origin.server_version, server);
        return;
    }
    if let Some((key, value)) = line.split_once([':', '：']) {
        keyed(key.trim(), value.trim(), origin);
    }
}

/// `key : value` lines of Navicat, phpMyAdmin (in its user's language) and others.
fn keyed(key: &str, value: &str, origin: &mut Origin) {
    const SERVER: [&str; 10] = [
        "Source Server Version",
        "Server-Version",
        "Versión del servidor",
        "Version du serveur",
        "Versão do servidor",
        "Versione del server",
        "Serverversie",
        "Версия сервера",
        "服务器版本",
        "サーバのバージョン",
    ];
    if SERVER.contains(&key) {
        set(&mut origin.server_version, value);
    }
    match key {
        "Source Host" | "Hôte" | "Servidor" | "Хост" | "主机" => {
            set(&mut origin.host, value)
        }
        "Source Schema" | "Database" | "Datenbank" | "数据库" => {
            set(&mut origin.database, value.trim_matches('`'));
        }
        _ => {}
    }
}

/// `localhost    Database: shop` or `127.0.0.1 (MySQL 8.0.30)`
fn host(rest: &str, origin: &mut Origin) {
    let (host, database) = match rest.split_once("Database:") {
        Some((host, database)) => (host, database.trim()),
        None => (rest, ""),
    };
    set(&mut origin.database, database);
    match host.split_once(" (MySQL ") {
        Some((host, version)) => {
            set(&mut origin.host, host);
            set(&mut origin.server_version, version.trim_end_matches(')'));
        }
        None => set(&mut origin.host, host),
    }
}

fn set(place: &mut Option<String>, text: &str) {
    let text = hazard::shorten(text.as_bytes());
    if place.is_none() && !text.is_empty() {
        *place = Some(text);
    }
}

/// What follows a prefix, without blanks around it.
fn after(line: &str, prefix: &str) -> Option<String> {
    line.strip_prefix(prefix).map(|rest| rest.trim().to_owned())
}

fn number_after(line: &str, prefix: &str) -> Option<String> {
    let (_, rest) = line.split_once(prefix)?;
    first_number(rest)
}

/// The first word that begins with a digit (or `v` and a digit), without what follows a comma or bracket.
fn first_number(text: &str) -> Option<String> {
    let is_number =
        |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let word = text.split_whitespace().find(is_number)?.trim_start_matches('v');
    word.split([',', ';', '(', ')']).next().map(str::to_owned)
}

/// What the end of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Offset of the trailer in the given text.
    pub(super) at: usize,
    /// The date in it.
    pub(super) date: Option<String>,
}

/// Looks for a tool's trailer in the last bytes of a dump.
pub(super) fn trailer(tail: &[u8], prefix: &str) -> Option<Ending> {
    let at = memchr::memmem::rfind(tail, prefix.as_bytes())?;
    // At the start of a line: it may also stand in a value.
    if at > 0 && tail[at - 1] != b'\n' {
        return None;
    }
    let line = tail[at + prefix.len()..].split(|b| *b == b'\n').next().unwrap_or_default();
    let date = String::from_utf8_lossy(line);
    let date = date.trim().trim_start_matches("on").trim_start_matches(':').trim();
    Some(Ending { at, date: (!date.is_empty()).then(|| hazard::shorten(date.as_bytes())) })
}

/// Adminer's last line: `-- 2020-01-19 14:48:07`, since version 5 with ` UTC`.
pub(super) fn adminer_ending(tail: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    let line = text.trim_end().lines().next_back()?.strip_prefix("-- ")?.to_owned();
    let digits = line.bytes().filter(u8::is_ascii_digit).count();
    (digits == 14 && line.contains(':')).then_some(line)
}
