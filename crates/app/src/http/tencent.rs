//! Tencent's dialect over HTTP: who asks, what for, and the answer in its words.
//!
//! Promises: nothing is done before the signature is checked; the order of checks is the cloud's
//! (credentials, signature, replay, action and parameters, region, rate). What an action does is
//! the service's; which code a refusal gets is decided here, by action where the API's document
//! lists others.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::{InstanceFilter, JobFilter, NewAudit, UploadState};
use wire::form;
use wire::request::Request;
use wire::tencent::call::{self, Action, Call};
use wire::tencent::code::Code;
use wire::tencent::credentials::{Credentials, TC3_BODY_MAX};
use wire::tencent::error::{Error, Result};
use wire::tencent::job_id::JobId;
use wire::tencent::language::Language;
use wire::tencent::parameters::PARAMETERS_MAX;
use wire::tencent::region::{self, FinanceHosts};
use wire::tencent::reply::{self, Database, Reply, SqlFileInfo, UploadInfo};
use wire::tencent::state::{InstanceStatus, InstanceTask, TASK_TYPE_NUMBER};

use super::alibaba;
use super::visit::{Answered, RequestId};
use crate::app::App;
use crate::config;
use crate::fetch::{self, Address};
use crate::service::imports::{self, NewImport, Origin};
use crate::service::{Range, Refusal, instances, uploads};

pub mod record;

/// Instances that one answer is chosen from; an account with more sees the first of them.
const INSTANCES_MAX: u64 = store::PAGE_MAX as u64;

/// Bytes beyond the largest body that are read and dropped, so that whoever sends too much can read
/// the answer: closing a connection over unread bytes would take it away.
const SURPLUS_MAX: usize = 32 << 20;

/// Answers a request to `/`, and whatever else is no route of ours.
pub async fn answer(
    State(app): State<Arc<App>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers: Vec<(&str, &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    // One byte more than is allowed is enough to see that it is too much.
    let body = bytes_of(body, TC3_BODY_MAX + 1).await;
    let request = Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers,
        body: body.as_deref().unwrap_or_default(),
    };
    if wire::alibaba::recognises(&request) {
        return alibaba::answer(&app, &request, body.is_some(), &request_id).await;
    }
    if !wire::tencent::recognises(&request) {
        return (StatusCode::NOT_FOUND, "dbferry: there is nothing here\n").into_response();
    }
    let language = Language::of(&request);
    let mut action = None;
    let result = match &body {
        Some(_) => handle(&app, &request, &mut action).await,
        None => Err(Error::new(Code::InvalidRequest)),
    };
    let rendered = reply::render(&result, &request_id, language);
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
    // Clients that send one look for it in the answer.
    if let Some(trace) = parts.headers.get("x-tc-traceid") {
        headers.insert("x-tc-traceid", trace.clone());
    }
    let mut response = (status, headers, rendered.body).into_response();
    response.extensions_mut().insert(answered(action, &result));
    response
}

/// For the log and the figures.
fn answered(action: Option<&'static str>, result: &Result<Reply>) -> Answered {
    let code = result.as_ref().err().map(|error| error.code().word());
    let status = match code {
        None => "2xx",
        Some(code) if code.starts_with("InternalError") => "5xx",
        Some(_) => "4xx",
    };
    Answered { dialect: "tencent", action, status, code: code.map(Cow::Borrowed) }
}

/// The body, cut off after `most` bytes; nothing if it broke off or took too long.
async fn bytes_of(body: Body, most: usize) -> Option<Vec<u8>> {
    use futures_util::StreamExt;
    let mut stream = body.into_data_stream();
    let (mut bytes, mut surplus) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(_) if bytes.len() == most => break,
            Err(_) => return None,
        };
        let room = chunk.len().min(most - bytes.len());
        bytes.extend_from_slice(&chunk[..room]);
        surplus += chunk.len() - room;
        if surplus > SURPLUS_MAX {
            break;
        }
    }
    Some(bytes)
}

