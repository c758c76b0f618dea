//! Refusals as problem documents (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{ToResponse, ToSchema};

use crate::service::Refusal;

/// What all types of problems begin with.
const TYPE: &str = "urn:dbferry:problem:";
/// Seconds after which a request that came at a bad time may come again.
const RETRY_SECONDS: u32 = 1;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    detail: String,
    /// Bytes of an upload that have come.
    received: Option<u64>,
}

/// Why something was not done (RFC 9457)
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Which problem it is: `urn:dbferry:problem:` and a name that stays
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:dbferry:problem:[a-z-]+$")]
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

/// It was not done: a problem document says why
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "it describes what `Problem` becomes")]
pub struct Refused(Document);

impl Problem {
    /// A problem in our own words.
    pub fn new(status: StatusCode, name: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, name, detail: detail.into(), received: None }
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
        let (status, name, detail) = match refusal {
            Refusal::NoInstance => (NOT_FOUND, "no-instance", "there is no such instance"),
            Refusal::NoJob => (NOT_FOUND, "no-job", "there is no such job"),
            Refusal::NoFile => (NOT_FOUND, "no-file", "there is no such file"),
            Refusal::NoDatabase => (NOT_FOUND, "no-database", "there is no such database"),
            Refusal::WrongEngine => (CONFLICT, "wrong-engine", "not on this engine"),
            Refusal::InstanceDown => (CONFLICT, "instance-down", "the server does not answer"),
            Refusal::Busy => (CONFLICT, "busy", "an import runs on the instance"),
            Refusal::WrongLogin => (CONFLICT, "wrong-login", "the server refuses the login"),
            Refusal::Ended => (CONFLICT, "ended", "the job has ended"),
            Refusal::Exists => (CONFLICT, "exists", "it is there already"),
            Refusal::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "it is larger than is allowed here")
            }
            Refusal::Receiving => {
                (CONFLICT, "receiving", "the file is being sent by another request")
            }
            Refusal::Pending => {
                (CONFLICT, "pending", "the first request with this key is still worked on")
            }
            Refusal::OtherRequest => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "other-request",
                "the key was used for another request",
            ),
            Refusal::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many", "too many event streams are open")
            }
            Refusal::Invalid(what) => {
                let detail = format!("{what} is not valid");
                return Problem::new(StatusCode::BAD_REQUEST, "invalid", detail);
            }
            Refusal::WrongOffset(received) => {
                let detail = format!("the file goes on at byte {received}");
                let problem = Problem::new(CONFLICT, "wrong-offset", detail);
                return Problem { received: Some(received), ..problem };
            }
            Refusal::BrokenOff(how) => {
                tracing::info!(how, "an upload broke off");
                (StatusCode::BAD_REQUEST, "broken-off", "the body broke off")
            }
            Refusal::Server(code) => {
                return Problem::new(CONFLICT, "server-error", format!("server error {code}"));
            }
            Refusal::Fault(what) => {
                tracing::error!(what, "a request failed");
                let detail = "the service is at fault; see its log";
                (StatusCode::INTERNAL_SERVER_ERROR, "fault", detail)
            }
        };
        Problem::new(status, name, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            kind: format!("{TYPE}{}", self.name),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            received_bytes: self.received,
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, media_type, body).into_response();
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
