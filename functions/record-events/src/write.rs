//! The event of the end of a write.
//!
//! Only a write that was answered 202 has one: the caller of any other write has its outcome in the response.

use salesforce::ObjectName;
use serde::Serialize;
use serde_json::Value;
use store::{BusEvent, EventKind, PlatformUser, Tenant, Write, WriteId, WriteKind, WriteState};

/// Returns whether an accepted write has ended with this change.
#[must_use]
pub fn has_ended(old: Option<&Write>, new: &Write) -> bool {
    let had_ended = old.is_some_and(|old| old.state.is_final());
    new.queued_at.is_some() && new.state.is_final() && !had_ended
}

/// The outcome of a record, without its values and Salesforce's messages.
#[derive(Debug, PartialEq, Serialize)]
struct RecordEnd {
    /// The position in the request.
    index: usize,
    id: Option<Value>,
    success: bool,
    /// `None` if it is not known.
    created: Option<bool>,
    /// Salesforce's codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<Value>,
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    write_id: WriteId,
    kind: WriteKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a ObjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_user: Option<&'a PlatformUser>,
    state: WriteState,
    created_at: String,
    queued_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<RecordEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note_id: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<&'a Value>,
}

/// Builds the event of a write that has ended: `write.succeeded` if it was made for every record, or else `write.failed`.
///
/// `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(write: &Write, tenant: &Tenant, change_id: &str) -> BusEvent {
    let member = |name: &str| write.response.as_ref().and_then(|response| response.get(name));
    let records: Vec<RecordEnd> =
        member("records").and_then(Value::as_array).into_iter().flatten().enumerate().map(record_end).collect();
    let state = write.shown_state();
    let succeeded = state == WriteState::Finished && records.iter().all(|record| record.success);
    let data = Data {
        org_id: write.org_id.as_str(),
        tenant: tenant.as_str(),
        write_id: write.write_id,
        kind: write.kind,
        object: write.object.as_ref(),
        platform_user: write.platform_user.as_ref(),
        state,
        created_at: store::time::format(write.created_at),
        queued_at: write.queued_at.map(store::time::format),
        records,
        note_id: member("note_id"),
        problem: member("problem"),
        retryable: member("retryable"),
    };
    let kind = if succeeded { EventKind::WriteSucceeded } else { EventKind::WriteFailed };
    let mut event = BusEvent::new(write.org_id, kind, format!("writes/{}", write.write_id), change_id);
    event.time = write.updated_at;
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

fn record_end((index, outcome): (usize, &Value)) -> RecordEnd {
    let is_true = |name: &str| outcome.get(name).and_then(Value::as_bool).unwrap_or_default();
    let errors = outcome.get("errors").and_then(Value::as_array).into_iter().flatten();
    RecordEnd {
        index,
        id: outcome.get("id").filter(|id| !id.is_null()).cloned(),
        success: is_true("success"),
        created: outcome.get("created").and_then(Value::as_bool),
        errors: errors.filter_map(|error| error.get("code").cloned()).collect(),
        retryable: outcome.get("retryable").cloned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use store::NewWrite;

    use super::*;

    fn write(state: WriteState, queued_at: Option<Timestamp>, response: Value) -> Write {
        let requested = NewWrite {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            idempotency_key: "k".parse().unwrap(),
            kind: WriteKind::Records,
            object: Some("Account".parse().unwrap()),
            platform_user: Some("rep-1".parse().unwrap()),
            request: json!({}),
            retry_of: None,
            now: "2026-11-22T10:15:30Z".parse().unwrap(),
            claim_ttl: SignedDuration::from_mins(1),
        };
        Write { state, queued_at, response: Some(response), ..requested.first_attempt() }
    }

    fn queued(state: WriteState, response: Value) -> Write {
        write(state, Some("2026-11-22T10:15:31Z".parse().unwrap()), response)
    }

    #[test]
    fn only_the_end_of_an_accepted_write_is_an_event() {
        let before = queued(WriteState::InProgress, json!({}));
        for state in [WriteState::Finished, WriteState::Failed] {
            let ended = queued(state, json!({}));
            assert!(has_ended(Some(&before), &ended));
            assert!(!has_ended(Some(&ended), &ended), "a later change of the row");
            assert!(!has_ended(None, &write(state, None, json!({}))), "its caller has the response");
        }
        assert!(!has_ended(Some(&before), &queued(WriteState::Queued, json!({}))));
    }

    #[test]
    fn an_event_has_outcomes_and_no_values() {
        let error = json!({ "code": "REQUIRED_FIELD_MISSING", "message": "secret name", "fields": ["LastName"] });
        let records = json!([
            { "id": "0015e00000ZkM3hAAF", "success": true, "created": true, "errors": [] },
            { "id": "0015e00000ZkM3hAAF", "success": true, "created": null, "errors": [] },
            { "id": null, "success": false, "created": false, "errors": [error] },
        ]);

        let partly = event(&queued(WriteState::Finished, json!({ "records": records })), &"acme".parse().unwrap(), "c");

        assert_eq!((partly.kind.as_str(), partly.id.as_str()), ("write.failed", "c"));
        assert_eq!(partly.data["state"], "finished");
        let expected = json!([
            { "index": 0, "id": "0015e00000ZkM3hAAF", "success": true, "created": true },
            { "index": 1, "id": "0015e00000ZkM3hAAF", "success": true, "created": null },
            { "index": 2, "id": null, "success": false, "created": false, "errors": ["REQUIRED_FIELD_MISSING"] },
        ]);
        assert_eq!(partly.data["records"], expected);
        assert!(!partly.data.to_string().contains("secret"), "{}", partly.data);
        let all = json!({ "records": [records[0]] });
        assert_eq!(
            event(&queued(WriteState::Finished, all), &"acme".parse().unwrap(), "c").kind,
            EventKind::WriteSucceeded
        );
    }

    #[test]
    fn a_failed_write_says_why() {
        let problem = json!({ "type": "urn:ferry:problem:org_not_active", "status": 409 });
        for state in [WriteState::Failed, WriteState::Finished] {
            let failed = event(&queued(state, json!({ "problem": problem })), &"acme".parse().unwrap(), "c");
            assert_eq!((failed.kind.as_str(), &failed.data["state"]), ("write.failed", &json!("failed")));
            assert_eq!(failed.data["problem"], problem);
        }
    }
}