/// Answers a request, and says in `asked` for which action once that is known.
async fn handle(
    app: &App,
    request: &Request<'_>,
    asked: &mut Option<&'static str>,
) -> Result<Reply> {
    let (key_id, account) = authenticate(app, request).await?;
    let call = Call::read(request)?;
    *asked = Some(call.action.name());
    let hosts = match app.settings.finance_hosts {
        config::FinanceHosts::Any => FinanceHosts::Any,
        config::FinanceHosts::NamedOrLocal => FinanceHosts::NamedOrLocal,
        config::FinanceHosts::Named => FinanceHosts::Named,
    };
    let host = request.header_text("host").unwrap_or_default();
    if let Some(region) = &call.region
        && !region::region_allowed(region, host, hosts)
    {
        return Err(Error::new(Code::UnsupportedRegion));
    }
    let action = &call.action;
    let now = app.clock.uptime();
    if app.rates.take(&key_id, action.name(), action.per_second(), now).is_none() {
        return Err(Error::new(Code::RequestLimitExceeded));
    }
    let (name, object) = (action.name(), object_of(action));
    let result = act(app, account, call.action).await;
    if let Some(object) = object {
        let outcome = result.as_ref().err().map_or("done", |error| error.code().word());
        let entry = NewAudit {
            account: Some(account),
            actor: &key_id,
            action: name,
            object: &object,
            outcome,
        };
        if let Err(error) = app.store.append_audit(&entry, app.clock.now_ms()).await {
            tracing::warn!(error = crate::cause::told(&error), "write the audit log");
        }
    }
    result
}

/// What an action is about, if it changes something: that goes into the audit log.
fn object_of(action: &Action) -> Option<String> {
    match action {
        Action::CreateDbImportJob(asked) => Some(asked.instance_id.clone()),
        Action::CreateDatabase(asked) => Some(asked.instance_id.clone()),
        Action::StopDbImportJob(id) => Some(id.hex()),
        _ => None,
    }
}

/// The key and the account of whoever signed the request.
async fn authenticate(app: &App, request: &Request<'_>) -> Result<(String, i64)> {
    let credentials = Credentials::read(request)?;
    let known = match app.store.credentials(&credentials.key_id).await {
        Ok(known) if known.enabled => known,
        Ok(_) | Err(store::Error::NotFound | store::Error::Invalid { .. }) => {
            return Err(Error::new(Code::SecretIdNotFound));
        }
        Err(error) => return Err(fault(&crate::cause::told(&error))),
    };
    let secret = known.secret.text().map_err(|error| fault(&crate::cause::told(&error)))?;
    let now = app.clock.now_secs();
    credentials.verify(secret, now, request)?;
    if let Some(nonce) = credentials.nonce {
        let (key_id, at) = (&credentials.key_id, credentials.timestamp);
        let once = format!("{nonce} {}", v1_signature(request));
        let is_new = app.store.remember_nonce(key_id, &once, at, now).await;
        if !is_new.map_err(|error| fault(&crate::cause::told(&error)))? {
            return Err(Error::new(Code::SignatureFailure));
        }
    }
    Ok((credentials.key_id, known.account))
}

/// The signature of a v1 request whose credentials have been read; with the nonce it tells a request
/// that is sent again from another one. The nonce alone does not: that of Tencent's Node.js SDK has
/// 16 bits, so a few hundred requests have two of the same.
fn v1_signature(request: &Request<'_>) -> String {
    let text = if request.method == "GET" { request.query.as_bytes() } else { request.body };
    let pairs = form::pairs(text, PARAMETERS_MAX).unwrap_or_default();
    let signature = pairs.into_iter().find(|(name, _)| name == "Signature");
    // Both spellings of a plus are accepted.
    signature.map(|(_, value)| value.replace(' ', "+")).unwrap_or_default()
}

