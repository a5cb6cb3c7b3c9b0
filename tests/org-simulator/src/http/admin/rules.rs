//! Rules, locks and profiles.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde::Deserialize;
use serde_json::json;

use crate::Error;
use crate::http::admin::body::Body;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::model::access::ObjectPermissions;
use crate::model::ids::RecordId;
use crate::model::records;
use crate::model::rules::{AssignmentRule, DuplicateRule, ValidationRule};
use crate::model::sharing::SharingRule;

/// Returns the routes, relative to `/_simulator`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/validation-rules", post(set_validation_rule))
        .route("/duplicate-rules", post(set_duplicate_rule))
        .route("/assignment-rules", post(set_assignment_rule))
        .route("/sharing-rules", post(set_sharing_rule))
        .route("/rules", get(rules))
        .route("/rules/{name}", delete(remove_rule))
        .route("/locks/{id}", post(lock).delete(unlock))
        .route("/profiles/{name}", patch(limit_profile))
}

async fn rules(State(shared): State<Shared>) -> Response {
    let org = shared.org();
    let rules = &org.rules;
    let locks: Vec<&str> = rules.locked.iter().map(RecordId::as_str).collect();
    let body = json!({
        "validation_rules": rules.validation, "duplicate_rules": rules.duplicate, "assignment_rules": rules.assignment, "locks": locks,
        "sharing_rules": org.sharing.rules,
    });
    ok(body)
}

async fn set_validation_rule(State(shared): State<Shared>, Body(rule): Body<ValidationRule>) -> Outcome {
    shared.org().set_validation_rule(&rule)?;
    Ok(done("validation rule"))
}

async fn set_duplicate_rule(State(shared): State<Shared>, Body(rule): Body<DuplicateRule>) -> Outcome {
    shared.org().set_duplicate_rule(&rule)?;
    Ok(done("duplicate rule"))
}

async fn set_assignment_rule(State(shared): State<Shared>, Body(rule): Body<AssignmentRule>) -> Outcome {
    let id = shared.org().set_assignment_rule(&rule)?;
    Ok(ok(json!({"id": id.as_str()})))
}

async fn set_sharing_rule(State(shared): State<Shared>, Body(rule): Body<SharingRule>) -> Outcome {
    shared.org().set_sharing_rule(&rule)?;
    Ok(done("sharing rule"))
}

/// Removes the rules with that name.
async fn remove_rule(State(shared): State<Shared>, Path(name): Path<String>) -> Outcome {
    let mut org = shared.org();
    if org.remove_rule(&name) | org.remove_sharing_rule(&name) {
        return Ok(done("rule"));
    }
    Err(Error::Unknown { what: "rule", name })
}

async fn lock(State(shared): State<Shared>, Path(id): Path<String>) -> Outcome {
    shared.org().rules.locked.insert(records::record_id(&id)?);
    Ok(done("lock"))
}

async fn unlock(State(shared): State<Shared>, Path(id): Path<String>) -> Outcome {
    if shared.org().rules.locked.remove(&records::record_id(&id)?) {
        return Ok(done("unlock"));
    }
    Err(Error::Unknown { what: "lock", name: id })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileRequest {
    objects: BTreeMap<String, ObjectPermissions>,
}

async fn limit_profile(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Body(request): Body<ProfileRequest>,
) -> Outcome {
    let mut org = shared.org();
    for (object, permissions) in &request.objects {
        org.limit_profile(&name, object, permissions)?;
    }
    Ok(done("profile"))
}
