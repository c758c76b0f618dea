//! `dbferry instance` where a service is asked: the same commands by the native API, for the account
//! of the key.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Add, Command, Set, login, shown, tell};
use crate::cli::remote::{self, Remote, Trouble};
use crate::cli::{Exit, connection, print};
use crate::http::native::instances::{Engine, Instance, Instances, Status, Tls};
use crate::service::registry::Encryption;

/// Entries that are asked for at once.
const PAGE: usize = 1000;

/// Runs a command.
pub(super) async fn run(remote: &Remote, command: &Command) -> Result<Exit, Trouble> {
    match command {
        Command::Add(add) => {
            let request = registration(add).map_err(Trouble::usage)?;
            let post = remote.request(Method::POST, &["instances"], &[]).json(&request);
            ask(remote, post, add.at.server.json).await
        }
        Command::List(at) => list(remote, at.server.json).await,
        Command::Show(one) => {
            let get = remote.request(Method::GET, &["instances", &one.id], &[]);
            ask(remote, get, one.at.server.json).await
        }
        Command::Check(one) => {
            let post = remote.request(Method::POST, &["instances", &one.id, "check"], &[]);
            let found = remote.ask(post).await?;
            let instance = told(&found, one.at.server.json)?;
            match instance.status {
                Status::Running => Ok(Exit::Done),
                _ => Err(Trouble::unreachable(instance.problem.unwrap_or_default())),
            }
        }
        Command::Set(set) => {
            let change = change(set).map_err(Trouble::usage)?;
            let patch = remote.request(Method::PATCH, &["instances", &set.id], &[]).json(&change);
            ask(remote, patch, set.at.server.json).await
        }
        Command::Remove(one) => {
            remote.send(remote.request(Method::DELETE, &["instances", &one.id], &[])).await?;
            Ok(Exit::Done)
        }
    }
}

async fn ask(remote: &Remote, request: RequestBuilder, as_json: bool) -> Result<Exit, Trouble> {
    told(&remote.ask(request).await?, as_json).map(|_instance| Exit::Done)
}

/// Prints an instance; gives it.
fn told(document: &Value, as_json: bool) -> Result<Instance, Trouble> {
    let instance: Instance = remote::read(document)?;
    match as_json {
        true => remote::print_json(document),
        false => tell(&instance),
    }
    Ok(instance)
}

async fn list(remote: &Remote, as_json: bool) -> Result<Exit, Trouble> {
    let mut all = Vec::new();
    loop {
        let query = [("limit", PAGE.to_string()), ("offset", all.len().to_string())];
        let document = remote.ask(remote.request(Method::GET, &["instances"], &query)).await?;
        let page: Instances = remote::read(&document)?;
        let is_last = page.instances.len() < PAGE;
        all.extend(page.instances);
        if is_last {
            break;
        }
    }
    if as_json {
        remote::print_json(&json!({"total": all.len(), "instances": all}));
    } else {
        all.iter().for_each(|instance| print(&shown(instance)));
    }
    Ok(Exit::Done)
}

/// What `POST /instances` takes.
fn registration(add: &Add) -> Result<Value, String> {
    let mut request = server(&add.url)?;
    let name = add.name.clone().unwrap_or_else(|| add.id.clone());
    let fields = json!({
        "id": add.id, "name": name, "region": add.region, "zone": add.zone, "class": add.class,
        "storage_gb": add.storage_gb,
    });
    extend(&mut request, fields);
    Ok(request)
}

/// What `PATCH /instances/ID` takes.
fn change(set: &Set) -> Result<Value, String> {
    let mut request = match &set.url {
        Some(url) => server(url)?,
        None => json!({}),
    };
    if let Some(password) = set.password()? {
        extend(&mut request, json!({"password": password.reveal()}));
    }
    extend(
        &mut request,
        json!({
            "name": set.name, "region": set.region, "zone": set.zone, "class": set.class,
            "storage_gb": set.storage_gb,
        }),
    );
    Ok(request)
}

/// What a URL says of a server. The service takes no names of files and sockets.
fn server(url: &str) -> Result<Value, String> {
    let (engine, endpoint, query) = login(url)?;
    let is_tls = |option: &str| option.is_empty() || option.starts_with("tls=");
    if !query.split('&').all(is_tls) {
        return Err("a service takes only tls= of a URL's options; the others are for --account, \
                    which opens the store itself"
            .to_owned());
    }
    let tls = Tls::from(Encryption::of(&endpoint));
    let password = match &endpoint.password {
        Some(password) => Some(password.clone()),
        None => connection::account_password(None, false, &endpoint.user)?,
    };
    Ok(json!({
        "engine": Engine::from(engine), "host": endpoint.host, "port": endpoint.port, "tls": tls,
        "user": endpoint.user, "password": password.as_ref().map(|password| password.reveal()),
    }))
}

fn extend(request: &mut Value, fields: Value) {
    if let (Value::Object(request), Value::Object(fields)) = (request, fields) {
        request.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
}
