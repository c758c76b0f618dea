//! Who asks: the account of a key that was shown by HTTP Basic authentication.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::service::Refusal;

/// Whoever showed a key that is good.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The key's account.
    pub account: i64,
    /// The key's id.
    pub key_id: String,
    /// What the request is about, for the audit log.
    pub about: About,
}

/// What a request is about, where its path does not say.
#[derive(Debug, Clone, Default)]
pub struct About(Arc<OnceLock<String>>);

impl About {
    /// It is about this.
    pub fn set(&self, object: &str) {
        // The first word stands.
        let _ = self.0.set(object.to_owned());
    }

    /// What it is about, if that was said.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl Principal {
    /// Finds out by what the request shows.
    pub async fn shown(parts: &Parts, app: &App) -> Result<Principal, Problem> {
        let (key_id, secret) = shown(parts).ok_or_else(refused)?;
        let known = match app.store.credentials(&key_id).await {
            Ok(known) => known,
            Err(store::Error::NotFound | store::Error::Invalid { .. }) => return Err(refused()),
            Err(error) => return Err(Refusal::from(error).into()),
        };
        let is_right = aws_lc_rs::constant_time::verify_slices_are_equal(
            known.secret.bytes(),
            secret.as_bytes(),
        );
        match is_right {
            Ok(()) if known.enabled => {
                Ok(Principal { account: known.account, key_id, about: About::default() })
            }
            _ => Err(refused()),
        }
    }
}

impl FromRequestParts<Arc<App>> for Principal {
    type Rejection = Problem;

    /// Who was let in.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parts.extensions.get::<Principal>().cloned().ok_or_else(refused)
    }
}

fn refused() -> Problem {
    let detail = "show a key by Basic authentication";
    Problem::new(StatusCode::UNAUTHORIZED, Kind::NoKey, detail)
}

/// The id and the secret in the header.
fn shown(parts: &Parts) -> Option<(String, String)> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(key_id, secret)| (key_id.to_owned(), secret.to_owned()))
}
