//! The failures of a write: the problem of the whole, or the first error of each record that was not written.

use runtime::failures::FailedWork;
use serde_json::Value;
use store::{RecordRef, Write, WriteState};

use super::{Failing, Subject};

/// Returns the failures of a write. One that waits for its turn, or for its first attempt, does not fail.
pub(super) fn failing(write: &Write) -> Vec<Failing> {
    let state = write.shown_state();
    let failing = |reason: String, record| Failing {
        work: FailedWork::Write,
        reason,
        at: Some(write.updated_at),
        given_up: state.is_final(),
        subject: Subject::Write(write.write_id, record),
    };
    let reason = match state {
        WriteState::Queued => write.obstacle.as_ref().and_then(|obstacle| obstacle.reason.clone()),
        WriteState::Failed => member(write.response.as_ref(), &["problem", "code"]).map(str::to_owned),
        WriteState::InProgress => return Vec::new(),
        WriteState::Finished => None,
    };
    match reason {
        Some(reason) => vec![failing(reason, None)],
        None => refused(write).map(|(code, record)| failing(code, record)).collect(),
    }
}

/// Returns the first code of each record that was not written, and the record if it exists.
fn refused(write: &Write) -> impl Iterator<Item = (String, Option<RecordRef>)> + '_ {
    let records = write.response.as_ref().and_then(|response| response.get("records")?.as_array());
    let records = records.into_iter().flatten();
    let refused = records.filter(|record| record.get("success") == Some(&Value::Bool(false)));
    refused.filter_map(|record| {
        let code = record.get("errors")?.get(0)?.get("code")?.as_str()?.to_owned();
        let id = record.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let record = id.zip(write.object.clone()).map(|(record_id, object)| RecordRef { object, record_id });
        Some((code, record))
    })
}

fn member<'a>(value: Option<&'a Value>, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value?, |value, name| value.get(*name))?.as_str()
}
