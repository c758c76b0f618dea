//! The parameters of a request, whichever way they were sent, as one tree.
//!
//! Promises: only bytes that the signature covers are read; nothing is named twice; depth and
//! number are bounded. What the parameters mean is in `schema`.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::code::Code;
use super::credentials::{tc3_or_v1, v1_text};
use super::error::{Error, Result};
use super::multipart;
use crate::form;
use crate::request::Request;

/// Parameters of one request, counted with every member of every list.
pub const PARAMETERS_MAX: usize = 10_000;
/// Levels of a tree: `Tags.0.Value.1` has four.
pub const DEPTH_MAX: usize = 16;

/// Parameters that every action has; v1 sends them among the action's own.
const COMMON: [&str; 11] = [
    "Action",
    "Language",
    "Nonce",
    "Region",
    "RequestClient",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Timestamp",
    "Token",
    "Version",
];

/// What a request says, apart from its signature.
///
/// No `Debug`: the tree may hold a password.
pub struct Parameters {
    /// The name of the action.
    pub action: Option<String>,
    /// The version of the API.
    pub version: Option<String>,
    /// The region; an empty one counts as none.
    pub region: Option<String>,
    /// The name of the client's SDK.
    pub request_client: Option<String>,
    /// The action's own parameters.
    pub tree: Map<String, Value>,
    /// Every leaf of the tree is text that also stands for numbers and booleans.
    pub from_text: bool,
}

impl Parameters {
    /// Reads the query of a GET, the body of a POST; TC3 requests have the common ones in headers.
    ///
    /// What the signature does not cover is passed over: a POST's query, a GET's body.
    ///
    /// # Errors
    ///
    /// - `InvalidParameter`: another content type than the signature method allows, malformed JSON
    ///   or form, a name twice, more than [`PARAMETERS_MAX`], deeper than [`DEPTH_MAX`], list
    ///   indexes with gaps.
    /// - `InvalidRequest`: a malformed multipart body.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        let is_tc3 = tc3_or_v1(request).is_some();
        let media_type = request.media_type();
        let (mut tree, from_text) = match (is_tc3, request.method, media_type.as_str()) {
            (false, _, _) => (from_form(v1_text(request))?, true),
            (true, "GET", _) => (from_form(request.query.as_bytes())?, true),
            (true, _, "application/json") => (from_json(request.body)?, false),
            (true, _, "multipart/form-data") => {
                (grow(multipart::pairs(request, PARAMETERS_MAX)?)?, true)
            }
            _ => return Err(unsupported_content_type()),
        };
        let mut common = Common::take(&mut tree)?;
        if is_tc3 {
            common.prefer_headers(request)?;
        }
        let Common { action, version, region, request_client } = common;
        Ok(Self { action, version, region, request_client, tree, from_text })
    }
}

struct Common {
    action: Option<String>,
    version: Option<String>,
    region: Option<String>,
    request_client: Option<String>,
}

impl Common {
    fn take(tree: &mut Map<String, Value>) -> Result<Self> {
        let text = |name: &str| match tree.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::mistyped(name)),
        };
        let (action, version) = (text("Action")?, text("Version")?);
        let (region, request_client) = (text("Region")?, text("RequestClient")?);
        tree.retain(|name, _| !COMMON.contains(&name.as_str()));
        Ok(Self { action, version, region, request_client })
    }

    fn prefer_headers(&mut self, request: &Request<'_>) -> Result<()> {
        let slots = [
            ("X-TC-Action", &mut self.action),
            ("X-TC-Version", &mut self.version),
            ("X-TC-Region", &mut self.region),
            ("X-TC-RequestClient", &mut self.request_client),
        ];
        for (name, slot) in slots {
            if let Some(value) = request.header(name).filter(|value| !value.is_empty()) {
                let text = std::str::from_utf8(value).map_err(|_| Error::mistyped(name))?;
                *slot = Some(text.to_owned());
            }
        }
        Ok(())
    }
}

impl From<form::Fault> for Error {
    fn from(fault: form::Fault) -> Self {
        match fault {
            form::Fault::NoEquals => Self::said(
                Code::InvalidParameter,
                "Url key and value should be splited by `=`.",
                "Url的键和值应以`=`分隔。",
            ),
            form::Fault::NotUtf8 => not_utf8(),
            form::Fault::TooMany => too_many(),
        }
    }
}

pub(super) fn not_utf8() -> Error {
    let english = "The parameters are not encoded in UTF-8.";
    Error::said(Code::InvalidParameter, english, "参数不是UTF-8编码。")
}

fn too_many() -> Error {
    let english = format!("The request has more than {PARAMETERS_MAX} parameters.");
    Error::said(Code::InvalidParameter, english, format!("参数超过{PARAMETERS_MAX}个。"))
}

