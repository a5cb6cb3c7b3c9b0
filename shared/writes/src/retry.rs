//! A write that has ended is made again, as a new write, from the request that the ledger kept.

use runtime::Caller;
use serde_json::Value;
use store::{IdempotencyKey, Org, Write, WriteId, WriteKind, WriteState};

use crate::ledger::{begin, load};
use crate::{Error, WriteOperation, operation};

/// The reason for which a write is not made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRetryable {
    /// It has not ended.
    Unfinished,
    /// Every record was written.
    NothingLeft,
    /// Only another request may succeed. The remedy is that of the failure, if it has one.
    NeedsChange(Option<String>),
    /// The request is not stored: it is too large, was erased, or an earlier release made the write.
    NotStored,
    /// Another write makes it again.
    RetriedBy(WriteId),
    /// The content of a note or of a file is not kept.
    NotKept,
    /// The caller is bound to another user than the write's.
    OtherUser,
}

/// Makes the records again that a write has not written, as a new write with a key of its own. A repeated request with the same
/// key returns the same write.
///
/// # Errors
/// [`Error::NotRetryable`]; [`Error::NotFound`]; those of [`crate::accept`].
pub async fn retry<O: WriteOperation>(
    deps: &O::Deps,
    org: &Org,
    id: WriteId,
    key: IdempotencyKey,
    caller: &Caller,
) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    let write = load(ledger, org, id, caller.sees_only()).await?;
    // An administrator's token may see the writes of all users, and still writes only as its own.
    if caller.user.is_some() && caller.user != write.platform_user {
        return Err(Error::NotRetryable(NotRetryable::OtherUser));
    }
    let by = WriteId::derive(org.org_id, &key);
    if let Some(retried) = write.retried.filter(|retried| retried.by != by)
        && ledger.writes.load(org.org_id, retried.by).await?.is_some()
    {
        return Err(Error::NotRetryable(NotRetryable::RetriedBy(retried.by)));
    }
    let stored = write.retry_request.as_ref().ok_or_else(|| Error::NotRetryable(refusal(&write)))?;
    let mut request = operation::stored::<O>(stored).map_err(Error::StoredRequest)?;
    request.only_as_user |= caller.user.is_some();
    ledger.writes.mark_retried(&write, by, ledger.clock.now()).await?;
    begin(deps, org, key, request, Some(id)).await
}

/// Returns the reason for which a write whose request is not stored is not made again.
fn refusal(write: &Write) -> NotRetryable {
    let outcome = write.response.as_ref();
    let problem = outcome.and_then(|outcome| outcome.get("problem"));
    let records = outcome.and_then(|outcome| outcome.get("records")).and_then(Value::as_array);
    let is = |value: &Value, name: &str| value.get(name) == Some(&Value::Bool(true));
    let may_pass = outcome.is_some_and(|outcome| is(outcome, "retryable"))
        || records.is_some_and(|records| records.iter().any(|record| is(record, "retryable")));
    match write.state {
        WriteState::Queued | WriteState::InProgress => NotRetryable::Unfinished,
        _ if problem.is_none() && records.is_none_or(|records| records.iter().all(|record| is(record, "success"))) => {
            NotRetryable::NothingLeft
        }
        _ if !is_kept(write.kind) => NotRetryable::NotKept,
        _ if may_pass => NotRetryable::NotStored,
        _ => NotRetryable::NeedsChange(problem.and_then(|problem| Some(problem.get("next")?.as_str()?.to_owned()))),
    }
}

/// Returns whether the request of such a write is kept for a retry.
fn is_kept(kind: WriteKind) -> bool {
    match kind {
        WriteKind::Records
        | WriteKind::RecordGraph
        | WriteKind::Delete
        | WriteKind::Undelete
        | WriteKind::Merge
        | WriteKind::ConvertLead => true,
        WriteKind::Note
        | WriteKind::NoteUpdate
        | WriteKind::NoteDeletion
        | WriteKind::NoteLink
        | WriteKind::NoteLinkRemoval
        | WriteKind::File => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::requested;

    fn refused(state: WriteState, kind: WriteKind, outcome: Value) -> NotRetryable {
        refusal(&Write { state, kind, response: Some(outcome), ..requested() })
    }

    #[test]
    fn a_write_without_a_stored_request_says_what_to_do() {
        use WriteKind::{Note, Records};
        use WriteState::{Failed, Finished, InProgress, Queued};
        let record = |success: bool, retryable: bool| json!({ "success": success, "retryable": retryable });
        let problem = json!({ "problem": { "next": "Correct it." } });
        assert_eq!(refusal(&Write { state: Queued, ..requested() }), NotRetryable::Unfinished);
        assert_eq!(refusal(&Write { state: InProgress, ..requested() }), NotRetryable::Unfinished);
        assert_eq!(refused(Finished, Records, json!({ "records": [record(true, false)] })), NotRetryable::NothingLeft);
        assert_eq!(refused(Finished, Note, json!({ "note_id": "069" })), NotRetryable::NothingLeft);
        assert_eq!(refused(Failed, Note, problem.clone()), NotRetryable::NotKept);
        let next = Some("Correct it.".to_owned());
        assert_eq!(refused(Failed, Records, problem), NotRetryable::NeedsChange(next));
        let records = json!({ "records": [record(true, false), record(false, false)] });
        assert_eq!(refused(Finished, Records, records), NotRetryable::NeedsChange(None));
        let records = json!({ "records": [record(false, true)] });
        assert_eq!(refused(Finished, Records, records), NotRetryable::NotStored);
        let given_up = json!({ "problem": { "next": "Later." }, "retryable": true });
        assert_eq!(refused(Failed, Records, given_up), NotRetryable::NotStored);
    }
}
