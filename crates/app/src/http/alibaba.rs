//! Alibaba Cloud's dialect over HTTP: who asks, what for, and the answer in its words.
//!
//! Promises: nothing is done before the signature is checked and its nonce remembered; the order of
//! checks is the cloud's (credentials, signature, replay, action and parameters, rate). What an
//! action does is the service's; which code an obstacle gets is decided here.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use store::{Instance, InstanceFilter, JobFilter, NewAudit};
use wire::alibaba::call::{self, Action, Call, Page};
use wire::alibaba::code::Code;
use wire::alibaba::credentials::Credentials;
use wire::alibaba::engine::Engine;
use wire::alibaba::error::{Error, Result};
use wire::alibaba::import_id::ImportId;
use wire::alibaba::region::Region;
use wire::alibaba::reply::{self, Envelope, Reply};
use wire::alibaba::task::TASK_ACTION;
use wire::request::Request;

use super::traffic::class;
use super::visit::Answered;
use crate::app::App;
use crate::service::copies::{self, NewCopy, Obstacle, Terms, Verify};
use crate::service::{Range, Refusal, instances};

pub mod record;

/// Instances that one answer is chosen from; an account with more sees the first of them.
const INSTANCES_MAX: u64 = store::PAGE_MAX as u64;

/// Answers a request that is meant for this dialect; `is_whole` if its body came to its end.
pub async fn answer(
    app: &App,
    request: &Request<'_>,
    is_whole: bool,
    request_id: &str,
) -> Response {
    let envelope = Envelope::of(request, request_id);
    let mut action = None;
    let result = match is_whole {
        true => handle(app, request, &envelope.host_id, &mut action).await,
        false => Err(Error::said(Code::InvalidParameter, "The body did not come to its end.")),
    };
    let rendered = reply::render(&result, &envelope);
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
    let content_type = HeaderValue::from_static(rendered.content_type);
    let mut response =
        (status, [(header::CONTENT_TYPE, content_type)], rendered.body).into_response();
    let code = result.err().map(|error| error.word().into());
    let status = class(rendered.status);
    response.extensions_mut().insert(Answered { dialect: "alibaba", action, status, code });
    response
}

/// Answers a request, and says in `asked` for which action once that is known.
async fn handle(
    app: &App,
    request: &Request<'_>,
    host: &str,
    asked: &mut Option<&'static str>,
) -> Result<Reply> {
    let (key_id, account) = authenticate(app, request).await?;
    let action = Call::read(request)?.action;
    *asked = Some(action.name());
    // The other dialect has actions of the same names, and other rates for them.
    let bucket = format!("alibaba {key_id}");
    let (name, per_second) = (action.name(), action.per_second());
    if app.rates.take(&bucket, name, per_second, app.clock.uptime()).is_none() {
        return Err(Error::new(Code::ThrottlingUser));
    }
    let object = object_of(&action);
    let result = act(app, account, action, host).await;
    if let Some(object) = object {
        let outcome = result.as_ref().err().map_or("done".to_owned(), Error::word);
        let entry = NewAudit {
            account: Some(account),
            actor: &key_id,
            action: name,
            object: &object,
            outcome: &outcome,
        };
        if let Err(error) = app.store.append_audit(&entry, app.clock.now_ms()).await {
            tracing::warn!(error = crate::cause::told(&error), "write the audit log");
        }
    }
    result
}

/// What an action is about, if it changes something: that goes into the audit log, which takes
/// shorter texts than a request may have.
fn object_of(action: &Action) -> Option<String> {
    const OBJECT_CHARS_MAX: usize = 255;
    let object = match action {
        Action::ImportDatabaseBetweenInstances(asked) => {
            format!("{} from {}", asked.instance_id, asked.source_instance_id)
        }
        Action::CancelImport(asked) => format!("{} of {}", asked.import_id, asked.instance_id),
        _ => return None,
    };
    Some(object.chars().take(OBJECT_CHARS_MAX).collect())
}

/// The key and the account of whoever signed the request.
async fn authenticate(app: &App, request: &Request<'_>) -> Result<(String, i64)> {
    let credentials = Credentials::read(request)?;
    let known = match app.store.credentials(&credentials.key_id).await {
        Ok(known) => known,
        Err(store::Error::NotFound | store::Error::Invalid { .. }) => {
            return Err(Error::new(Code::AccessKeyNotFound));
        }
        Err(error) => return Err(fault(&crate::cause::told(&error))),
    };
    let secret = known.secret.text().map_err(|error| fault(&crate::cause::told(&error)))?;
    let now = app.clock.now_secs();
    credentials.verify(secret, now, request)?;
    // Only who has the secret is told that the key was switched off.
    if !known.enabled {
        return Err(Error::new(Code::AccessKeyInactive));
    }
    let (key_id, at) = (&credentials.key_id, credentials.timestamp);
    match app.store.remember_nonce(key_id, &credentials.nonce, at, now).await {
        Ok(true) => Ok((credentials.key_id, known.account)),
        Ok(false) => Err(Error::new(Code::NonceUsed)),
        Err(store::Error::Invalid { .. }) => Err(Error::invalid("SignatureNonce")),
        Err(error) => Err(fault(&crate::cause::told(&error))),
    }
}

