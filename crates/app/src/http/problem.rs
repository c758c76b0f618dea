//! Refusals as problem documents (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{ToResponse, ToSchema};

use crate::service::Refusal;
use crate::service::copies::Obstacle;

/// What all types of problems begin with.
const TYPE: &str = "urn:dbferry:problem:";
/// Seconds after which a request that came at a bad time may come again.
const RETRY_SECONDS: u32 = 1;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: Kind,
    detail: String,
    /// Bytes of an upload that have come.
    received: Option<u64>,
}

/// Which problem it is
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemType)]
pub enum Kind {
    /// No key was shown, or one that does not open.
    #[serde(rename = "urn:dbferry:problem:no-key")]
    NoKey,
    /// There is nothing at the path.
    #[serde(rename = "urn:dbferry:problem:no-such-path")]
    NoSuchPath,
    /// The path does not take the method.
    #[serde(rename = "urn:dbferry:problem:no-such-method")]
    NoSuchMethod,
    /// The body is said to be something else than JSON.
    #[serde(rename = "urn:dbferry:problem:not-json")]
    NotJson,
    /// Something in the request is malformed.
    #[serde(rename = "urn:dbferry:problem:invalid")]
    Invalid,
    /// The account has no such instance.
    #[serde(rename = "urn:dbferry:problem:no-instance")]
    NoInstance,
    /// The account has no such job.
    #[serde(rename = "urn:dbferry:problem:no-job")]
    NoJob,
    /// The account has no such file, or it is not finished.
    #[serde(rename = "urn:dbferry:problem:no-file")]
    NoFile,
    /// Nothing can be fetched from the URL.
    #[serde(rename = "urn:dbferry:problem:no-source")]
    NoSource,
    /// The server has no such database, or the login may not enter it.
    #[serde(rename = "urn:dbferry:problem:no-database")]
    NoDatabase,
    /// The instance's engine cannot do this.
    #[serde(rename = "urn:dbferry:problem:wrong-engine")]
    WrongEngine,
    /// The instance's server does not answer.
    #[serde(rename = "urn:dbferry:problem:instance-down")]
    InstanceDown,
    /// A job works on the instance.
    #[serde(rename = "urn:dbferry:problem:busy")]
    Busy,
    /// The instance's server refuses the login.
    #[serde(rename = "urn:dbferry:problem:wrong-login")]
    WrongLogin,
    /// The instance's server refuses; its error number is told.
    #[serde(rename = "urn:dbferry:problem:server-error")]
    ServerError,
    /// Both instances are the same, or lead to the same server.
    #[serde(rename = "urn:dbferry:problem:same-server")]
    SameServer,
    /// The server, or one of its databases, takes no writes.
    #[serde(rename = "urn:dbferry:problem:read-only")]
    ReadOnly,
    /// A database holds something, and is not to be replaced.
    #[serde(rename = "urn:dbferry:problem:not-empty")]
    NotEmpty,
    /// The instance has no room for the databases.
    #[serde(rename = "urn:dbferry:problem:no-room")]
    NoRoom,
    /// The job has ended.
    #[serde(rename = "urn:dbferry:problem:ended")]
    Ended,
    /// It is there already.
    #[serde(rename = "urn:dbferry:problem:exists")]
    Exists,
    /// It is larger than is allowed.
    #[serde(rename = "urn:dbferry:problem:too-large")]
    TooLarge,
    /// The file is being sent by another request.
    #[serde(rename = "urn:dbferry:problem:receiving")]
    Receiving,
    /// The part does not begin where the file goes on.
    #[serde(rename = "urn:dbferry:problem:wrong-offset")]
    WrongOffset,
    /// The body broke off.
    #[serde(rename = "urn:dbferry:problem:broken-off")]
    BrokenOff,
    /// The first request with the idempotency key is still worked on.
    #[serde(rename = "urn:dbferry:problem:pending")]
    Pending,
    /// The idempotency key was used for another request.
    #[serde(rename = "urn:dbferry:problem:other-request")]
    OtherRequest,
    /// The key asks more often than it may.
    #[serde(rename = "urn:dbferry:problem:too-often")]
    TooOften,
    /// A job that has not ended uses the instance.
    #[serde(rename = "urn:dbferry:problem:in-use")]
    InUse,
    /// The operator does not allow it.
    #[serde(rename = "urn:dbferry:problem:not-allowed")]
    NotAllowed,
    /// The account has as many event streams open, or sends as many files, as it may.
    #[serde(rename = "urn:dbferry:problem:too-many")]
    TooMany,
    /// The service is at fault.
    #[serde(rename = "urn:dbferry:problem:fault")]
    Fault,
}

/// Why something was not done (RFC 9457)
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Which problem it is
    #[serde(rename = "type")]
    #[schema(value_type = Kind)]
    pub kind: String,
    /// The status in words
    pub title: String,
    /// The status of the answer
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong, for people
    pub detail: String,
    /// Bytes of the upload that have come: where the next part has to begin
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub received_bytes: Option<u64>,
}

/// Which problem an answer tells, among the answer's extensions.
#[derive(Debug, Clone)]
pub struct Told(pub String);

/// It was not done: a problem document says why
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "it describes what `Problem` becomes")]
pub struct Refused(Document);

/// The key asks more often than it may, or the account waits for as much as it may. Nothing was done
#[derive(ToResponse)]
#[response(
    content_type = "application/problem+json",
    headers(
        ("Retry-After" = u32, description = "Seconds after which it may be tried again"),
        ("RateLimit" = String, description = "What the key has left: `\"reads\";r=0;t=1`"),
        ("RateLimit-Policy" = String, description = "What it has in all: `\"reads\";q=1000;w=1`"),
    ),
)]
#[expect(dead_code, reason = "it describes what `Problem` becomes")]
pub struct TooMany(Document);

