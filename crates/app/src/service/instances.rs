//! Instances: the servers that accounts have registered, and what can be asked of them.
//!
//! Promises: an account sees its own only. A question to a server takes at most [`ANSWER_MAX`]. The
//! administrator's login is used for looking, and for importing where it is the one given or none is.

use std::time::Duration;

use engine::endpoint::{Endpoint, Family, Secret};
use engine::error::{Error, ErrorKind};
use engine::import::table::literal;
use engine::mysql::conn::Conn;
use store::{Instance, InstanceFilter, InstanceStatus, Page, Probe};
use tokio::time::Instant;

use super::{Range, Refusal};
use crate::app::App;

pub mod sql_server;

/// How long a server may take to answer one of our questions.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Instances that are probed in one go.
const PROBED_MAX: u32 = 100;

/// A database of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its default character set; of SQL Server its collation.
    pub charset: String,
    /// It can be used: SQL Server may have it offline, or be restoring it.
    pub is_online: bool,
}

/// Which protocol an engine speaks.
pub fn family(engine: store::Engine) -> Family {
    match engine {
        store::Engine::MySql | store::Engine::MariaDb => Family::MySql,
        store::Engine::SqlServer => Family::SqlServer,
    }
}

/// Finds an account's instance that files can be imported into.
pub async fn find(app: &App, account: i64, id: &str) -> Result<Instance, Refusal> {
    let instance = any(app, account, id).await?;
    match instance.engine {
        store::Engine::MySql | store::Engine::MariaDb => Ok(instance),
        store::Engine::SqlServer => Err(Refusal::WrongEngine),
    }
}

/// Finds an account's instance, whatever engine it is of.
pub async fn any(app: &App, account: i64, id: &str) -> Result<Instance, Refusal> {
    app.store.instance(account, id).await.map_err(|error| match error {
        store::Error::NotFound => Refusal::NoInstance,
        other => other.into(),
    })
}

/// Looks at an account's instance now; what was found is kept, and it as it is then.
pub async fn look(app: &App, account: i64, id: &str) -> Result<Instance, Refusal> {
    let instance = any(app, account, id).await?;
    let probe = probe(app, &instance).await;
    match app.store.record_probe(id, &probe, app.clock.now_ms()).await {
        // It was removed meanwhile, which the next question tells.
        Ok(()) | Err(store::Error::NotFound) => any(app, account, id).await,
        Err(error) => Err(error.into()),
    }
}

/// All instances of an account that pass a filter.
pub async fn list(
    app: &App,
    account: i64,
    filter: &InstanceFilter<'_>,
    range: Range,
) -> Result<Page<Instance>, Refusal> {
    let (offset, limit) = range.numbers();
    Ok(app.store.instances(account, filter, offset, limit).await?)
}

/// The ids of the instances, of whatever account, that a job works on.
pub async fn busy(app: &App) -> Result<Vec<String>, Refusal> {
    Ok(app.store.instances_in_use().await?)
}

/// Where an instance is, to be compared.
pub fn address(instance: &Instance) -> String {
    format!("{}:{}", instance.host, instance.port)
}

/// How to reach an instance as `user`.
pub fn endpoint(
    instance: &Instance,
    user: &str,
    password: Option<Secret>,
) -> Result<Endpoint, Refusal> {
    let host = match instance.host.contains(':') {
        true => format!("[{}]", instance.host),
        false => instance.host.clone(),
    };
    let options = options_of(&instance.options)?;
    let address = match options.contains("socket=") {
        true => "localhost".to_owned(),
        false => format!("{host}:{}", instance.port),
    };
    let scheme = family(instance.engine).scheme();
    let parsed = Endpoint::parse(&format!("{scheme}://{address}/?{options}"));
    let mut endpoint = parsed.map_err(|error| Refusal::Fault(error.to_string()))?;
    endpoint.user = user.to_owned();
    endpoint.password = password;
    Ok(endpoint)
}

/// The options of a server's URL, as they are kept: a JSON text.
pub fn options_of(kept: &str) -> Result<String, Refusal> {
    if kept.is_empty() {
        return Ok(String::new());
    }
    serde_json::from_str(kept).map_err(|_| Refusal::Fault("read an instance's options".to_owned()))
}

