//! Responses about writes, built from the ledger.

use std::collections::BTreeSet;

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
    #[serde(flatten)]
    entry: Entry,
    #[serde(flatten)]
    outcome: Option<Value>,
}

/// A write as `GET /v1/orgs/{org}/writes` returns it: without the outcomes of its records, and with what they amount to.
#[derive(Serialize)]
pub struct ListedWrite {
    #[serde(flatten)]
    entry: Entry,
    /// The problem of a failed write.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<RecordCounts>,
}

/// The outcomes of the records of a write.
#[derive(Serialize)]
struct RecordCounts {
    written: usize,
    failed: usize,
    /// Salesforce's codes for the records that were not written, each once, in alphabetical order.
    error_codes: BTreeSet<String>,
}

/// A write without its outcome.
#[derive(Serialize)]
struct Entry {
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
    /// `true` if `POST .../retry` makes it again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    can_be_retried: bool,
    /// The write that this one makes again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<WriteId>,
    /// The write that makes this one again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried_by: Option<WriteId>,
    #[serde(flatten)]
    obstacle: Option<Obstacle>,
}

impl From<Write> for LedgerView {
    fn from(mut write: Write) -> Self {
        let state = write.shown_state();
        let outcome = write.response.take();
        Self { entry: Entry::new(write, state), outcome }
    }
}

impl From<Write> for ListedWrite {
    fn from(mut write: Write) -> Self {
        let state = write.shown_state();
        let outcome = write.response.take();
        let member = |name: &str| outcome.as_ref().and_then(|outcome| outcome.get(name));
        let problem = member("problem").cloned();
        let records = member("records").and_then(Value::as_array).map(|records| RecordCounts::of(records));
        Self { entry: Entry::new(write, state), problem, records }
    }
}

impl RecordCounts {
    fn of(records: &[Value]) -> Self {
        let failed: Vec<&Value> =
            records.iter().filter(|record| record.get("success") == Some(&Value::Bool(false))).collect();
        let errors = failed.iter().filter_map(|record| record.get("errors")?.as_array()).flatten();
        let error_codes = errors.filter_map(|error| Some(error.get("code")?.as_str()?.to_owned())).collect();
        Self { written: records.len() - failed.len(), failed: failed.len(), error_codes }
    }
}

impl Entry {
    fn new(write: Write, state: WriteState) -> Self {
        let (owner_choice, owner_reason) = owner(&write);
        let waits = !write.state.is_final();
        let queued_at = write.accepted_at().map(store::time::format);
        Self {
            write_id: write.write_id,
            kind: write.kind,
            state,
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
            can_be_retried: write.retry_request.is_some() && write.retried.is_none(),
            retry_of: write.retry_of,
            retried_by: write.retried.map(|retried| retried.by),
            obstacle: write.obstacle.filter(|_| waits),
        }
    }
}

fn owner(write: &Write) -> (Option<OwnerChoice>, Option<OwnerReason>) {
    write.route.as_ref().map(|route| (route.owner_choice, route.owner_reason)).unzip()
}