async fn act(app: &App, account: i64, action: Action, host: &str) -> Result<Reply> {
    match action {
        Action::ImportDatabaseBetweenInstances(asked) => import(app, account, asked).await,
        Action::CancelImport(asked) => {
            let (target, id) = (&asked.instance_id, asked.import_id.number());
            copies::cancel(app, account, target, id).await.map_err(refused)?;
            Ok(Reply::CancelImport)
        }
        Action::DescribeImportsFromDatabase(asked) => imports(app, account, asked).await,
        Action::DescribeDbInstances(asked) => db_instances(app, account, asked).await,
        Action::DescribeDbInstanceAttribute(asked) => attributes(app, account, asked).await,
        Action::DescribeDatabases(asked) => databases(app, account, asked).await,
        Action::DescribeRegions(asked) => {
            let all = all_instances(app, account).await?;
            Ok(Reply::DescribeRegions { language: asked.language, items: regions(&all, host) })
        }
        Action::DescribeTasks(asked) => tasks(app, account, asked).await,
    }
}

async fn import(
    app: &App,
    account: i64,
    asked: call::ImportDatabaseBetweenInstances,
) -> Result<Reply> {
    let new = NewCopy {
        source: asked.source_instance_id,
        target: asked.instance_id,
        databases: asked.databases.into_iter().map(|pair| (pair.source, pair.target)).collect(),
        replace: true,
        verify: Verify::Checksum,
        // The API has no word for it.
        skip_unsupported: app.settings.copies.skip_unsupported,
        definer: None,
        replicas: Vec::new(),
        replica_lag_seconds_max: None,
        terms: Terms::Cloud,
        request: None,
    };
    let copy = copies::create(app, account, new).await.map_err(refused)?;
    Ok(Reply::ImportDatabaseBetweenInstances { import_id: record::id_of(&copy.job)? })
}

async fn imports(
    app: &App,
    account: i64,
    asked: call::DescribeImportsFromDatabase,
) -> Result<Reply> {
    let ids: Vec<i64> = asked.import_id.map(ImportId::number).into_iter().collect();
    let filter = JobFilter {
        created_from: Some(asked.start_time.saturating_mul(1000)),
        created_to: Some(record::to_the_end(asked.end_time)),
        ids: &ids,
        ..JobFilter::ALL
    };
    let instance = one(app, account, &asked.instance_id).await?;
    // The API knows MySQL alone; MariaDB counts as that.
    let is_engine = asked.engine == record::engine(instance.engine)
        || (asked.engine == Engine::MySql && instance.engine == store::Engine::MariaDb);
    if !is_engine {
        return Err(Error::invalid("Engine"));
    }
    let page = copies::list(app, account, &asked.instance_id, filter, range(asked.page)).await;
    let page = page.map_err(refused)?;
    let items = page.items.iter().map(record::result).collect::<Result<_>>()?;
    Ok(Reply::DescribeImportsFromDatabase { page: asked.page, total: page.total, items })
}

async fn tasks(app: &App, account: i64, asked: call::DescribeTasks) -> Result<Reply> {
    let filter = JobFilter {
        created_from: asked.start_time.map(|at| at.saturating_mul(1000)),
        created_to: asked.end_time.map(record::to_the_end),
        ..JobFilter::ALL
    };
    let page = copies::list(app, account, &asked.instance_id, filter, range(asked.page)).await;
    let page = page.map_err(refused)?;
    if asked.task_action.is_some_and(|action| action != TASK_ACTION) {
        return Ok(Reply::DescribeTasks { page: asked.page, total: 0, items: Vec::new() });
    }
    let items = page.items.iter().map(record::task).collect::<Result<_>>()?;
    Ok(Reply::DescribeTasks { page: asked.page, total: page.total, items })
}

