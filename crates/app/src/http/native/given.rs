//! What requests give: paths, queries, headers and bodies, and how one that cannot be read is refused.
//!
//! Promises: a refusal repeats nothing of a body but names of fields, for a body may hold a password.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::http::problem::{Kind, Problem};

/// Bytes of a JSON body.
const BODY_MAX: usize = 64 << 10;

/// What a path names.
pub struct InPath<T>(pub T);

/// A query.
pub struct InQuery<T>(pub T);

/// A JSON body.
pub struct InBody<T>(pub T);

/// A JSON body that is still to be read: [`read`].
pub struct InText(pub Vec<u8>);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| invalid("the path is not valid"))?;
        Ok(InPath(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection| invalid(rejection.body_text()))?;
        Ok(InQuery(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for InBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let InText(bytes) = InText::from_request(request, state).await?;
        read(&bytes).map(InBody)
    }
}

impl<S: Send + Sync> FromRequest<S> for InText {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let (status, kind) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, Kind::NotJson);
            return Err(Problem::new(status, kind, "the Content-Type is not application/json"));
        }
        whole(request.into_body()).await.map(InText)
    }
}

/// What a JSON text says.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list would be read as the fields in their order.
    if text.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
        return Err(invalid("the body is no JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| unread(&error))
}

/// The value of a header that is there once at most; refused unless it is ASCII.
pub fn header_text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Problem> {
    let wrong = || invalid(format!("{name} is not valid"));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong());
    }
    value.to_str().map(|text| Some(text.to_owned())).map_err(|_| wrong())
}

/// A refusal of something malformed.
pub fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, Kind::Invalid, detail)
}

/// An answer.
pub type Answer<T> = Result<Json<T>, Problem>;

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn whole(body: Body) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut stream) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| invalid("the body broke off, or was too slow"))?;
        if bytes.len() + piece.len() > BODY_MAX {
            let detail = format!("the body is longer than {BODY_MAX} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Kind::TooLarge, detail));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn unread(error: &serde_json::Error) -> Problem {
    let at = format!("line {} column {}", error.line(), error.column());
    let detail = match error.classify() {
        Category::Data => {
            let text = error.to_string();
            // Other messages quote values.
            let is_plain = ["missing field", "unknown field", "duplicate field"];
            match is_plain.iter().any(|start| text.starts_with(start)) {
                true => text,
                false => format!("the body does not follow its schema at {at}"),
            }
        }
        Category::Syntax | Category::Eof | Category::Io => format!("the body is no JSON at {at}"),
    };
    invalid(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        #[expect(dead_code, reason = "only read")]
        password: String,
    }

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let error = serde_json::from_str::<Login>(body).unwrap_err();
        let shown = format!("{:?}", unread(&error));
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("4711"), "{shown}");
    }

    #[test]
    fn refusals_of_bodies_repeat_no_value() {
        check(r#"{"password": 4711}"#, "does not follow its schema at line 1 column 17");
        check(r#"{"password": ["4711"]}"#, "does not follow its schema");
        check(r#"{"password": "4711}"#, "no JSON at line 1");
        check("{}", "missing field `password`");
        check(r#"{"password": "4711", "user": "4711"}"#, "unknown field `user`");
    }
}
