//! What the platform is answered: always what the ledger holds, so that a replay says the same.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use runtime::Problem;
use salesforce::{Note, RecordId};
use serde::Serialize;
use serde_json::{Value, json};
use store::owner_policy::{OwnerChoice, OwnerReason};
use store::{ConnectionId, Write, WriteId, WriteKind, WriteState};

use crate::attempt::Operation;

/// The outcome of a write that Salesforce took.
pub(crate) fn of_note(note_id: RecordId, operation: &Operation) -> Value {
    match operation {
        Operation::Create(request) => json!({ "note_id": note_id, "links": request.links }),
        Operation::Change(..) => json!({ "note_id": note_id }),
    }
}

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
pub(crate) fn to_writer(write: Write) -> Response {
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
    #[serde(flatten)]
    answer: Option<Value>,
}

impl From<Write> for Outcome {
    fn from(write: Write) -> Self {
        let way = write.route.as_ref();
        Self {
            write_id: write.write_id,
            connection: way.map(|way| way.connection_id.clone()),
            owner_choice: way.map(|way| way.owner_choice),
            owner_reason: way.map(|way| way.owner_reason),
            answer: write.answer,
        }
    }
}

/// A note as it is read back.
#[derive(Serialize)]
pub(crate) struct NoteView {
    note_id: RecordId,
    title: String,
    html: String,
    links: Vec<RecordId>,
    last_modified: String,
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        Self {
            note_id: note.id,
            title: note.title,
            html: note.html,
            links: note.links,
            last_modified: store::time::text(note.last_modified),
        }
    }
}