/// The options of a server's URL, to be kept.
pub fn kept_options(query: &str) -> String {
    serde_json::Value::from(query).to_string()
}

/// The password that goes with `user` where none is given: the administrator's own, else none.
pub async fn stored_password(
    app: &App,
    instance: &Instance,
    user: &str,
) -> Result<Option<Secret>, Refusal> {
    if user != instance.admin_user {
        return Ok(None);
    }
    let secret = app.store.instance_password(instance.account, &instance.id).await?;
    let text = secret.text().unwrap_or_default().to_owned();
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

/// How to reach an instance as its administrator.
pub async fn as_administrator(app: &App, instance: &Instance) -> Result<Endpoint, Refusal> {
    let password = stored_password(app, instance, &instance.admin_user).await?;
    endpoint(instance, &instance.admin_user, password)
}

/// Tries a login, into a database if one is named.
pub async fn try_login(endpoint: &Endpoint) -> Result<(), Refusal> {
    let conn = within(Conn::open(endpoint, "check login")).await?;
    conn.close().await;
    Ok(())
}

/// An instance's databases but those of the server itself, by name; asked for `limit` at most.
pub async fn databases(
    app: &App,
    instance: &Instance,
    limit: Duration,
) -> Result<Vec<Database>, Refusal> {
    let end = Instant::now() + limit;
    let endpoint = as_administrator(app, instance).await?;
    if endpoint.family == Family::SqlServer {
        let mut session = by(end, sql_server::connect(&endpoint)).await?;
        let product = by(end, sql_server::product(&mut session)).await?;
        return Ok(by(end, sql_server::held(&mut session, &product)).await?.databases());
    }
    let query = "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA \
                 WHERE SCHEMA_NAME NOT IN ('information_schema', 'mysql', 'performance_schema', \
                 'sys') ORDER BY SCHEMA_NAME";
    let mut conn = by(end, Conn::open(&endpoint, "look")).await?;
    let rows = by(end, conn.rows(query)).await;
    conn.close().await;
    let text = |cell: Option<&Option<String>>| cell.cloned().flatten().unwrap_or_default();
    let database = |row: &Vec<Option<String>>| Database {
        name: text(row.first()),
        charset: text(row.get(1)),
        is_online: true,
    };
    Ok(rows?.iter().map(database).collect())
}

/// A database's tables, by name.
pub async fn tables(
    app: &App,
    instance: &Instance,
    database: &str,
) -> Result<Vec<String>, Refusal> {
    let query = format!(
        "SELECT s.SCHEMA_NAME, t.TABLE_NAME FROM information_schema.SCHEMATA s LEFT JOIN \
         information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_TYPE = 'BASE TABLE' \
         WHERE s.SCHEMA_NAME = {} ORDER BY t.TABLE_NAME",
        literal(database)
    );
    let rows = ask(app, instance, &query).await?;
    if rows.is_empty() {
        return Err(Refusal::NoDatabase);
    }
    Ok(rows.into_iter().filter_map(|mut row| row.pop().flatten()).collect())
}

/// A table's columns, in their order; none if there is no such table.
pub async fn columns(
    app: &App,
    instance: &Instance,
    database: &str,
    table: &str,
) -> Result<Vec<String>, Refusal> {
    let query = format!(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = \
         {} ORDER BY ORDINAL_POSITION",
        literal(database),
        literal(table)
    );
    let rows = ask(app, instance, &query).await?;
    Ok(rows.into_iter().filter_map(|mut row| row.pop().flatten()).collect())
}

/// Makes a database. `charset` is a plain word.
pub async fn create_database(
    app: &App,
    instance: &Instance,
    name: &str,
    charset: &str,
) -> Result<(), Refusal> {
    if !charset.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::Invalid("the character set"));
    }
    let name = name.replace('`', "``");
    let text = format!("CREATE DATABASE `{name}` CHARACTER SET {charset}");
    let endpoint = as_administrator(app, instance).await?;
    let mut conn = within(Conn::open(&endpoint, "make database")).await?;
    let made = within(conn.query(text.as_bytes())).await;
    conn.close().await;
    match made {
        Err(Refusal::Server(EXISTS)) => Err(Refusal::Exists),
        made => made.map(|_effect| ()),
    }
}

