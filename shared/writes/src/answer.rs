//! What the platform is answered about a write.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use runtime::Problem;
use serde::Serialize;
use serde_json::{Value, json};
use store::owner_policy::{OwnerChoice, OwnerReason};
use store::{ConnectionId, Write, WriteId, WriteKind, WriteState};

/// The outcome of a write that was refused for good.
pub(crate) fn of_problem(problem: &Problem) -> Value {
    json!({ "problem": {
        "type": format!("urn:ferry:problem:{}", problem.code),
        "title": problem.title,
        "status": problem.status.as_u16(),
        "detail": problem.detail,
        "next": problem.next,
        "salesforce": problem.salesforce,
    }})
}

/// The answer to the request that asked for the write, the first time and every time after.
pub fn to_writer(write: Write) -> Response {
    match (write.state, refusal(&write)) {
        (WriteState::Finished, Some((status, problem))) => {
            let mut response = (status, Json(problem)).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            response
        }
        (WriteState::Finished, None) => {
            let created = matches!(write.kind, WriteKind::Note);
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(Outcome::from(write))).into_response()
        }
        (WriteState::Queued | WriteState::InProgress, _) => {
            let queued = json!({ "write_id": write.write_id, "state": WriteState::Queued });
            (StatusCode::ACCEPTED, Json(queued)).into_response()
        }
    }
}

fn refusal(write: &Write) -> Option<(StatusCode, Value)> {
    let problem = write.answer.as_ref()?.get("problem")?;
    let status = problem.get("status")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    Some((StatusCode::from_u16(status).ok()?, problem.clone()))
}

/// A finished write as its writer sees it.
#[derive(Serialize)]
struct Outcome {
    write_id: WriteId,
    connection: Option<ConnectionId>,
    owner_choice: Option<OwnerChoice>,
    owner_reason: Option<OwnerReason>,
    /// How the next one goes as the rep.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    #[serde(flatten)]
    answer: Option<Value>,
}

impl From<Write> for Outcome {
    fn from(write: Write) -> Self {
        let (owner_choice, owner_reason) = why(&write);
        Self {
            write_id: write.write_id,
            connection: write.route.map(|route| route.connection_id),
            owner_choice,
            owner_reason,
            next: owner_reason.and_then(OwnerReason::next),
            answer: write.answer,
        }
    }
}

/// A write as the ledger shows it.
#[derive(Serialize)]
pub struct LedgerView {
    write_id: WriteId,
    kind: WriteKind,
    state: WriteState,
    platform_user: Option<store::PlatformUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<salesforce::ObjectName>,
    connection: Option<ConnectionId>,
    owner_choice: Option<OwnerChoice>,
    owner_reason: Option<OwnerReason>,
    attempt: u64,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    answer: Option<Value>,
}

impl From<Write> for LedgerView {
    fn from(write: Write) -> Self {
        let (owner_choice, owner_reason) = why(&write);
        Self {
            write_id: write.write_id,
            kind: write.kind,
            state: write.state,
            platform_user: write.platform_user,
            object: write.object,
            connection: write.route.map(|route| route.connection_id),
            owner_choice,
            owner_reason,
            attempt: write.attempt,
            created_at: store::time::text(write.created_at),
            updated_at: store::time::text(write.updated_at),
            answer: write.answer,
        }
    }
}

fn why(write: &Write) -> (Option<OwnerChoice>, Option<OwnerReason>) {
    write.route.as_ref().map(|route| (route.owner_choice, route.owner_reason)).unzip()
}
