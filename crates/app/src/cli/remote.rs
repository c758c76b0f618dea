//! A service as its client sees it: where it is, which key opens it, and what its answers mean.
//!
//! Promises: the key's secret is in no argument and no message; an answer that is no answer of ours is
//! told as that; every wait but that for a file's digest has a limit.

use std::time::Duration;

use clap::Args as ClapArgs;
use engine::endpoint::Secret;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, complain, connection, print, say};
use crate::http::problem::Document;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take. The longest that the service itself waits for is a server that does
/// not answer.
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// After which a connection without traffic is looked at.
const IDLE: Duration = Duration::from_secs(30);
/// The pause before the second try; it doubles from there, up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Which service, and who asks.
#[derive(Debug, ClapArgs)]
pub struct Server {
    /// The service
    #[arg(
        long,
        value_name = "URL",
        env = "DBFERRY_SERVER",
        default_value = "http://127.0.0.1:8686"
    )]
    server: String,
    /// The key's id; its secret is in DBFERRY_KEY_SECRET
    #[arg(long, value_name = "ID", env = "DBFERRY_KEY_ID")]
    key_id: Option<String>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// A service to be asked.
pub struct Remote {
    http: Client,
    base: Url,
    key_id: String,
    secret: Secret,
}

/// Why a command ends early.
#[derive(Debug)]
pub struct Trouble {
    /// What becomes of it.
    pub exit: Exit,
    /// For people.
    pub text: String,
    /// It may be over soon.
    pub is_passing: bool,
    /// The name of the service's problem; empty if it told none.
    pub problem: String,
}

impl Trouble {
    /// Wrong arguments.
    pub fn usage(text: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Usage, text: text.into(), is_passing: false, problem: String::new() }
    }

    /// A service that does not answer, or not as it should.
    pub fn unreachable(text: impl Into<String>) -> Trouble {
        Trouble {
            exit: Exit::NoServer,
            text: text.into(),
            is_passing: true,
            problem: String::new(),
        }
    }
}

impl Server {
    /// Somebody said which key asks.
    pub fn has_key(&self) -> bool {
        self.key_id.is_some()
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Trouble {
        // The URL is known, and the reasons lie below.
        Trouble::unreachable(crate::cause::told(&error.without_url()))
    }
}

/// Runs a command against a service; Ctrl-C and SIGTERM end it, here and not there.
pub fn run<F: Future<Output = Result<Exit, Trouble>>>(
    args: &Server,
    work: impl FnOnce(Remote) -> F,
) -> Exit {
    let remote = match Remote::new(args) {
        Ok(remote) => remote,
        Err(trouble) => return told(&trouble),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return told(&Trouble::usage(format!("start the runtime: {error}"))),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work(remote) => outcome,
            interrupted = interrupted() => interrupted,
        }
    });
    // A thread that reads a file may hang: the process does not wait for it.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|trouble| told(&trouble))
}

async fn interrupted() -> Result<Exit, Trouble> {
    let listen =
        |kind| signal(kind).map_err(|error| Trouble::usage(format!("listen for signals: {error}")));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    complain("interrupted; a job goes on");
    Ok(Exit::Interrupted)
}

fn told(trouble: &Trouble) -> Exit {
    complain(&trouble.text);
    trouble.exit
}

/// Prints a document on a line of its own.
pub fn print_json(document: &Value) {
    print(&format!("{document}\n"));
}

/// The pause before try number `tries + 1`.
pub fn pause(tries: u32) -> Duration {
    let (first, last) = PAUSES;
    first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(last)
}

impl Remote {
    fn new(args: &Server) -> Result<Remote, Trouble> {
        let base = base(&args.server)?;
        let missing = |name| Trouble::usage(format!("which key? set {name}"));
        let key_id = args.key_id.clone().ok_or_else(|| missing("DBFERRY_KEY_ID or --key-id"))?;
        let secret = connection::key_secret().ok_or_else(|| missing("DBFERRY_KEY_SECRET"))?;
        let mut http = Client::builder()
            .user_agent(concat!("dbferry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .tcp_keepalive(IDLE)
            // A key is not carried to another place.
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Without TLS no certificates are needed, which a small machine may not have.
            http = http.tls_certs_only([]);
            if !is_local(&base) {
                say("dbferry: warning: the key and the data go to the service without encryption");
            }
        }
        let http = http.build().map_err(|error| Trouble::usage(crate::cause::told(&error)))?;
        Ok(Remote { http, base, key_id, secret })
    }

    /// A request for `/api/v1/…`; the parts of the path are encoded.
    pub fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
    ) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        request.basic_auth(&self.key_id, Some(self.secret.reveal()))
    }

    /// Asks for a JSON document.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Value, Trouble> {
        let answer = self.send(request.timeout(ANSWER_MAX)).await?;
        document(answer).await
    }

    /// Asks; an answer that is a refusal is trouble.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let answer = request.send().await.map_err(|error| {
            let trouble = Trouble::from(error);
            let text = format!("reach the service at {}: {}", self.base, trouble.text);
            Trouble { text, ..trouble }
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refusal(answer).await)
    }
}

/// The JSON document of an answer.
pub async fn document(answer: Response) -> Result<Value, Trouble> {
    let bytes = answer.bytes().await?;
    let strange = |_| Trouble::unreachable("the service's answer is not one of dbferry's");
    serde_json::from_slice(&bytes).map_err(strange)
}

/// A document as the type that it is of.
pub fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Trouble> {
    let strange = |_| Trouble::unreachable("the service's answer is of another version");
    T::deserialize(document).map_err(strange)
}

async fn refusal(answer: Response) -> Trouble {
    let status = answer.status();
    let document: Option<Document> = match answer.bytes().await {
        Ok(bytes) => serde_json::from_slice(&bytes).ok(),
        Err(_) => None,
    };
    let name = document.as_ref().map(Document::name).unwrap_or_default();
    let exit = match (status, name) {
        (StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS, _) => Exit::NoServer,
        (_, "instance-down" | "wrong-login" | "") => Exit::NoServer,
        _ if status.is_server_error() => Exit::NoServer,
        _ => Exit::Usage,
    };
    let is_passing = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || matches!(name, "pending" | "receiving" | "wrong-offset" | "broken-off");
    let text = match &document {
        Some(document) => format!("the service refuses: {}", document.detail),
        None => format!("the service answers {status}, and not as dbferry does"),
    };
    Trouble { exit, text, is_passing, problem: name.to_owned() }
}

fn base(text: &str) -> Result<Url, Trouble> {
    let url = Url::parse(text)
        .map_err(|error| Trouble::usage(format!("the service's URL is not valid: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Trouble::usage("the service's URL begins with neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Trouble::usage("the key has no place in the service's URL"));
    }
    Ok(url)
}

/// Nobody can listen on the way.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_at_a_url_without_a_key() {
        for (text, local) in [
            ("http://127.0.0.1:8686", true),
            ("http://[::1]:1/", true),
            ("http://localhost", true),
            ("http://db.example", false),
            ("https://10.0.0.1/behind/", false),
        ] {
            assert_eq!(is_local(&base(text).unwrap()), local, "{text}");
        }
        for text in ["127.0.0.1:8686", "ftp://h", "", "http://", "http://id:secret@h"] {
            let trouble = base(text).unwrap_err();
            assert_eq!(trouble.exit, Exit::Usage, "{text}");
            assert!(!trouble.text.contains("secret"), "{}", trouble.text);
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pause(1), PAUSES.0);
        assert_eq!(pause(2), PAUSES.0 * 2);
        assert_eq!(pause(u32::MAX), PAUSES.1);
    }
}
