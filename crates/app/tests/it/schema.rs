//! The part of JSON Schema that our schemas use, and no more: an unknown key would be a hole. Fields
//! that a schema does not name are refused too, so that none goes undocumented.

use serde_json::Value;

/// Fails unless `document` follows `schema`; `at` names it in messages.
#[track_caller]
pub(crate) fn conforms(document: &Value, schema: &Value, at: &str) {
    check(document, schema, schema, at);
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(target) = schema.get("$ref") {
        let pointer = target.as_str().unwrap().trim_start_matches('#');
        return check(value, root.pointer(pointer).unwrap(), root, at);
    }
    if let Some(choices) = schema.get("anyOf") {
        let choices = choices.as_array().unwrap();
        let choice =
            choices.iter().find(|c| (c.get("type") == Some(&"null".into())) == value.is_null());
        return check(value, choice.unwrap(), root, at);
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
        return;
    }
    if let Some(values) = schema.get("enum") {
        assert!(values.as_array().unwrap().contains(value), "{at}: {value} is none of {values}");
        return;
    }
    let allowed = types(&schema["type"]);
    let fits = allowed.contains(&type_of(value)) || (value.is_number() && allowed == ["number"]);
    assert!(fits, "{at}: {value} has another type");
    if let (Some(least), Some(number)) = (schema.get("minimum"), value.as_u64()) {
        assert!(number >= least.as_u64().unwrap(), "{at}: {number} is too small");
    }
    if let Some(items) = value.as_array() {
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        assert!(items.len() as u64 <= most, "{at}: too many items");
        for (index, item) in items.iter().enumerate() {
            check(item, &schema["items"], root, &format!("{at}[{index}]"));
        }
    }
    let Some(fields) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(key.as_str().unwrap()), "{at}: {key} is missing");
    }
    for (key, field) in fields {
        let named = schema.get("properties").and_then(|properties| properties.get(key));
        let property = named.or(schema.get("additionalProperties"));
        let property = property.unwrap_or_else(|| panic!("{at}: {key} is not documented"));
        check(field, property, root, &format!("{at}.{key}"));
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema {
        Value::Array(list) => list.iter().map(|one| one.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
