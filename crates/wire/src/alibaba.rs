//! Alibaba Cloud's RPC API, as ApsaraDB RDS (version 2014-08-15) speaks it.
//!
//! A request goes through here in four steps: [`recognises`], [`credentials::Credentials::read`]
//! and `verify`, [`call::Call::read`], and in the end [`reply::render`]. What a client sends is
//! taken from the requests of both generations of the SDKs for Python and Node.js; what it is told
//! is taken from the API's documents, the SDKs' models, and from what those clients choke on.
//!
//! It does not know who a key belongs to, which nonces were seen and whether an instance exists.

pub mod credentials;
pub mod signature;

pub mod call;
pub mod db_info;
pub mod engine;
pub mod import_id;
pub mod parameters;
pub mod time;

pub mod database;
pub mod format;
pub mod instance;
pub mod region;
pub mod reply;
pub mod state;
pub mod task;

pub mod code;
pub mod error;

mod authorization;
mod element;

use crate::form;
use crate::request::Request;
use crate::tencent;

/// The one version of the API that is spoken.
pub const VERSION: &str = "2014-08-15";

/// Whether a request is meant for this dialect: other clouds' requests come to `/` too.
///
/// Requests of the newer signature method have `x-acs-*` headers, and so have those of all SDKs;
/// hand-written ones of the older method have an `AccessKeyId` or this API's version among their
/// parameters. No request is recognised by two dialects. Nothing is checked beyond that.
pub fn recognises(request: &Request<'_>) -> bool {
    let authorization = request.header_text("authorization").unwrap_or_default().trim_start();
    if authorization.starts_with("ACS3-") || request.headers.iter().any(|(name, _)| is_own(name)) {
        return true;
    }
    let version = format!("Version={VERSION}");
    let is_form = |text: &[u8]| {
        form::names(text, "AccessKeyId")
            || text.split(|byte| *byte == b'&').any(|piece| piece == version.as_bytes())
    };
    (is_form(request.query.as_bytes()) || is_form(request.body)) && !tencent::recognises(request)
}

fn is_own(header: &str) -> bool {
    const PREFIX: &str = "x-acs-";
    header.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX))
}
