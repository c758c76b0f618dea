//! Asks the source how many statements others execute on it, and the target's replicas how far behind they
//! are.

use super::replica::{self, Asked, Lag};
use crate::copy::connections::Connections;
use crate::copy::throttle::{self, Limits};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::Conn;

/// Who is asked, and what is too much.
#[derive(Debug)]
pub struct Watcher {
    source: Option<(Asked, u64)>,
    connections: Connections,
    replicas: Vec<Asked>,
    lag_seconds_max: u64,
    /// The target's `server_id`.
    target_id: Option<String>,
}

impl Watcher {
    /// Finds the replicas, and whether they are some. `connections` are those that do not count.
    pub async fn begin(
        limits: &Limits,
        (source, target): (&Endpoint, &Endpoint),
        connections: &Connections,
    ) -> Result<Watcher> {
        let mut watcher = Watcher {
            source: limits.running_max.map(|most| (Asked::new(source.clone()), most)),
            connections: connections.clone(),
            replicas: Vec::new(),
            lag_seconds_max: limits.lag_seconds_max.unwrap_or(u64::MAX),
            target_id: None,
        };
        if limits.lag_seconds_max.is_none() {
            return Ok(watcher);
        }
        let mut conn = Conn::open(target, "copy throttle").await?;
        watcher.target_id = conn.scalar("SELECT @@server_id").await?;
        conn.close().await;
        let replicas = match limits.replicas.is_empty() {
            true => replica::find(target).await?,
            false => limits.replicas.clone(),
        };
        watcher.replicas = replicas.into_iter().map(Asked::new).collect();
        let of = watcher.target_id.clone();
        for asked in &mut watcher.replicas {
            let lag = asked.lag(of.as_deref()).await?;
            if lag == Lag::None {
                let text = format!("{} is not a replica", asked.address());
                return Err(Error::new(ErrorKind::Usage, Side::Target, text));
            }
        }
        Ok(watcher)
    }
}

impl throttle::Watcher for Watcher {
    fn replicas(&self) -> Vec<String> {
        self.replicas.iter().map(Asked::address).collect()
    }

    async fn reason(&mut self) -> Result<Option<String>> {
        if let Some((asked, most)) = &mut self.source {
            let others = asked.others(&self.connections).await;
            let others = others.map_err(|error| error.on(Side::Source))?;
            if let Some(text) = throttle::too_busy(others, *most) {
                return Ok(Some(text));
            }
        }
        let of = self.target_id.clone();
        for asked in &mut self.replicas {
            let lag = asked.lag(of.as_deref()).await?;
            let (address, most) = (asked.address(), self.lag_seconds_max);
            match lag {
                Lag::Seconds(behind) if behind > most => {
                    let text = format!("replica {address} is {behind} s behind ({most} s allowed)");
                    return Ok(Some(text));
                }
                Lag::Seconds(_) => {}
                Lag::Stopped | Lag::None => {
                    return Ok(Some(format!("replica {address} does not replicate")));
                }
            }
        }
        Ok(None)
    }
}
