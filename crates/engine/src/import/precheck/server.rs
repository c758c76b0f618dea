//! Findings about the server as a whole: version, limits, GTIDs, whether it takes writes, space.

use dump::index::Act;
use dump::rules::Client;

use super::{Finding, Look, megabytes, server_name};
use crate::import::guard::Policy;
use crate::mysql::facts::{Flavor, Privilege};

/// Data takes about this many times the bytes of its INSERTs, with indexes, undo and binary log.
pub(in crate::import) const SPACE_FACTOR: u64 = 2;
/// What a statement's packet needs besides its text.
const PACKET_OVERHEAD: u64 = 2;

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(read_only(look));
    found.extend(replica(look));
    found.extend(origin(look));
    found.extend(gtid(look));
    found.extend(packets(look));
    found.extend(space(look));
    found.extend(events(look));
    found.extend(locks(look));
    found
}

fn read_only(look: &Look<'_>) -> Option<Finding> {
    let is_super = look.existing.is_on("super_read_only") == Some(true);
    let grants = &look.facts.grants;
    let may_write = !is_super
        && match look.facts.flavor {
            Flavor::MariaDb => {
                says(look, "READ_ONLY ADMIN")
                    || (look.facts.version < (10, 11, 0) && grants.allows(Privilege::Super, None))
            }
            Flavor::MySql => {
                grants.allows(Privilege::Super, None)
                    || grants.allows(Privilege::ConnectionAdmin, None)
            }
        };
    if !look.facts.read_only || look.index.statements == 0 {
        return None;
    }
    let text = "the server is read only";
    Some(match may_write {
        true => {
            Finding::warning("read_only", format!("{text}; this account may write all the same"))
                .fix("make sure that this is the server you mean: replicas are read only")
        }
        false => Finding::error("read_only", format!("{text} (error 1290)"))
            .fix("import into the primary server, or SET GLOBAL read_only = 0"),
    })
}

/// The account has a global privilege that has no name of its own here.
pub(super) fn says(look: &Look<'_>, privilege: &str) -> bool {
    look.facts.grants.lines.iter().any(|line| {
        let line = line.to_ascii_uppercase().replace('_', " ");
        line.split_once(" ON *.* TO ").is_some_and(|(granted, _)| {
            granted.contains(&privilege.replace('_', " ")) || granted.contains("ALL PRIVILEGES")
        })
    })
}

fn replica(look: &Look<'_>) -> Option<Finding> {
    (look.existing.is_replica == Some(true)).then(|| {
        let text = "the server replicates from another one: what is imported here is only here";
        Finding::warning("replica", text).fix("import into the primary server")
    })
}

/// The server that the dump was made on, compared with this one.
fn origin(look: &Look<'_>) -> Option<Finding> {
    let origin = &look.index.origin;
    let made_on = match origin.server()? {
        Client::MariaDb => Flavor::MariaDb,
        Client::MySql => Flavor::MySql,
    };
    let version = origin.server_version.as_deref().and_then(numbers);
    let made = match version {
        Some((major, minor)) => format!("{} {major}.{minor}", server_name(made_on)),
        None => server_name(made_on).to_owned(),
    };
    if made_on != look.facts.flavor {
        let text = format!("the dump was made on {made}, the target is {}", look.server());
        let fix = "look at the findings on collations and features; what neither names, differs in \
                   details (JSON, defaults, optimizer hints)";
        return Some(Finding::warning("other_server_kind", text).fix(fix));
    }
    let (major, minor, _) = look.facts.version;
    if version? <= (major, minor) {
        return None;
    }
    let text = format!("the dump was made on {made}, which is newer than {}", look.server());
    let fix = "import into a server of that version or a newer one if the target refuses something";
    Some(Finding::warning("older_server", text).fix(fix))
}

