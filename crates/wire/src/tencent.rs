//! Tencent Cloud API 3.0, as TencentDB for MySQL (`cdb`, version 2017-03-20) speaks it.
//!
//! A request goes through here in four steps: [`recognises`], [`credentials::Credentials::read`]
//! and `verify`, [`call::Call::read`], and in the end [`reply::render`]. What a client sends is
//! taken from the requests of the SDKs for Python, Node.js and Go and of tccli; what it is told is
//! taken from the API's documents and from what those clients choke on.
//!
//! It does not know who a key belongs to, which nonces were seen and whether an instance exists.

pub mod credentials;
pub mod signature;

pub mod call;
pub mod job_id;
pub mod parameters;
pub mod region;
pub mod time;

pub mod instance;
pub mod reply;
pub mod state;

pub mod code;
pub mod error;
pub mod language;

mod authorization;
mod multipart;
mod schema;

use crate::form;
use crate::request::Request;

/// The one version of the API that is spoken.
pub const VERSION: &str = "2017-03-20";

/// Whether a request is meant for this dialect: other clouds' requests come to `/` too.
///
/// TC3 requests have `X-TC-*` headers, those of the older signature method a `SecretId` or this
/// API's version among their parameters. Nothing is checked beyond that.
pub fn recognises(request: &Request<'_>) -> bool {
    let authorization = request.header_text("authorization").unwrap_or_default().trim_start();
    let is_foreign = |name: &str| starts_with(name, "x-acs-");
    if authorization.starts_with("ACS3-")
        || request.headers.iter().any(|(name, _)| is_foreign(name))
    {
        return false;
    }
    let is_own = |name: &str| {
        ["x-tc-action", "x-tc-version", "x-tc-timestamp"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
    };
    if authorization.starts_with(signature::TC3)
        || request.headers.iter().any(|(name, _)| is_own(name))
    {
        return true;
    }
    let version = format!("Version={VERSION}");
    let is_form = |text: &[u8]| {
        form::names(text, "SecretId")
            || text.split(|byte| *byte == b'&').any(|piece| piece == version.as_bytes())
    };
    is_form(request.query.as_bytes()) || is_form(request.body)
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}
