//! Servers that are asked how they are: the target's replicas, how far behind; the source, how busy.
//!
//! Promises: whoever is asked is asked over one connection that is opened again when it broke, and an
//! answer is waited for only [`ANSWER_MAX`]. What is found is never guessed: a replica that does
//! not tell its address has to be named by the user.

use std::collections::{BTreeMap, BTreeSet};

use crate::copy::connections::Connections;
use crate::copy::throttle::{ANSWER_MAX, REPLICAS_MAX};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::Conn;

/// A server that is asked now and then.
#[derive(Debug)]
pub struct Asked {
    endpoint: Endpoint,
    conn: Option<Conn>,
}

/// How far a replica is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// So many seconds, beyond those that it was told to stay behind.
    Seconds(u64),
    /// It does not apply anything now, or does not get anything.
    Stopped,
    /// It is no replica.
    None,
}

/// A row by the names of its columns, in lower case.
pub type Named = BTreeMap<String, Option<String>>;

impl Asked {
    /// Connects when it is asked first.
    pub fn new(endpoint: Endpoint) -> Asked {
        Asked { endpoint, conn: None }
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.endpoint.address()
    }

    /// How far it is behind the server whose `server_id` is `of`.
    pub async fn lag(&mut self, of: Option<&str>) -> Result<Lag> {
        let address = self.address();
        let work = async {
            let mut conn = self.opened().await?;
            let answer = lag(&mut conn, of).await;
            self.conn = Some(conn);
            answer
        };
        in_time(&address, work).await
    }

    /// How many statements others execute on it: what the server counts without those of
    /// `connections`, which run also while they wait for us, and without the one that asks.
    pub async fn others(&mut self, connections: &Connections) -> Result<u64> {
        let address = self.address();
        let work = async {
            let mut conn = self.opened().await?;
            let answer = others(&mut conn, connections).await;
            self.conn = Some(conn);
            answer
        };
        in_time(&address, work).await
    }

    /// The connection that is open, or a new one; whoever took it puts it back.
    async fn opened(&mut self) -> Result<Conn> {
        match self.conn.take().filter(|conn| !conn.is_broken()) {
            Some(conn) => Ok(conn),
            None => Conn::open(&self.endpoint, "copy throttle").await,
        }
    }
}

async fn in_time<T>(address: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(ANSWER_MAX, work).await.unwrap_or_else(|_elapsed| {
        let text = format!("ask {address}: no answer");
        Err(Error::new(ErrorKind::Unreachable, Side::Target, text))
    })
}

async fn others(conn: &mut Conn, connections: &Connections) -> Result<u64> {
    let mut ours = connections.ids(conn.server_identity());
    ours.insert(conn.id());
    let processes = conn.named_rows("SHOW PROCESSLIST").await?;
    let value = |row: &Named, name: &str| row.get(name).cloned().flatten();
    let is_ours = |row: &&Named| {
        let id = value(row, "id").and_then(|text| text.parse().ok());
        id.is_some_and(|id| ours.contains(&id)) && value(row, "command").as_deref() != Some("Sleep")
    };
    let ours = processes.iter().filter(is_ours).count() as u64;
    let rows = conn.rows("SHOW GLOBAL STATUS LIKE 'Threads_running'").await?;
    let running = rows.into_iter().next().and_then(|row| row.into_iter().nth(1).flatten());
    let running: u64 = running.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(running.saturating_sub(ours))
}

async fn lag(conn: &mut Conn, of: Option<&str>) -> Result<Lag> {
    let statements: &[&str] = match conn.version_text().contains("MariaDB") {
        true => &["SHOW ALL SLAVES STATUS"],
        false => &["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"],
    };
    Ok(judged(&first_understood(conn, statements).await?, of))
}

/// The answer to the first statement that the server understands: names of old and new versions.
async fn first_understood(conn: &mut Conn, statements: &[&str]) -> Result<Vec<Named>> {
    /// `ER_PARSE_ERROR`
    const NOT_UNDERSTOOD: u32 = 1064;
    let mut last = Ok(Vec::new());
    for statement in statements {
        last = conn.named_rows(statement).await;
        match &last {
            Err(error) if error.code() == Some(NOT_UNDERSTOOD) => {}
            _ => return last,
        }
    }
    last
}

/// Of several sources, those count that are the server asked for; if none is, it may lie behind
/// them.
fn judged(channels: &[Named], of: Option<&str>) -> Lag {
    let value = |row: &Named, names: [&str; 2]| {
        names.iter().find_map(|name| row.get(*name).cloned().flatten())
    };
    let is_of =
        |row: &&Named| value(row, ["source_server_id", "master_server_id"]).as_deref() == of;
    let direct: Vec<&Named> = channels.iter().filter(is_of).collect();
    let counted = if direct.is_empty() { channels.iter().collect() } else { direct };
    let mut lag = Lag::None;
    for row in counted {
        let behind = value(row, ["seconds_behind_source", "seconds_behind_master"]);
        let Some(behind) = behind.and_then(|text| text.parse::<u64>().ok()) else {
            return Lag::Stopped;
        };
        let meant = row.get("sql_delay").cloned().flatten().and_then(|text| text.parse().ok());
        let behind = behind.saturating_sub(meant.unwrap_or(0));
        lag = match lag {
            Lag::Seconds(most) => Lag::Seconds(most.max(behind)),
            Lag::Stopped | Lag::None => Lag::Seconds(behind),
        };
    }
    lag
}

