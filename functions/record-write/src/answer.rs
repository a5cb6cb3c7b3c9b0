//! What the platform is answered: always what the ledger holds, so that a replay says the same.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use runtime::Problem;
use salesforce::SaveOutcome;
use serde::Serialize;
use serde_json::{Value, json};
use store::owner_policy::{OwnerChoice, OwnerReason};
use store::{ConnectionId, Write, WriteId, WriteKind, WriteState};

/// How much of one of Salesforce's messages is kept.
const MAX_MESSAGE_CHARS: usize = 400;

/// The outcome of a write that Salesforce answered.
pub(crate) fn of_records(outcomes: Vec<SaveOutcome>) -> Value {
    let shortened: Vec<SaveOutcome> = outcomes.into_iter().map(shorten).collect();
    json!({ "records": shortened })
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
        (WriteState::Finished, None) => Json(Outcome::from(write)).into_response(),
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
        let (owner_choice, owner_reason) = why(&write);
        Self {
            write_id: write.write_id,
            connection: write.route.map(|route| route.connection_id),
            owner_choice,
            owner_reason,
            answer: write.answer,
        }
    }
}

/// A write as the ledger shows it.
#[derive(Serialize)]
pub(crate) struct LedgerView {
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

fn shorten(mut outcome: SaveOutcome) -> SaveOutcome {
    for error in &mut outcome.errors {
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use salesforce::SaveError;

    use super::*;

    fn outcome(message: &str) -> SaveOutcome {
        let error = SaveError {
            code: "REQUIRED_FIELD_MISSING".to_owned(),
            message: message.to_owned(),
            fields: vec!["LastName".to_owned()],
        };
        SaveOutcome { id: None, success: false, created: false, errors: vec![error] }
    }

    #[test]
    fn a_records_error_keeps_its_code_message_and_fields() {
        insta::assert_json_snapshot!(of_records(vec![outcome("Required fields are missing: [LastName]")]), @r#"
        {
          "records": [
            {
              "id": null,
              "success": false,
              "created": false,
              "errors": [
                {
                  "code": "REQUIRED_FIELD_MISSING",
                  "message": "Required fields are missing: [LastName]",
                  "fields": [
                    "LastName"
                  ]
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let kept = of_records(vec![outcome(&"é".repeat(900))]);
        let message = kept["records"][0]["errors"][0]["message"].as_str().unwrap();
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