async fn act(app: &App, account: i64, action: Action) -> Result<Reply> {
    match action {
        Action::CreateDbImportJob(asked) => create_import(app, account, asked).await,
        Action::DescribeDbImportRecords(asked) => import_records(app, account, asked).await,
        Action::StopDbImportJob(id) => stop_import(app, account, id).await,
        Action::DescribeAsyncRequestInfo(id) => async_request(app, account, id).await,
        Action::DescribeTasks(asked) => tasks(app, account, asked).await,
        Action::DescribeUploadedFiles(asked) => uploaded_files(app, account, asked).await,
        Action::DescribeDbInstances(asked) => db_instances(app, account, asked).await,
        Action::DescribeDatabases(asked) => databases(app, account, asked).await,
        Action::DescribeTables(asked) => tables(app, account, asked).await,
        Action::DescribeTableColumns(asked) => table_columns(app, account, asked).await,
        Action::CreateDatabase(asked) => create_database(app, account, asked).await,
    }
}

async fn create_import(app: &App, account: i64, asked: call::CreateDbImportJob) -> Result<Reply> {
    let origin = origin(&asked)?;
    let new = NewImport {
        instance: asked.instance_id,
        user: Some(asked.user),
        password: asked.password.map(|password| password.reveal().to_owned()),
        origin,
        database: asked.database,
        request: None,
    };
    let import = imports::create(app, account, new).await.map_err(|refusal| match refusal {
        Refusal::NoSource(error) => no_source(&error),
        Refusal::NoFile => Error::value(Code::InvalidParameter, "FileName"),
        Refusal::NoDatabase => Error::value(Code::InvalidParameter, "DbName"),
        other => refused(other),
    })?;
    let async_request_id = record::id_of(&import.job)?;
    Ok(Reply::CreateDbImportJob { async_request_id })
}

/// Where the file comes from. Of a name and a URL the name counts: Terraform's own test sends both.
fn origin(asked: &call::CreateDbImportJob) -> Result<Origin> {
    match (&asked.file_name, &asked.cos_url) {
        (Some(name), _) => Ok(Origin::Upload(name.clone())),
        (None, Some(url)) => {
            let address = Address::parse(url.reveal()).map_err(|error| no_source(&error))?;
            match address.object() {
                None => Ok(Origin::Url(address)),
                // The cloud takes what its users could open in a browser.
                Some(_) => Err(no_source(&fetch::Error::ForbiddenObject)),
            }
        }
        (None, None) => Err(Error::missing("FileName")),
    }
}

fn no_source(error: &fetch::Error) -> Error {
    let english = format!("Nothing can be fetched from `CosUrl`: {error}.");
    Error::said(Code::InvalidParameter, english, format!("无法从`CosUrl`获取文件：{error}。"))
}

async fn import_records(
    app: &App,
    account: i64,
    asked: call::DescribeDbImportRecords,
) -> Result<Reply> {
    instances::find(app, account, &asked.instance_id).await.map_err(refused)?;
    let filter = JobFilter {
        instance: Some(&asked.instance_id),
        created_from: asked.start_time.map(|at| at * 1000),
        created_to: asked.end_time.map(|at| at * 1000 + 999),
        ..JobFilter::ALL
    };
    let page = imports::list(app, account, filter, range(asked.page)).await.map_err(refused)?;
    let now = app.clock.now_ms();
    let items =
        page.items.iter().map(|import| record::record(import, now)).collect::<Result<_>>()?;
    Ok(Reply::DescribeDbImportRecords { total_count: page.total, items })
}

async fn stop_import(app: &App, account: i64, id: JobId) -> Result<Reply> {
    match imports::stop(app, account, &id.hex()).await {
        Ok(()) => Ok(Reply::Done {}),
        Err(Refusal::Ended) => Err(Error::new(Code::CdbImportError)),
        Err(refusal) => Err(refused(refusal)),
    }
}

