//! The outbound ledger: the request, connection and outcome of every write. It also makes a write happen once.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::ids::{IdempotencyKey, PlatformUser, WriteId, sha256_hex};
use crate::owner_policy::WriteRoute;
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, Update, from_item, key, number, text, to_item};
use crate::time;

pub mod rule;

use rule::Action;

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// Records, by external id.
    Records,
    /// A new note.
    Note,
    /// The new text of a note.
    NoteUpdate,
}

/// The state of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// A caller works on it, until the deadline.
    InProgress,
    /// It waits in a queue.
    Queued,
    /// It has a response.
    Finished,
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
    /// The whole request. Its digest distinguishes a retry from another request under the same key.
    pub request: Value,
    /// The current time.
    pub now: Timestamp,
    /// The time after which another caller may take the write over.
    pub claim_ttl: SignedDuration,
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
    /// The response to the platform, once it is finished: every record's outcome.
    #[serde(default, rename = "answer", with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
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
    /// The time of the request.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

impl Write {
    /// Returns whether a request of an earlier attempt may have taken effect, or may still do so.
    #[must_use]
    pub fn may_be_sent(&self) -> bool {
        self.sent_at != Some(Timestamp::UNIX_EPOCH)
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

/// The `writes` table.
#[derive(Clone, Debug)]
pub struct Writes {
    table: Table,
    retention: SignedDuration,
}

/// The time for which a finished write is stored after its last change, unless the deployment sets another.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Writes {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table), retention: RETENTION }
    }

    /// Sets the time for which a finished write is stored after its last change. A repeated request gets the first outcome
    /// for as long. A write that is queued or in progress does not expire.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// Begins the write. Of concurrent callers with the same key, one owns it.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`]: the key was used for another request.
    pub async fn begin(&self, write: &NewWrite) -> Result<BeginOutcome, Error> {
        let operation = "begin the write";
        let first = write.first_attempt();
        let when = Expression { text: "attribute_not_exists(#write_id)", values: Vec::new() };
        let stored: Write = match self.table.put(operation, to_item(operation, &first)?, when).await? {
            Conditional::Done(()) => return Ok(BeginOutcome::Started(first)),
            Conditional::Refused(Some(item)) => from_item(operation, item)?,
            Conditional::Refused(None) => return Err(Error::Conflict { operation }),
        };
        match rule::begin(&stored, &first.request_digest, write.now) {
            Action::Refuse => Err(Error::IdempotencyKeyReused),
            Action::Replay => Ok(BeginOutcome::Replay(stored)),
            Action::Wait => Ok(BeginOutcome::InProgress(stored)),
            Action::TakeOver => self.take_over(stored, write.now, write.claim_ttl).await,
        }
    }

    /// Begins a queued write, as [`Writes::begin`] does, for the worker of the queue.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resume(
        &self,
        org: OrgId,
        write: WriteId,
        now: Timestamp,
        claim_ttl: SignedDuration,
    ) -> Result<BeginOutcome, Error> {
        let stored =
            self.load(org, write).await?.ok_or(Error::NotFound { operation: "resume the write", entity: "write" })?;
        match rule::resume(&stored, now) {
            Action::Replay | Action::Refuse => Ok(BeginOutcome::Replay(stored)),
            Action::Wait => Ok(BeginOutcome::InProgress(stored)),
            Action::TakeOver => self.take_over(stored, now, claim_ttl).await,
        }
    }

    async fn take_over(&self, stored: Write, now: Timestamp, claim_ttl: SignedDuration) -> Result<BeginOutcome, Error> {
        let operation = "take over the write";
        let update = Update {
            set: vec![
                ("state", text("in_progress")),
                ("deadline", text(time::format(deadline(now, claim_ttl)))),
                ("updated_at", text(time::format(now))),
            ],
            add: vec![("attempt", 1)],
            ..if_current_attempt(&stored)
        };
        match self.table.update(operation, row_key(stored.org_id, stored.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item).map(BeginOutcome::Started),
            Conditional::Refused(Some(item)) => from_item(operation, item).map(BeginOutcome::InProgress),
            Conditional::Refused(None) => Err(Error::Conflict { operation }),
        }
    }

    /// Stores the request, for the worker of the queue.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over; [`Error::TooLarge`].
    pub async fn queue(&self, write: &Write, request: &Value, now: Timestamp) -> Result<Write, Error> {
        let operation = "queue the write";
        let update = Update {
            set: vec![
                ("state", text("queued")),
                ("request", text(bounded(operation, request)?)),
                ("updated_at", text(time::format(now))),
            ],
            ..if_current_attempt(write)
        };
        self.update(operation, write, update).await
    }

    /// Stores that this attempt is about to send a request that must not be repeated blindly, or with `None` that no request of
    /// the write may take effect any more.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over.
    pub async fn mark_sent(&self, write: &Write, sent_at: Option<Timestamp>) -> Result<Write, Error> {
        let operation = "store the time of the request";
        let sent_at = time::format(sent_at.unwrap_or(Timestamp::UNIX_EPOCH));
        let update = Update { set: vec![("sent_at", text(sent_at))], ..if_current_attempt(write) };
        self.update(operation, write, update).await
    }

    /// Stores the outcome so far, of a write that another attempt continues.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over; [`Error::TooLarge`].
    pub async fn save_outcome(&self, write: &Write, outcome: &Value, now: Timestamp) -> Result<Write, Error> {
        let operation = "store the outcome of the write so far";
        let update = Update {
            set: vec![
                ("answer", text(bounded(operation, outcome)?)),
                ("updated_at", text(time::format(now))),
            ],
            ..if_current_attempt(write)
        };
        self.update(operation, write, update).await
    }

    /// Stores the response, for every later caller.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over; [`Error::TooLarge`].
    pub async fn finish(
        &self,
        write: &Write,
        route: Option<&WriteRoute>,
        response: &Value,
        now: Timestamp,
    ) -> Result<Write, Error> {
        let operation = "finish the write";
        let mut update = Update {
            set: vec![
                ("state", text("finished")),
                ("answer", text(bounded(operation, response)?)),
                ("updated_at", text(time::format(now))),
                ("expires_at", number(now.saturating_add(self.retention).unwrap_or(now).as_second())),
            ],
            remove: vec!["request"],
            ..if_current_attempt(write)
        };
        if let Some(route) = route {
            update.set.push(("route", AttributeValue::M(to_item(operation, route)?)));
        }
        self.update(operation, write, update).await
    }

    async fn update(&self, operation: &'static str, write: &Write, update: Update) -> Result<Write, Error> {
        match self.table.update(operation, row_key(write.org_id, write.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    /// Deletes a write that did not take effect, so that its key can be used again at once. A write that another
    /// attempt took over is kept.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn abandon(&self, write: &Write) -> Result<(), Error> {
        let Update { when, values, .. } = if_current_attempt(write);
        let when = Expression { text: when, values };
        self.table.delete("abandon the write", row_key(write.org_id, write.write_id), when).await.map(drop)
    }

    /// Returns the write, or `None` if there is no such id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, write: WriteId) -> Result<Option<Write>, Error> {
        self.table.get("load the write", row_key(org, write)).await
    }
}

