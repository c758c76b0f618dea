//! What a SQL Server tells before its databases are copied, or written.

use std::collections::HashSet;

use engine::endpoint::Endpoint;
use tokio::time::Instant;

use super::Seen;
use crate::service::Refusal;
use crate::service::instances::by;
use crate::service::instances::sql_server as server;

/// Looks at a server until a moment, for these databases. One that the login may not enter is none.
pub(super) async fn look(
    endpoint: &Endpoint,
    databases: &[String],
    end: Instant,
) -> Result<Seen, Refusal> {
    let mut session = by(end, server::connect(endpoint)).await?;
    let product = by(end, server::product(&mut session)).await?;
    let is_excluded = product.is_cluster_of_2017();
    let mut seen = Seen { server: product.identity, is_excluded, ..Seen::default() };
    let mut open = Vec::new();
    let found = by(end, server::find(&mut session, databases)).await?;
    for (asked, name) in found.iter().zip(databases) {
        seen.is_ambiguous |= asked.is_again;
        let note = |is_so: bool, names: &mut HashSet<String>| {
            if asked.is_there && is_so {
                names.insert(name.clone());
            }
        };
        note(asked.is_open || !asked.is_online, &mut seen.databases);
        note(asked.is_read_only, &mut seen.locked);
        note(!asked.is_online, &mut seen.down);
        // What may not be looked into is not taken for empty.
        note(!asked.is_open, &mut seen.filled);
        if asked.is_there && asked.is_open {
            open.push(name.clone());
        }
    }
    for name in &open {
        if by(end, server::is_filled(&mut session, name)).await? {
            seen.filled.insert(name.clone());
        }
    }
    let sizes = async {
        let bytes = server::bytes(&mut session, &open).await;
        Ok((bytes, server::used_bytes(&mut session).await))
    };
    // What is not told in time is missing.
    (seen.bytes, seen.used_bytes) = by(end, sizes).await.unwrap_or_default();
    Ok(seen)
}