fn too_deep() -> Error {
    let english = format!("The parameters are nested more than {DEPTH_MAX} levels deep.");
    Error::said(Code::InvalidParameter, english, format!("参数嵌套超过{DEPTH_MAX}层。"))
}

fn not_json() -> Error {
    let english = "The request body is not a valid JSON object.";
    Error::said(Code::InvalidParameter, english, "请求 body 不是有效的 JSON 对象。")
}

fn unsupported_content_type() -> Error {
    Error::said(
        Code::InvalidParameter,
        "The Content-Type of the request does not go with its signature method.",
        "请求的 Content-Type 与签名方法不匹配。",
    )
}

fn from_form(text: &[u8]) -> Result<Map<String, Value>> {
    grow(form::pairs(text, PARAMETERS_MAX)?)
}

/// The tree that `Tags.0.Key=k` and its like were flattened from.
pub(super) fn grow(pairs: Vec<(String, String)>) -> Result<Map<String, Value>> {
    let mut tree = Map::new();
    for (name, value) in pairs {
        plant(&mut tree, &name, value)?;
    }
    for (name, value) in &mut tree {
        list(name, value)?;
    }
    Ok(tree)
}

/// Puts one leaf in its place; lists are objects still.
fn plant(tree: &mut Map<String, Value>, name: &str, value: String) -> Result<()> {
    let mut parts: Vec<&str> = name.splitn(DEPTH_MAX + 1, '.').collect();
    if parts.len() > DEPTH_MAX {
        return Err(too_deep());
    }
    let last = parts.pop().unwrap_or_default();
    if last.is_empty() || parts.iter().any(|part| part.is_empty()) {
        return Err(Error::mistyped(name));
    }
    let mut branch = tree;
    for part in parts {
        let below = branch.entry(part).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(below) = below else { return Err(Error::repeated(name)) };
        branch = below;
    }
    match branch.insert(last.to_owned(), Value::String(value)) {
        None => Ok(()),
        Some(_) => Err(Error::repeated(name)),
    }
}

/// Makes lists of the objects whose names are 0, 1, 2, … in any order and without a gap.
fn list(name: &str, value: &mut Value) -> Result<()> {
    let Value::Object(members) = value else { return Ok(()) };
    for (_, member) in members.iter_mut() {
        list(name, member)?;
    }
    let is_index = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
    if !members.keys().any(is_index) {
        return Ok(());
    }
    let mut slots = vec![Value::Null; members.len()];
    for (index, member) in std::mem::take(members) {
        let is_canonical = index == "0" || !index.starts_with(['0', '+']);
        let place = index.parse().ok().filter(|_| is_canonical);
        let slot = place.and_then(|place: usize| slots.get_mut(place));
        *slot.ok_or_else(|| Error::mistyped(name))? = member;
    }
    *value = Value::Array(slots);
    Ok(())
}

/// An empty body stands for no parameters.
fn from_json(body: &[u8]) -> Result<Map<String, Value>> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let budget = Budget { left: Cell::new(PARAMETERS_MAX), refusal: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let tree = Branch { budget: &budget, depth: 0 }.deserialize(&mut reader);
    let tree = tree.and_then(|tree| reader.end().map(|()| tree));
    match (budget.refusal.take(), tree) {
        (Some(refusal), _) => Err(refusal),
        (None, Ok(Value::Object(tree))) => Ok(tree),
        _ => Err(not_json()),
    }
}

struct Budget {
    left: Cell<usize>,
    /// Why we stopped, when it was us and not the syntax.
    refusal: RefCell<Option<Error>>,
}

impl Budget {
    fn refuse<E: de::Error>(&self, refusal: Error) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }

    fn spend<E: de::Error>(&self) -> std::result::Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| self.refuse(too_many()))?;
        self.left.set(left);
        Ok(())
    }
}

/// Reads what `serde_json::Value` would, but refuses names that come twice.
#[derive(Clone, Copy)]
struct Branch<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Branch<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        reader: D,
    ) -> std::result::Result<Value, D::Error> {
        if self.depth > DEPTH_MAX {
            return Err(self.budget.refuse(too_deep()));
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Branch<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let below = Self { depth: self.depth + 1, ..self };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            self.budget.spend()?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Value, A::Error> {
        let below = Self { depth: self.depth + 1, ..self };
        let mut tree = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.budget.spend()?;
            let value = members.next_value_seed(below)?;
            if tree.contains_key(&name) {
                return Err(self.budget.refuse(Error::repeated(&name)));
            }
            tree.insert(name, value);
        }
        Ok(Value::Object(tree))
    }
}
