//! Every answer of every test is held against `infra/openapi.yaml`.

use std::sync::LazyLock;

use http::StatusCode;
use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

static OPENAPI: LazyLock<Value> = LazyLock::new(|| {
    let path = Workspace::here().root().join("infra/openapi.yaml");
    serde_json::from_str(&Template::load(&path).unwrap().to_json()).unwrap()
});

/// Panics unless the API describes this answer to this request. What the router itself refuses is nobody's answer.
pub fn check(method: &str, uri: &str, status: StatusCode, body: &Value) {
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    let path = uri.split('?').next().unwrap();
    let response = resolve(&described(path)[&method.to_lowercase()]["responses"][status.as_str()]);
    assert!(response.is_object(), "{method} {path} is not described to answer {status}: {body}");
    let content = response["content"].as_object().and_then(|content| content.values().next()).unwrap();
    if let Err(fault) = judge(&content["schema"], body, "answer") {
        panic!("{method} {path} {status}: {fault}\n{body:#}");
    }
}

/// The path item with this shape; the one with the fewest parameters where several have it.
fn described(path: &str) -> &'static Value {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let own: Vec<&str> = template.split('/').collect();
        own.len() == parts.len() && own.iter().zip(&parts).all(|(own, part)| own.starts_with('{') || own == part)
    };
    let paths = OPENAPI["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
    paths.min_by_key(|(template, _)| template.matches('{').count()).expect(path).1
}

fn resolve(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| OPENAPI.pointer(&reference[1..]).unwrap())
}

/// The part of JSON Schema that the description uses, but for patterns and bounds.
fn judge(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(schema);
    let list = |keyword: &str| schema[keyword].as_array().map(Vec::as_slice).unwrap_or_default();
    for part in list("allOf") {
        judge(part, value, at)?;
    }
    let one_of = list("oneOf");
    if !one_of.is_empty() && !one_of.iter().any(|part| judge(part, value, at).is_ok()) {
        return Err(format!("{at} is none of what it may be"));
    }
    let kinds = if schema["type"].is_array() { list("type") } else { std::slice::from_ref(&schema["type"]) };
    if !kinds.iter().any(|kind| kind.as_str().is_none_or(|kind| is(kind, value))) {
        return Err(format!("{at} is not of type {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema.get("enum").is_some() && !list("enum").contains(value)
    {
        return Err(format!("{at} has another value than it may have"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        judge(&schema["items"], item, &format!("{at}[{index}]"))?;
    }
    judge_members(schema, value, at)
}

fn judge_members(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        members.get(name).ok_or_else(|| format!("{at}.{name} is missing"))?;
    }
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(known), _) => judge(known, member, &at)?,
            (None, Value::Bool(false)) => return Err(format!("{at} is not described")),
            (None, other) => judge(other, member, &at)?,
        }
    }
    Ok(())
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("{kind} is no type"),
    }
}

#[cfg(test)]
#[test]
fn an_answer_that_differs_from_the_description_is_noticed() {
    let schema = resolve(&OPENAPI["components"]["schemas"]["NoteWritten"]);
    let good = serde_json::json!({
        "note_id": "069000000000001AAA", "write_id": "w", "connection": "team", "owner_choice": "team",
        "owner_reason": "no_acting_user",
    });
    assert_eq!(judge(schema, &good, "answer"), Ok(()));
    for (member, wrong) in [("note_id", Value::Null), ("owner_choice", "nobody".into()), ("colour", "red".into())] {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert!(judge(schema, &bad, "answer").is_err(), "{member}");
    }
    assert_eq!(judge(schema, &serde_json::json!({}), "answer"), Err("answer.note_id is missing".to_owned()));
}