async fn async_request(app: &App, account: i64, id: JobId) -> Result<Reply> {
    let import = imports::find(app, account, &id.hex()).await.map_err(refused)?;
    let status = record::state_of(&import.job);
    Ok(Reply::DescribeAsyncRequestInfo { status, info: record::message(&import) })
}

async fn tasks(app: &App, account: i64, asked: call::DescribeTasks) -> Result<Reply> {
    if let Some(instance) = &asked.instance_id {
        instances::find(app, account, instance).await.map_err(refused)?;
    }
    let is_asked = asked.task_types.is_empty() || asked.task_types.contains(&TASK_TYPE_NUMBER);
    let states = record::states(&asked.task_statuses);
    if !is_asked || (states.is_empty() && !asked.task_statuses.is_empty()) {
        return Ok(Reply::DescribeTasks { total_count: 0, items: Vec::new() });
    }
    let one = match asked.job_id {
        Some(id) => match imports::find(app, account, &id.hex()).await {
            Ok(import) => Some([import.job.id]),
            Err(Refusal::NoJob) => {
                return Ok(Reply::DescribeTasks { total_count: 0, items: Vec::new() });
            }
            Err(refusal) => return Err(refused(refusal)),
        },
        None => None,
    };
    let filter = JobFilter {
        instance: asked.instance_id.as_deref(),
        states: &states,
        created_from: asked.start_time_begin.map(|at| at * 1000),
        created_to: asked.start_time_end.map(|at| at * 1000 + 999),
        ids: one.as_ref().map(<[i64; 1]>::as_slice).unwrap_or_default(),
        ..JobFilter::ALL
    };
    let page = imports::list(app, account, filter, range(asked.page)).await.map_err(refused)?;
    let items = page.items.iter().map(record::task).collect::<Result<_>>()?;
    Ok(Reply::DescribeTasks { total_count: page.total, items })
}

async fn uploaded_files(
    app: &App,
    account: i64,
    asked: call::DescribeUploadedFiles,
) -> Result<Reply> {
    let owner = app.store.account(account).await.map_err(|error| refused(error.into()))?;
    if asked.path != owner.uin().to_string() {
        return Err(Error::value(Code::InvalidParameter, "Path"));
    }
    let page = uploads::list(app, account, range(asked.page)).await.map_err(refused)?;
    let items = page.items.iter().map(|upload| {
        let is_upload_finished = upload.state == UploadState::Finished;
        SqlFileInfo {
            upload_time: upload.created_at / 1000,
            upload_info: UploadInfo {
                all_slice_num: 1,
                complete_num: u64::from(is_upload_finished),
            },
            file_name: upload.name.clone(),
            file_size: upload.size_bytes.unwrap_or(upload.received_bytes),
            is_upload_finished,
            file_id: upload.storage_key.clone(),
        }
    });
    Ok(Reply::DescribeUploadedFiles { total_count: page.total, items: items.collect() })
}

async fn db_instances(app: &App, account: i64, asked: call::DescribeDbInstances) -> Result<Reply> {
    let filter = InstanceFilter {
        ids: &asked.instance_ids,
        names: &asked.instance_names,
        ..InstanceFilter::ALL
    };
    let all = Range { offset: 0, limit: INSTANCES_MAX };
    let found = instances::list(app, account, &filter, all).await.map_err(refused)?.items;
    let busy = instances::busy(app).await.map_err(refused)?;
    let mut shown: Vec<_> = found
        .iter()
        .filter(|instance| instance.engine != store::Engine::SqlServer)
        .map(|instance| record::instance(instance, busy.contains(&instance.id)))
        .filter(|instance| record::is_asked(instance, &asked))
        .collect();
    record::sort(&mut shown, &asked);
    let total_count = shown.len() as u64;
    Ok(Reply::DescribeDbInstances { total_count, items: range(asked.page).of(shown) })
}