async fn db_instances(app: &App, account: i64, asked: call::DescribeDbInstances) -> Result<Reply> {
    let all = all_instances(app, account).await?;
    let doing = copies::doing(app, account).await.map_err(|refusal| refused(refusal.into()))?;
    let shown: Vec<_> = all
        .iter()
        .map(|instance| record::instance(instance, doing.get(&instance.id).copied(), None))
        .filter(|instance| record::is_asked(instance, &asked))
        .collect();
    let total = shown.len() as u64;
    let items = range(asked.page).of(shown);
    Ok(Reply::DescribeDbInstances { page: asked.page, total, items })
}

async fn attributes(
    app: &App,
    account: i64,
    asked: call::DescribeDbInstanceAttribute,
) -> Result<Reply> {
    let mut found = Vec::new();
    for id in &asked.instance_ids {
        found.push(one(app, account, id).await?);
    }
    let locks =
        join_all(found.iter().map(async |instance| copies::is_read_only(app, instance).await));
    let locks = locks.await;
    // Asked last, so that it is not older than the rest.
    let doing = copies::doing(app, account).await.map_err(|refusal| refused(refusal.into()))?;
    let items = found.iter().zip(locks).map(|(instance, is_read_only)| {
        record::instance(instance, doing.get(&instance.id).copied(), is_read_only)
    });
    Ok(Reply::DescribeDbInstanceAttribute { items: items.collect() })
}

async fn databases(app: &App, account: i64, asked: call::DescribeDatabases) -> Result<Reply> {
    let (instance, all) =
        copies::databases(app, account, &asked.instance_id).await.map_err(refused)?;
    let shown: Vec<_> = all
        .into_iter()
        .map(|database| record::database(&instance, database))
        .filter(|database| {
            let is_named = asked.database.as_ref().is_none_or(|name| *name == database.name);
            let status = database.status.word();
            is_named && asked.status.as_ref().is_none_or(|word| word.eq_ignore_ascii_case(status))
        })
        .collect();
    Ok(Reply::DescribeDatabases { items: range(asked.page).of(shown) })
}

/// The regions and zones of an account's instances, each once.
fn regions(instances: &[Instance], host: &str) -> Vec<Region> {
    let mut places: Vec<(&str, &str)> = instances
        .iter()
        .filter(|instance| !instance.region.is_empty())
        .map(|instance| (instance.region.as_str(), instance.zone.as_str()))
        .collect();
    places.sort_unstable();
    places.dedup();
    let region = |(id, zone): (&str, &str)| Region {
        id: id.to_owned(),
        zone: zone.to_owned(),
        endpoint: host.to_owned(),
    };
    places.into_iter().map(region).collect()
}

async fn one(app: &App, account: i64, id: &str) -> Result<Instance> {
    instances::any(app, account, id).await.map_err(|refusal| refused(refusal.into()))
}

async fn all_instances(app: &App, account: i64) -> Result<Vec<Instance>> {
    let all = Range { offset: 0, limit: INSTANCES_MAX };
    let found = instances::list(app, account, &InstanceFilter::ALL, all).await;
    Ok(found.map_err(|refusal| refused(refusal.into()))?.items)
}

fn range(page: Page) -> Range {
    Range { offset: page.offset, limit: page.limit }
}

/// The code of an obstacle. Terraform sends a request again for those that may pass: a job that
/// works on an instance, and a server that does not answer.
fn refused(obstacle: Obstacle) -> Error {
    Error::new(match obstacle {
        Obstacle::NoInstance => Code::InstanceNotFound,
        Obstacle::SameServer => Code::SameInstance,
        Obstacle::DifferentEngine => Code::DifferentEngine,
        Obstacle::DifferentRegion => Code::DifferentRegion,
        Obstacle::Class => Code::InstanceType,
        Obstacle::Busy | Obstacle::NotRunning => Code::InstanceStatus,
        Obstacle::Locked => Code::InstanceLocked,
        Obstacle::NoDatabase => Code::DbInfoMalformed,
        Obstacle::DatabaseLocked | Obstacle::DatabaseDown | Obstacle::NotEmpty => {
            Code::DatabaseStatus
        }
        Obstacle::Storage => Code::StorageQuota,
        Obstacle::NoCopy => Code::ImportNotFound,
        Obstacle::Ended => Code::ImportStatus,
        // The store takes no such text, so nothing is called that.
        Obstacle::Other(Refusal::Invalid(_)) => Code::InstanceNotFound,
        Obstacle::Other(Refusal::TooMany) => Code::ThrottlingUser,
        Obstacle::Other(Refusal::Fault(what)) => return fault(&what),
        Obstacle::Other(refusal) => return fault(&format!("{refusal:?}")),
    })
}

fn fault(what: &str) -> Error {
    tracing::error!(what, "a request failed");
    Error::new(Code::InternalError)
}