impl Problem {
    /// A problem in our own words.
    pub fn new(status: StatusCode, kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { status, kind, detail: detail.into(), received: None }
    }
}

impl Kind {
    /// As documents have it.
    fn urn(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(urn)) => urn,
            _ => "about:blank".to_owned(),
        }
    }
}

impl Document {
    /// The problem's name without what all begin with.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix(TYPE).unwrap_or(&self.kind)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        const CONFLICT: StatusCode = StatusCode::CONFLICT;
        const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
        let (status, kind, detail) = match refusal {
            Refusal::NoInstance => (NOT_FOUND, Kind::NoInstance, "there is no such instance"),
            Refusal::NoJob => (NOT_FOUND, Kind::NoJob, "there is no such job"),
            Refusal::NoFile => (NOT_FOUND, Kind::NoFile, "there is no such file"),
            Refusal::NoDatabase => (NOT_FOUND, Kind::NoDatabase, "there is no such database"),
            Refusal::WrongEngine => (CONFLICT, Kind::WrongEngine, "not on this engine"),
            Refusal::InstanceDown => (CONFLICT, Kind::InstanceDown, "the server does not answer"),
            Refusal::Busy => (CONFLICT, Kind::Busy, "an import runs on the instance"),
            Refusal::WrongLogin => (CONFLICT, Kind::WrongLogin, "the server refuses the login"),
            Refusal::InUse => (CONFLICT, Kind::InUse, "a job that has not ended uses the instance"),
            Refusal::PasswordMissing => (
                StatusCode::BAD_REQUEST,
                Kind::Invalid,
                "engine, host, port, tls and user are changed together with the password",
            ),
            Refusal::NotAllowed => {
                (StatusCode::FORBIDDEN, Kind::NotAllowed, "this is for the operator")
            }
            Refusal::Ended => (CONFLICT, Kind::Ended, "the job has ended"),
            Refusal::Exists => (CONFLICT, Kind::Exists, "it is there already"),
            Refusal::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, Kind::TooLarge, "it is larger than is allowed here")
            }
            Refusal::Receiving => {
                (CONFLICT, Kind::Receiving, "the file is being sent by another request")
            }
            Refusal::Pending => {
                (CONFLICT, Kind::Pending, "the first request with this key is still worked on")
            }
            Refusal::OtherRequest => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Kind::OtherRequest,
                "the key was used for another request",
            ),
            Refusal::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, Kind::TooMany, "too many of these are open at once")
            }
            Refusal::NoSource(error) => {
                let detail = format!("nothing can be fetched from the URL: {error}");
                return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Kind::NoSource, detail);
            }
            Refusal::Invalid(what) => {
                let detail = format!("{what} is not valid");
                return Problem::new(StatusCode::BAD_REQUEST, Kind::Invalid, detail);
            }
            Refusal::WrongOffset(received) => {
                let detail = format!("the file goes on at byte {received}");
                let problem = Problem::new(CONFLICT, Kind::WrongOffset, detail);
                return Problem { received: Some(received), ..problem };
            }
            Refusal::BrokenOff(how) => {
                tracing::info!(how, "an upload broke off");
                (StatusCode::BAD_REQUEST, Kind::BrokenOff, "the body broke off")
            }
            Refusal::Server(code) => {
                return Problem::new(CONFLICT, Kind::ServerError, format!("server error {code}"));
            }
            Refusal::Fault(what) => {
                tracing::error!(what, "a request failed");
                let detail = "the service is at fault; see its log";
                (StatusCode::INTERNAL_SERVER_ERROR, Kind::Fault, detail)
            }
        };
        Problem::new(status, kind, detail)
    }
}

impl From<Obstacle> for Problem {
    fn from(obstacle: Obstacle) -> Problem {
        let (kind, detail) = match obstacle {
            Obstacle::NoInstance => return Refusal::NoInstance.into(),
            Obstacle::NoDatabase => return Refusal::NoDatabase.into(),
            Obstacle::NotRunning => return Refusal::InstanceDown.into(),
            Obstacle::NoCopy => return Refusal::NoJob.into(),
            Obstacle::Ended => return Refusal::Ended.into(),
            Obstacle::Other(refusal) => return refusal.into(),
            Obstacle::SameServer => (Kind::SameServer, "both instances are the same server"),
            Obstacle::DifferentEngine => (Kind::WrongEngine, "the engines differ"),
            Obstacle::DifferentRegion => (Kind::Invalid, "the instances are in different regions"),
            Obstacle::Class => (Kind::Invalid, "instances of this class are not copied"),
            Obstacle::Busy => (Kind::Busy, "a job works on one of the instances"),
            Obstacle::Locked => (Kind::ReadOnly, "the target takes no writes"),
            Obstacle::DatabaseLocked => (Kind::ReadOnly, "a database takes no writes"),
            Obstacle::DatabaseDown => (Kind::InstanceDown, "a database is not online"),
            Obstacle::NotEmpty => {
                (Kind::NotEmpty, "a database of the target holds something; replace lets it go")
            }
            Obstacle::Storage => (Kind::NoRoom, "the target has no room for the databases"),
        };
        Problem::new(StatusCode::CONFLICT, kind, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind.urn();
        let told = Told(kind.strip_prefix(TYPE).unwrap_or(&kind).to_owned());
        let document = Document {
            kind,
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            received_bytes: self.received,
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, media_type, body).into_response();
        response.extensions_mut().insert(told);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Basic realm=\"dbferry\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_SECONDS.into());
        }
        response
    }
}