async fn databases(app: &App, account: i64, asked: call::DescribeDatabases) -> Result<Reply> {
    let instance = instances::find(app, account, &asked.instance_id).await.map_err(refused)?;
    let all = instances::databases(app, &instance, instances::ANSWER_MAX).await.map_err(refused)?;
    let matches = record::pattern(asked.pattern.as_deref(), "DatabaseRegexp")?;
    let all: Vec<Database> = all
        .into_iter()
        .filter(|database| matches(&database.name))
        .map(|found| Database { database_name: found.name, character_set: found.charset })
        .collect();
    Ok(Reply::databases(all.len() as u64, range(asked.page).of(all)))
}

async fn tables(app: &App, account: i64, asked: call::DescribeTables) -> Result<Reply> {
    let instance = instances::find(app, account, &asked.instance_id).await.map_err(refused)?;
    let all = instances::tables(app, &instance, &asked.database).await.map_err(refused)?;
    let matches = record::pattern(asked.pattern.as_deref(), "TableRegexp")?;
    let all: Vec<String> = all.into_iter().filter(|table| matches(table)).collect();
    let total_count = all.len() as u64;
    Ok(Reply::DescribeTables { total_count, items: range(asked.page).of(all) })
}

async fn table_columns(
    app: &App,
    account: i64,
    asked: call::DescribeTableColumns,
) -> Result<Reply> {
    let wrong = |name| Err(Error::value(Code::InvalidParameterValueError, name));
    let found = instances::find(app, account, &asked.instance_id).await;
    let instance = match found {
        Err(Refusal::NoInstance) => return wrong("InstanceId"),
        found => found.map_err(refused)?,
    };
    let items = instances::columns(app, &instance, &asked.database, &asked.table).await;
    let items = items.map_err(refused)?;
    if items.is_empty() {
        return wrong("Table");
    }
    Ok(Reply::DescribeTableColumns { total_count: items.len() as u64, items })
}

async fn create_database(app: &App, account: i64, asked: call::CreateDatabase) -> Result<Reply> {
    let instance = instances::find(app, account, &asked.instance_id).await.map_err(refused)?;
    let (name, charset) = (&asked.database, &asked.character_set);
    match instances::create_database(app, &instance, name, charset).await {
        Ok(()) => Ok(Reply::Done {}),
        Err(Refusal::Exists) => Err(Error::value(Code::ExceptionParam, "DBName")),
        Err(refusal) => Err(refused(refusal)),
    }
}

fn range(page: call::Page) -> Range {
    Range { offset: page.offset, limit: page.limit }
}

/// The code of a refusal where the action has no other. None of them is one that Terraform sends
/// the request again for.
fn refused(refusal: Refusal) -> Error {
    let code = match refusal {
        Refusal::NoInstance => Code::InstanceNotFound,
        Refusal::NoJob => Code::InvalidAsyncRequestId,
        Refusal::NoFile | Refusal::NoDatabase | Refusal::Invalid(_) => Code::InvalidParameter,
        Refusal::NoSource(_) => Code::InvalidParameter,
        Refusal::Exists | Refusal::TooLarge | Refusal::WrongOffset(_) => Code::InvalidParameter,
        Refusal::Receiving | Refusal::BrokenOff(_) => Code::InvalidParameter,
        Refusal::Pending | Refusal::OtherRequest => Code::InvalidParameter,
        Refusal::PasswordMissing | Refusal::NotAllowed => Code::InvalidParameter,
        Refusal::InUse => Code::WrongStatus,
        Refusal::TooMany => Code::RequestLimitExceeded,
        Refusal::WrongEngine => Code::ActionNotSupport,
        Refusal::InstanceDown | Refusal::Busy => Code::WrongStatus,
        Refusal::WrongLogin => Code::WrongPassword,
        Refusal::Ended => Code::WrongStatus,
        Refusal::Server(_) => Code::ExeSqlError,
        Refusal::Fault(what) => return fault(&what),
    };
    Error::new(code)
}

fn fault(what: &str) -> Error {
    tracing::error!(what, "a request failed");
    Error::new(Code::InternalError)
}