/// The replicas that the target knows, with its own login.
pub async fn find(target: &Endpoint) -> Result<Vec<Endpoint>> {
    let mut conn = Conn::open(target, "copy throttle").await?;
    let listed = first_understood(&mut conn, &["SHOW REPLICAS", "SHOW SLAVE HOSTS"]).await?;
    let processes = conn.named_rows("SHOW PROCESSLIST").await?;
    conn.close().await;
    let at = |(host, port): (String, u16)| Endpoint { host, port, socket: None, ..target.clone() };
    Ok(addresses(&listed, &processes)?.into_iter().map(at).collect())
}

/// Where the replicas are: as they report it, else where they stand in the list of processes, as long
/// as that can mean only one.
fn addresses(listed: &[Named], processes: &[Named]) -> Result<Vec<(String, u16)>> {
    let value = |row: &Named, name: &str| row.get(name).cloned().flatten().unwrap_or_default();
    let port = |row: &Named| value(row, "port").parse::<u16>().unwrap_or(0);
    let (told, silent): (Vec<&Named>, Vec<&Named>) =
        listed.iter().partition(|row| !value(row, "host").is_empty());
    let mut found: Vec<(String, u16)> =
        told.into_iter().map(|row| (value(row, "host"), port(row))).collect();
    let dumps = processes.iter().filter(|row| value(row, "command").starts_with("Binlog Dump"));
    let hosts: BTreeSet<String> = dumps
        .filter_map(|row| Some(value(row, "host").rsplit_once(':')?.0.to_owned()))
        .filter(|host| !found.iter().any(|(known, _)| known == host))
        .collect();
    let ports: BTreeSet<u16> = silent.iter().map(|row| port(row)).collect();
    let pairs = hosts.iter().flat_map(|host| ports.iter().map(move |port| (host.clone(), *port)));
    let pairs: Vec<(String, u16)> = pairs.collect();
    if pairs.len() != silent.len() || found.len() + pairs.len() > REPLICAS_MAX {
        let text = format!(
            "find the target's replicas: {} of {} do not report their address (report_host): name \
             all of them with --replica",
            silent.len(),
            listed.len()
        );
        return Err(Error::new(ErrorKind::Usage, Side::Target, text));
    }
    found.extend(pairs);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, &str)]) -> Named {
        let value = |text: &str| (text != "NULL").then(|| text.to_owned());
        cells.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
    }

    #[track_caller]
    fn check_lag(channels: &[&[(&str, &str)]], expected: Lag) {
        let channels: Vec<Named> = channels.iter().map(|cells| row(cells)).collect();
        assert_eq!(judged(&channels, Some("7")), expected, "{channels:?}");
    }

    #[test]
    fn the_lag_is_that_of_the_targets_own_channel() {
        check_lag(&[], Lag::None);
        check_lag(&[&[("seconds_behind_master", "4")]], Lag::Seconds(4));
        check_lag(&[&[("seconds_behind_source", "NULL")]], Lag::Stopped);
        check_lag(&[&[("seconds_behind_source", "70"), ("sql_delay", "60")]], Lag::Seconds(10));
        let other: &[_] = &[("master_server_id", "5"), ("seconds_behind_master", "NULL")];
        let own: &[_] = &[("master_server_id", "7"), ("seconds_behind_master", "2")];
        check_lag(&[other, own], Lag::Seconds(2));
        check_lag(&[other], Lag::Stopped);
    }

    #[track_caller]
    fn check_found(listed: &[(&str, &str)], dumps: &[&str], expected: Option<&[(&str, u16)]>) {
        let listed: Vec<Named> =
            listed.iter().map(|(host, port)| row(&[("host", host), ("port", port)])).collect();
        let dump = |host: &&str| row(&[("host", host), ("command", "Binlog Dump GTID")]);
        let mut processes: Vec<Named> = dumps.iter().map(dump).collect();
        processes.push(row(&[("host", "elsewhere:5"), ("command", "Query")]));
        let expected =
            expected.map(|pairs| pairs.iter().map(|(h, p)| (h.to_string(), *p)).collect());
        assert_eq!(addresses(&listed, &processes).ok(), expected, "{listed:?}");
    }

    #[test]
    fn replicas_are_found_or_have_to_be_named() {
        check_found(&[], &[], Some(&[]));
        check_found(&[("r1", "3306")], &["r1:5001"], Some(&[("r1", 3306)]));
        check_found(&[("", "3307")], &["h:5001"], Some(&[("h", 3307)]));
        check_found(&[("", "1"), ("", "2")], &["h:51", "h:52"], Some(&[("h", 1), ("h", 2)]));
        check_found(&[("", "1"), ("", "1")], &["g:51", "h:52"], Some(&[("g", 1), ("h", 1)]));
        // Which of the two has which port?
        check_found(&[("", "1"), ("", "2")], &["g:51", "h:52"], None);
        check_found(&[("", "1")], &[], None);
    }
}
