//! The outbound ledger, which is also what makes a write happen once: who asked for what, through which connection, and
//! what came of it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::ids::{IdempotencyKey, PlatformUser, WriteId, sha256_hex};
use crate::owner_policy::WriteRoute;
use crate::table::{Conditional, Expression, Item, Table, Update, from_item, key, number, text, to_item};
use crate::time;

pub mod rule;

use rule::Step;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// Records, by external id.
    Records,
    /// A new note.
    Note,
    /// A note's new text.
    NoteUpdate,
}

/// Where a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// Someone is at it, until the deadline.
    InProgress,
    /// It waits in a queue.
    Queued,
    /// It has its answer.
    Finished,
}

/// A write that the platform asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWrite {
    /// In which org.
    pub org_id: OrgId,
    /// The platform's key for it.
    pub idempotency_key: IdempotencyKey,
    /// What it is.
    pub kind: WriteKind,
    /// Of which object.
    pub object: Option<ObjectName>,
    /// On whose behalf.
    pub platform_user: Option<PlatformUser>,
    /// Everything that was asked for. Its digest tells a retry from another request under the same key.
    pub request: Value,
    /// When.
    pub now: Timestamp,
    /// For how long the caller may be at it before someone else may take it over.
    pub claim_ttl: SignedDuration,
}

/// A write in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// In which org.
    pub org_id: OrgId,
    /// Its id.
    pub write_id: WriteId,
    /// What it is.
    pub kind: WriteKind,
    /// Of which object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_user: Option<PlatformUser>,
    /// Where it stands.
    pub state: WriteState,
    /// Which way it went, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<WriteRoute>,
    /// What was asked for, while it waits in a queue.
    #[serde(default, with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// What the platform was answered, once it is finished: every record's outcome.
    #[serde(default, rename = "answer", with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// The digest of what was asked for.
    pub request_digest: String,
    /// Counts those who were at it. Only the last of them may finish it.
    pub attempt: u64,
    /// Until when the last of them may be at it.
    #[serde(with = "crate::time::millis")]
    pub deadline: Timestamp,
    /// When it was asked for.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// What asking for a write came to.
#[derive(Clone, Debug, PartialEq)]
pub enum BeginOutcome {
    /// The caller is at it. `attempt` above 1 means that someone before may have done part of it.
    Started(Write),
    /// It is finished, or waits in the queue: this is how it stands. One that waits is to be put into the queue again: the
    /// caller who wrote it down may have died before.
    Replay(Write),
    /// Someone else is at it.
    InProgress(Write),
}

/// The `writes` table.
#[derive(Clone, Debug)]
pub struct Writes {
    table: Table,
}

impl Writes {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Asks for the write. Of any number of callers with the same key, one is at it.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`]: the key was used for another request.
    pub async fn begin(&self, write: &NewWrite) -> Result<BeginOutcome, Error> {
        let operation = "begin the write";
        let fresh = write.first_attempt();
        let when = Expression { text: "attribute_not_exists(#write_id)", values: Vec::new() };
        let known: Write = match self.table.put(operation, to_item(operation, &fresh)?, when).await? {
            Conditional::Done(()) => return Ok(BeginOutcome::Started(fresh)),
            Conditional::Refused(Some(item)) => from_item(operation, item)?,
            Conditional::Refused(None) => return Err(Error::Conflict { operation }),
        };
        match rule::begin(&known, &fresh.request_digest, write.now) {
            Step::Refuse => Err(Error::IdempotencyKeyReused),
            Step::Replay => Ok(BeginOutcome::Replay(known)),
            Step::Wait => Ok(BeginOutcome::InProgress(known)),
            Step::TakeOver => self.take_over(known, write.now, write.claim_ttl).await,
        }
    }

    /// Takes a queued write up: like [`Writes::begin`] for the worker behind the queue.
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
        let known =
            self.load(org, write).await?.ok_or(Error::NotFound { operation: "resume the write", entity: "write" })?;
        match rule::resume(&known, now) {
            Step::Replay | Step::Refuse => Ok(BeginOutcome::Replay(known)),
            Step::Wait => Ok(BeginOutcome::InProgress(known)),
            Step::TakeOver => self.take_over(known, now, claim_ttl).await,
        }
    }

    async fn take_over(&self, known: Write, now: Timestamp, claim_ttl: SignedDuration) -> Result<BeginOutcome, Error> {
        let operation = "take over the write";
        let update = Update {
            set: vec![
                ("state", text("in_progress")),
                ("deadline", text(time::format(deadline(now, claim_ttl)))),
                ("updated_at", text(time::format(now))),
            ],
            add: vec![("attempt", 1)],
            ..this_attempt(&known)
        };
        match self.table.update(operation, row_key(known.org_id, known.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item).map(BeginOutcome::Started),
            Conditional::Refused(Some(item)) => from_item(operation, item).map(BeginOutcome::InProgress),
            Conditional::Refused(None) => Err(Error::Conflict { operation }),
        }
    }

    /// Keeps the request, for the worker behind the queue.
    ///
    /// # Errors
    /// [`Error::Conflict`] when someone else took the write over; [`Error::TooLarge`] when it does not fit.
    pub async fn queue(&self, write: &Write, request: &Value, now: Timestamp) -> Result<Write, Error> {
        let operation = "queue the write";
        let update = Update {
            set: vec![
                ("state", text("queued")),
                ("request", text(bounded(operation, request)?)),
                ("updated_at", text(time::format(now))),
            ],
            ..this_attempt(write)
        };
        self.settle(operation, write, update).await
    }

    /// Keeps the answer, for every later caller.
    ///
    /// # Errors
    /// [`Error::Conflict`] when someone else took the write over; [`Error::TooLarge`] when it does not fit.
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
            ],
            remove: vec!["request"],
            ..this_attempt(write)
        };
        if let Some(route) = route {
            update.set.push(("route", AttributeValue::M(to_item(operation, route)?)));
        }
        self.settle(operation, write, update).await
    }

    async fn settle(&self, operation: &'static str, write: &Write, update: Update) -> Result<Write, Error> {
        match self.table.update(operation, row_key(write.org_id, write.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    /// Forgets a write that did not take effect, so that the same key may be used again at once. One that someone else took
    /// over stays.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn abandon(&self, write: &Write) -> Result<(), Error> {
        let Update { when, values, .. } = this_attempt(write);
        let when = Expression { text: when, values };
        self.table.delete("abandon the write", row_key(write.org_id, write.write_id), when).await.map(drop)
    }

    /// The write, or `None` when there is none with this id.
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
            created_at: time::to_millis(self.now),
            updated_at: time::to_millis(self.now),
        }
    }

    /// Of everything that makes it this request and no other.
    fn digest(&self) -> String {
        let object = self.object.as_ref().map(ObjectName::as_str);
        let user = self.platform_user.as_ref().map(PlatformUser::as_str);
        sha256_hex(json!([self.kind, object, user, self.request]).to_string().as_bytes())
    }
}

fn deadline(now: Timestamp, claim_ttl: SignedDuration) -> Timestamp {
    time::to_millis(now.saturating_add(claim_ttl).unwrap_or(now))
}

/// Nobody took the write over, and it has no answer.
fn this_attempt(write: &Write) -> Update {
    Update {
        when: "#attempt = :attempt AND #state <> :finished",
        values: vec![(":attempt", number(write.attempt)), (":finished", text("finished"))],
        ..Update::default()
    }
}

/// A row takes 400 KB; this leaves room for the rest of it.
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

fn row_key(org: OrgId, write: WriteId) -> Item {
    key([("org_id", org.as_str()), ("write_id", &write.to_string())])
}
