//! A check of every response in every test against `infra/openapi.yaml`, and of every event against `infra/events`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use http::StatusCode;
use jsonschema::{Draft, Validator};
use local::EventCatalogue;
use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

static OPENAPI: LazyLock<Value> = LazyLock::new(|| {
    let path = Workspace::here().root().join("infra/openapi.yaml");
    serde_json::from_str(&Template::load(&path).unwrap().to_json()).unwrap()
});

/// Validators by schema, since compiling one takes longer than using it.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Checks a response to a request.
///
/// # Panics
/// `infra/openapi.yaml` does not describe it. A 404 to a method that the path does not have needs no description.
pub fn check(method: &str, uri: &str, status: StatusCode, body: &Value) {
    let path = uri.split('?').next().unwrap();
    let operation = &path_item(path)[&method.to_lowercase()];
    if operation.is_null() && status == StatusCode::NOT_FOUND {
        return;
    }
    let response = resolve(&operation["responses"][status.as_str()]);
    assert!(response.is_object(), "{method} {path}: {status} is not a described response: {body}");
    let Some(content) = response["content"].as_object() else {
        assert!(body.is_null(), "{method} {path}: the {status} response has a body: {body}");
        return;
    };
    // The other form of a failure is API Gateway's, which stands before the function.
    let content = content.get("application/problem+json").or_else(|| content.values().next()).unwrap();
    if let Err(reason) = validate(&content["schema"], body) {
        panic!("{method} {path}: the {status} response does not match its schema: {reason}\n{body:#}");
    }
}

/// Returns a message of a queue, after a check against the event catalogue if it is an event of Ferry's.
pub(crate) fn checked_event(body: String) -> String {
    if let Ok(message) = serde_json::from_str(&body) {
        EventCatalogue::get().unwrap().check_envelope(&message).unwrap();
    }
    body
}

/// Returns the path item that matches a path; the one with the fewest parameters if several do.
fn path_item(path: &str) -> &'static Value {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |template: &str| {
        let own: Vec<&str> = template.split('/').collect();
        own.len() == parts.len() && own.iter().zip(&parts).all(|(own, part)| own.starts_with('{') || own == part)
    };
    let paths = OPENAPI["paths"].as_object().unwrap().iter().filter(|(template, _)| matches(template));
    paths.min_by_key(|(template, _)| template.matches('{').count()).expect(path).1
}

fn resolve(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| OPENAPI.pointer(&reference[1..]).unwrap())
}

fn validate(schema: &Value, body: &Value) -> Result<(), String> {
    let errors: Vec<_> = validator(schema)
        .iter_errors(body)
        .map(|error| format!("{} at {:?}", error, error.instance_path().to_string()))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// Returns the validator of a schema whose references point into the description.
fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || {
        let mut schema = schema.clone();
        schema["components"] = OPENAPI["components"].clone();
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        Arc::new(options.build(&schema).unwrap())
    };
    Arc::clone(validators.entry(schema.to_string()).or_insert_with(compile))
}

#[cfg(test)]
#[test]
fn a_response_that_differs_from_its_schema_is_rejected() {
    let schema = serde_json::json!({ "$ref": "#/components/schemas/NoteWritten" });
    let good = serde_json::json!({
        "note_id": "069000000000001AAA", "write_id": "5f0c2a1e-7f53-4f0e-9a54-0f3f1d0a2b11", "connection": "team",
        "owner_choice": "team", "owner_reason": "no_acting_user",
    });
    assert_eq!(validate(&schema, &good), Ok(()));
    let differences = [
        ("note_id", Value::Null),
        ("note_id", "not an id".into()),
        ("write_id", "not a uuid".into()),
        ("owner_choice", "nobody".into()),
        ("colour", "red".into()),
    ];
    for (member, wrong) in differences {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert!(validate(&schema, &bad).is_err(), "{member}");
    }
    assert!(validate(&schema, &serde_json::json!({})).unwrap_err().contains("\"note_id\" is a required property"));
}