/// `10.11.6-MariaDB-log` → (10, 11)
fn numbers(version: &str) -> Option<(u16, u16)> {
    let start = version.find(|c: char| c.is_ascii_digit())?;
    let version = version[start..].strip_prefix("5.5.5-").unwrap_or(&version[start..]);
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Setting `gtid_purged` on a MySQL that has a history of its own.
fn gtid(look: &Look<'_>) -> Option<Finding> {
    let purged = look.index.demands.gtid_purged.as_ref()?;
    if look.options.guard.policy != Policy::Allow || look.is_mariadb() {
        return None;
    }
    let executed = look.existing.variable("gtid_executed").unwrap_or_default();
    let adds = purged.name.contains('+') && look.facts.version >= (8, 0, 0);
    let fix = "leave it out with --policy skip, unless you set up a replica on an empty server; \
               or dump with --set-gtid-purged=OFF";
    let finding = if executed.is_empty() {
        let text = "the file replaces the GTIDs that the server counts as executed";
        Finding::warning("gtid_purged", text)
    } else if adds && !shares_source(&purged.name, executed) {
        let text = "the file adds to the GTIDs that the server counts as executed";
        Finding::warning("gtid_purged", text)
    } else {
        let code = if look.facts.version >= (8, 0, 0) { 3546 } else { 1840 };
        let text = format!(
            "the file sets gtid_purged, and the server has executed some of these transactions, or \
             has a history that cannot be replaced (error {code})"
        );
        Finding::error("gtid_purged", text)
    };
    Some(finding.line(purged.line).fix(fix))
}

/// Whether both sets name the same source.
fn shares_source(left: &str, right: &str) -> bool {
    const UUID: usize = 36;
    let left = left.to_ascii_lowercase();
    let sources = right.split([',', '\n', ' ']).filter_map(|set| set.get(..UUID));
    sources.into_iter().any(|uuid| left.contains(&uuid.to_ascii_lowercase()))
}

fn packets(look: &Look<'_>) -> Vec<Finding> {
    let demands = &look.index.demands;
    let limit = look.facts.max_allowed_packet;
    let fits = |bytes: u64| bytes + PACKET_OVERHEAD <= limit;
    let fix = |bytes: u64| {
        let wanted = bytes.div_ceil(1 << 20) + 1;
        format!("SET GLOBAL max_allowed_packet = {wanted} * 1024 * 1024 (at most 1 GiB)")
    };
    let mut found = Vec::new();
    let statement = demands.longest_statement;
    if !fits(statement.bytes) {
        let text = format!(
            "a statement of {} is larger than the server accepts (max_allowed_packet is {})",
            megabytes(statement.bytes),
            megabytes(limit)
        );
        let finding = Finding::error("statement_too_large", text).line(statement.line);
        found.push(finding.fix(fix(statement.bytes)));
    }
    let row = demands.longest_row;
    if !fits(row.bytes) {
        let text = format!(
            "a row of at least {} is larger than the server accepts (max_allowed_packet is {})",
            megabytes(row.bytes),
            megabytes(limit)
        );
        found.push(Finding::error("row_too_large", text).line(row.line).fix(fix(row.bytes)));
    }
    found
}

fn space(look: &Look<'_>) -> Option<Finding> {
    let bytes: u64 = look.index.tables.iter().map(|table| table.bytes).sum();
    let wanted = bytes.saturating_mul(SPACE_FACTOR);
    let free = look.existing.free_bytes.or(look.facts.datadir_free_bytes)?;
    (free < wanted).then(|| {
        let text = format!(
            "{} are free where the server keeps its data; the rows of the file are {}, and with \
             indexes and logs need about {}",
            megabytes(free),
            megabytes(bytes),
            megabytes(wanted)
        );
        Finding::warning("little_space", text).fix("make room first, or watch it while it runs")
    })
}

fn events(look: &Look<'_>) -> Option<Finding> {
    let first = look.index.events.first()?;
    let finding = match look.existing.variable("event_scheduler")? {
        "ON" => Finding::warning("events_start", "events of the file start running at once")
            .fix("SET GLOBAL event_scheduler = OFF before the import if they must not"),
        value => Finding::info(
            "event_scheduler_off",
            format!("events of the file do not run: event_scheduler is {value}"),
        ),
    };
    Some(finding.line(first.line).object(&first.name))
}

fn locks(look: &Look<'_>) -> Option<Finding> {
    let lock = look.first(Act::LockTables)?;
    let busy = look.existing.threads_running.filter(|count| *count > 0);
    let text = match busy {
        Some(count) => format!(
            "the file locks its tables: others wait for them ({count} statements run just now)"
        ),
        None => "the file locks its tables: others wait for them".to_owned(),
    };
    Some(Finding::info("lock_tables", text).line(lock.line))
}
