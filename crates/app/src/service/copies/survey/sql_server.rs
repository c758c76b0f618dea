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
    asks_filled: bool,
    end: Instant,
) -> Result<Seen, Refusal> {
    let mut session = by(end, server::connect(endpoint)).await?;
    let product = by(end, server::product(&mut session)).await?;
    let held = by(end, server::held(&mut session, &product)).await?;
    let mut seen = Seen { server: held.identity(&product, endpoint), ..Seen::default() };
    seen.is_excluded = product.is_cluster_of_2017();
    let mut open = Vec::new();
    for (index, name) in databases.iter().enumerate() {
        seen.is_ambiguous |= databases[..index].iter().any(|other| held.is_same(other, name));
        let Some(known) = held.find(name) else { continue };
        let note = |is_so: bool, names: &mut HashSet<String>| {
            if is_so {
                names.insert(name.clone());
            }
        };
        note(known.is_open || !known.is_online, &mut seen.databases);
        note(known.is_read_only, &mut seen.locked);
        note(!known.is_online, &mut seen.down);
        // What may not be looked into is not taken for empty.
        note(!known.is_open, &mut seen.filled);
        if known.is_open {
            open.push(name.clone());
        }
    }
    for name in open.iter().filter(|_| asks_filled) {
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