/// Error number of both servers: the database exists.
const EXISTS: u32 = 1007;

/// Looks at all instances of all accounts, one after another.
pub async fn probe_all(app: &App) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let found = app.store.all_for_probe(after.as_deref(), PROBED_MAX).await?;
        for found in &found {
            let probe = probe(app, &found.instance).await;
            // It may have been removed meanwhile.
            let _ = app.store.record_probe(&found.instance.id, &probe, app.clock.now_ms()).await;
        }
        match found.last() {
            Some(last) => after = Some(last.instance.id.clone()),
            None => return Ok(()),
        }
    }
}

/// Looks at one instance.
pub async fn probe(app: &App, instance: &Instance) -> Probe {
    let told = match family(instance.engine) {
        Family::MySql => probe_mysql(app, instance).await,
        Family::SqlServer => probe_sql_server(app, instance).await,
    };
    match told {
        Ok((version, used_bytes)) => {
            Probe { status: InstanceStatus::Running, version, used_bytes, error: None }
        }
        Err(refusal) => {
            let error = match refusal {
                Refusal::WrongLogin => "the server refuses the login",
                Refusal::InstanceDown => "the server does not answer",
                _ => "the server does not answer the question",
            };
            let status = InstanceStatus::Unreachable;
            let error = Some(serde_json::Value::from(error).to_string());
            Probe { status, version: None, used_bytes: None, error }
        }
    }
}

/// What a server calls its version, and the bytes that it has.
type Told = (Option<String>, Option<u64>);

async fn probe_mysql(app: &App, instance: &Instance) -> Result<Told, Refusal> {
    const QUERY: &str = "SELECT VERSION(), COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM \
                         information_schema.TABLES";
    let row = ask(app, instance, QUERY).await?.into_iter().next().unwrap_or_default();
    let text = |index: usize| row.get(index).cloned().flatten();
    Ok((text(0), text(1).and_then(|bytes| bytes.parse().ok())))
}

async fn probe_sql_server(app: &App, instance: &Instance) -> Result<Told, Refusal> {
    let endpoint = as_administrator(app, instance).await?;
    let mut session = within(sql_server::connect(&endpoint)).await?;
    let product = within(sql_server::product(&mut session)).await?;
    let used = within(async { Ok(sql_server::used_bytes(&mut session).await) }).await?;
    Ok((Some(product.version()), used))
}

/// Asks an instance as its administrator.
async fn ask(
    app: &App,
    instance: &Instance,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, Refusal> {
    let endpoint = as_administrator(app, instance).await?;
    let mut conn = within(Conn::open(&endpoint, "look")).await?;
    let rows = within(conn.rows(query)).await;
    conn.close().await;
    rows
}

/// Waits for a server, but not for ever.
async fn within<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Refusal> {
    by(Instant::now() + ANSWER_MAX, answer).await
}

/// Waits for a server until a moment.
pub async fn by<T>(
    moment: Instant,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout_at(moment, answer).await {
        Ok(answer) => answer.map_err(|error| refused(&error)),
        Err(_) => Err(Refusal::InstanceDown),
    }
}

fn refused(error: &Error) -> Refusal {
    /// The login is right, but not for this database (both servers).
    const NOT_FOR_DATABASE: u32 = 1044;
    match error.kind {
        ErrorKind::AccessDenied | ErrorKind::Privilege
            if error.code() == Some(NOT_FOR_DATABASE) =>
        {
            Refusal::NoDatabase
        }
        ErrorKind::AccessDenied => Refusal::WrongLogin,
        ErrorKind::UnknownDatabase => Refusal::NoDatabase,
        ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::LostConnection => {
            Refusal::InstanceDown
        }
        _ => match error.code() {
            Some(code) => Refusal::Server(code),
            None => Refusal::Fault(error.without_server_text()),
        },
    }
}
