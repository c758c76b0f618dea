//! Refusals as problem documents (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::service::Refusal;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Bytes of an upload that have come.
    received: Option<u64>,
}

impl Problem {
    /// A problem in our own words.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), received: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let (status, detail) = match refusal {
            Refusal::NoInstance => (StatusCode::NOT_FOUND, "there is no such instance".to_owned()),
            Refusal::NoJob => (StatusCode::NOT_FOUND, "there is no such job".to_owned()),
            Refusal::NoFile => (StatusCode::NOT_FOUND, "there is no such file".to_owned()),
            Refusal::NoDatabase => (StatusCode::NOT_FOUND, "there is no such database".to_owned()),
            Refusal::Invalid(what) => (StatusCode::BAD_REQUEST, format!("{what} is not valid")),
            Refusal::WrongEngine => (StatusCode::CONFLICT, "not on this engine".to_owned()),
            Refusal::InstanceDown => {
                (StatusCode::CONFLICT, "the server does not answer".to_owned())
            }
            Refusal::Busy => (StatusCode::CONFLICT, "an import runs on the instance".to_owned()),
            Refusal::WrongLogin => {
                (StatusCode::CONFLICT, "the server refuses the login".to_owned())
            }
            Refusal::Ended => (StatusCode::CONFLICT, "the job has ended".to_owned()),
            Refusal::Exists => (StatusCode::CONFLICT, "it is there already".to_owned()),
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "it is too large".to_owned()),
            Refusal::WrongOffset(received) => {
                let detail = format!("the file goes on at byte {received}");
                return Problem { status: StatusCode::CONFLICT, detail, received: Some(received) };
            }
            Refusal::Receiving => {
                (StatusCode::CONFLICT, "the file is being sent by another request".to_owned())
            }
            Refusal::BrokenOff(how) => {
                tracing::info!(how, "an upload broke off");
                (StatusCode::BAD_REQUEST, "the body broke off".to_owned())
            }
            Refusal::Server(code) => (StatusCode::CONFLICT, format!("server error {code}")),
            Refusal::Fault(what) => {
                tracing::error!(what, "a request failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the service is at fault; see its log".to_owned(),
                )
            }
        };
        Problem::new(status, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "received_bytes": self.received,
        });
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, media_type, body.to_string()).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Basic realm=\"dbferry\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