impl NewWrite {
    fn first_attempt(&self) -> Write {
        Write {
            org_id: self.org_id,
            write_id: WriteId::derive(self.org_id, &self.idempotency_key),
            kind: self.kind,
            object: self.object.clone(),
            platform_user: self.platform_user.clone(),
            state: WriteState::InProgress,
            route: None,
            request: None,
            response: None,
            request_digest: self.digest(),
            attempt: 1,
            deadline: deadline(self.now, self.claim_ttl),
            sent_at: Some(Timestamp::UNIX_EPOCH),
            created_at: time::to_millis(self.now),
            updated_at: time::to_millis(self.now),
        }
    }

    /// Returns the digest of everything that identifies the request.
    fn digest(&self) -> String {
        let object = self.object.as_ref().map(ObjectName::as_str);
        let user = self.platform_user.as_ref().map(PlatformUser::as_str);
        sha256_hex(json!([self.kind, object, user, self.request]).to_string().as_bytes())
    }
}

fn deadline(now: Timestamp, claim_ttl: SignedDuration) -> Timestamp {
    time::to_millis(now.saturating_add(claim_ttl).unwrap_or(now))
}

/// Returns an update under the condition that this attempt is the current one and unfinished.
fn if_current_attempt(write: &Write) -> Update {
    Update {
        when: "#attempt = :attempt AND #state <> :finished",
        values: vec![(":attempt", number(write.attempt)), (":finished", text("finished"))],
        ..Update::default()
    }
}

/// The size limit of a request or response. The rest of an item's 400 KB is left to its other attributes.
const MAX_JSON_BYTES: usize = 350 * 1024;
const JSON_LIMIT: &str = "JSON limit of 350 KB";

fn bounded(operation: &'static str, value: &Value) -> Result<String, Error> {
    let text = value.to_string();
    if text.len() <= MAX_JSON_BYTES {
        Ok(text)
    } else {
        Err(Error::TooLarge { operation, size_bytes: text.len(), limit: JSON_LIMIT })
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &KEYS, place: Place::of_org(org) }
}

/// Returns the finished writes of an org that name a record: in the stored request, or in the outcome. One that is not
/// finished was accepted, and may be about other records too.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    let only = "#state = :finished AND (contains(#request, :record) OR contains(#answer, :record))";
    // Both forms of an id begin with the same 15 characters.
    let prefix = record.as_str().chars().take(15).collect::<String>();
    let values = vec![(":record", text(prefix)), (":finished", text("finished"))];
    let only = Some(Expression { text: only, values });
    Rows { keys: &KEYS, place: Place::Partition { attribute: "org_id", value: org.to_string(), only } }
}

const KEYS: [&str; 2] = ["org_id", "write_id"];

fn row_key(org: OrgId, write: WriteId) -> Item {
    key([("org_id", org.as_str()), ("write_id", &write.to_string())])
}
