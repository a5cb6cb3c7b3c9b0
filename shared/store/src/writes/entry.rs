//! The rows of the ledger, and what is stored with them.

use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Deferrals;
use crate::ids::{IdempotencyKey, PlatformUser, WriteId};
use crate::owner_policy::WriteRoute;

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// Records, by external id.
    Records,
    /// Records of several objects, all or none.
    RecordGraph,
    /// The deletion of a record.
    Delete,
    /// The restoration of a record from the recycle bin.
    Undelete,
    /// A merge of records.
    Merge,
    /// The conversion of a lead.
    ConvertLead,
    /// A new note.
    Note,
    /// The new text of a note.
    NoteUpdate,
    /// The deletion of a note.
    NoteDeletion,
    /// A link of a note to a record.
    NoteLink,
    /// The removal of a link of a note.
    NoteLinkRemoval,
    /// A new file.
    File,
}

/// The state of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// A caller works on it, until the deadline.
    InProgress,
    /// It waits in a queue.
    Queued,
    /// It was carried out. The response has the outcome of each record.
    Finished,
    /// It was refused, or given up. The response has the problem. Version 0.1.0 stored it as finished.
    Failed,
}

/// The cause for which a queued write waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// Salesforce, or something between: it passes by itself.
    Salesforce,
    /// A person who has to act.
    Person,
    /// An earlier write of one of its records.
    EarlierWrite,
}

/// The reason for which a write is queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The cause for which it waits.
    pub waiting_for: WaitingFor,
    /// The code of the problem of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The remedy, in a sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The earlier writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<WriteId>,
}

/// A deferral of a write: the state in which it waits in the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedState<'a> {
    /// The request, for the worker of the queue.
    pub request: &'a Value,
    /// The deferrals, including this one. The task with their number is sent before.
    pub deferrals: Deferrals,
    /// The reason.
    pub obstacle: &'a Obstacle,
    /// The time of the next attempt.
    pub next_attempt_at: Timestamp,
    /// The outcome so far, if some records are decided.
    pub outcome: Option<&'a Value>,
}

/// A write that the platform requested.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWrite {
    /// The org.
    pub org_id: OrgId,
    /// The platform's idempotency key.
    pub idempotency_key: IdempotencyKey,
    /// The kind.
    pub kind: WriteKind,
    /// The object of the records.
    pub object: Option<ObjectName>,
    /// The platform user on whose behalf it is made.
    pub platform_user: Option<PlatformUser>,
    /// The whole request. Its digest distinguishes a repetition from another request under the same key.
    pub request: Value,
    /// The write that this one makes again.
    pub retry_of: Option<WriteId>,
    /// The current time.
    pub now: Timestamp,
    /// The time after which another caller may take the write over.
    pub claim_ttl: SignedDuration,
}

/// The write that makes another one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Its id.
    pub by: WriteId,
    /// The time of the request. The write itself is stored right after.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

/// A write in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The org.
    pub org_id: OrgId,
    /// The id.
    pub write_id: WriteId,
    /// The kind.
    pub kind: WriteKind,
    /// The object of the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// The platform user on whose behalf it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_user: Option<PlatformUser>,
    /// The state.
    pub state: WriteState,
    /// The route, once it is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<WriteRoute>,
    /// The request, while it waits in a queue.
    #[serde(default, with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The response to the platform, once it is final: every record's outcome, or the problem. While the write is queued,
    /// the outcome so far.
    #[serde(default, rename = "answer", with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// The number of records that were not written, of a write that has finished with such records. Missing in what version
    /// 0.1.0 stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_records: Option<u64>,
    /// The request that makes what was not made, if the write has ended and the same request may succeed later.
    #[serde(default, with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub retry_request: Option<Value>,
    /// The write that this one makes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<WriteId>,
    /// The write that makes this one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<Retried>,
    /// The digest of the request.
    pub request_digest: String,
    /// The number of the current attempt. Only the current attempt may finish the write.
    pub attempt: u64,
    /// The time after which the current attempt may be taken over.
    #[serde(with = "crate::time::millis")]
    pub deadline: Timestamp,
    /// The last time at which an attempt began to send a request that may take effect even later than its response, and must not
    /// be repeated blindly; the Unix epoch if no such request may take effect. `None` if version 0.1.0 stored the write.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// The time from which no request of the write can take effect any more, if a request of an attempt got no response
    /// ([`super::rule::settled_at`]). Until then later writes of its records wait, although the write has ended. Missing if
    /// every request was answered, and in what version 0.1.0 stored.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub unsettled_until: Option<Timestamp>,
    /// The time of the request.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// The time at which it was queued first. From then on it is accepted: it ends as finished or failed.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// The time at which it was requested again, if an earlier attempt ended before the write was accepted.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<Timestamp>,
    /// The deferrals so far.
    #[serde(default)]
    pub deferrals: Deferrals,
    /// The reason for which it is queued; for a write that was given up, the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// The time of the next attempt, while it is queued.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
}

impl Write {
    /// Returns when the write was accepted: queued for the first time. Such a write ends as finished or failed. Version
    /// 0.1.0 stored only the request with a queued write.
    #[must_use]
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.queued_at.or_else(|| self.request.as_ref().map(|_| self.updated_at))
    }

    /// Returns whether a request of an earlier attempt may have taken effect, or may still do so.
    #[must_use]
    pub fn may_be_sent(&self) -> bool {
        self.sent_at != Some(Timestamp::UNIX_EPOCH)
    }

    /// Returns the state. A finished write with a problem, as version 0.1.0 stored it, has failed.
    #[must_use]
    pub fn shown_state(&self) -> WriteState {
        let has_problem = || self.response.as_ref().is_some_and(|response| response.get("problem").is_some());
        match self.state {
            WriteState::Finished if has_problem() => WriteState::Failed,
            state => state,
        }
    }
}

impl WriteState {
    /// Returns whether the write has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }
}

/// The outcome of beginning a write.
#[derive(Clone, Debug, PartialEq)]
pub enum BeginOutcome {
    /// The caller owns the write. If `attempt` is above 1, an earlier attempt may have done part of it.
    Started(Write),
    /// The write is finished or queued. A queued one must be queued again: the caller that stored it may have failed
    /// before it was queued.
    Replay(Write),
    /// Another caller owns the write.
    InProgress(Write),
}
