//! Responses about writes, built from the ledger.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use runtime::problem;
use serde::Serialize;
use serde_json::{Value, json};
use store::owner_policy::{OwnerChoice, OwnerReason};
use store::{ConnectionId, Obstacle, Write, WriteId, WriteKind, WriteState};

/// Returns the response to a write request: the same for the first request and for each repetition.
pub fn response(write: Write) -> Response {
    match (write.state, stored_problem(&write)) {
        (WriteState::Finished | WriteState::Failed, Some((status, problem))) => problem::response(status, &problem),
        (WriteState::Finished | WriteState::Failed, None) => {
            let created = matches!(write.kind, WriteKind::Note | WriteKind::File);
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(FinishedWrite::from(write))).into_response()
        }
        (WriteState::Queued | WriteState::InProgress, _) => {
            let queued = json!({ "write_id": write.write_id, "state": WriteState::Queued });
            (StatusCode::ACCEPTED, Json(queued)).into_response()
        }
    }
}

fn stored_problem(write: &Write) -> Option<(StatusCode, Value)> {
    let problem = write.response.as_ref()?.get("problem")?;
    let status = problem.get("status")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    Some((StatusCode::from_u16(status).ok()?, problem.clone()))
}

/// The body of the response about a finished write.
#[derive(Serialize)]
struct FinishedWrite {
    write_id: WriteId,
    connection: Option<ConnectionId>,
    owner_choice: Option<OwnerChoice>,
    owner_reason: Option<OwnerReason>,
    /// The remedy after which later writes are made as the rep.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    #[serde(flatten)]
    outcome: Option<Value>,
}

impl From<Write> for FinishedWrite {
    fn from(write: Write) -> Self {
        let (owner_choice, owner_reason) = owner(&write);
        Self {
            write_id: write.write_id,
            connection: write.route.map(|route| route.connection_id),
            owner_choice,
            owner_reason,
            next: owner_reason.and_then(OwnerReason::next),
            outcome: write.response,
        }
    }
}

/// A write as `GET /v1/orgs/{org}/writes/{id}` returns it.
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
    /// The time at which it was answered 202.
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_at: Option<String>,
    /// The time of the next attempt, while it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    #[serde(flatten)]
    obstacle: Option<Obstacle>,
    #[serde(flatten)]
    outcome: Option<Value>,
}

impl From<Write> for LedgerView {
    fn from(write: Write) -> Self {
        let (owner_choice, owner_reason) = owner(&write);
        let waits = !write.state.is_final();
        let queued_at = write.accepted_at().map(store::time::format);
        Self {
            write_id: write.write_id,
            kind: write.kind,
            state: write.shown_state(),
            platform_user: write.platform_user,
            object: write.object,
            connection: write.route.map(|route| route.connection_id),
            owner_choice,
            owner_reason,
            attempt: write.attempt,
            created_at: store::time::format(write.created_at),
            updated_at: store::time::format(write.updated_at),
            queued_at,
            next_attempt_at: write.next_attempt_at.filter(|_| waits).map(store::time::format),
            obstacle: write.obstacle.filter(|_| waits),
            outcome: write.response,
        }
    }
}

fn owner(write: &Write) -> (Option<OwnerChoice>, Option<OwnerReason>) {
    write.route.as_ref().map(|route| (route.owner_choice, route.owner_reason)).unzip()
}
