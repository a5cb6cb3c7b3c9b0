//! The outbound ledger: the request, connection and outcome of every write. It also makes a write happen once.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde::Deserialize;
use serde_json::Value;

use crate::ids::WriteId;
use crate::owner_policy::WriteRoute;
use crate::table::{
    Conditional, Expression, Item, Place, Rows, Table, Update, from_item, from_items, key, number, text, to_item,
};
use crate::{Deferrals, Error, WriteTask, time};

pub mod client_keys;
mod digest;
mod entry;
mod erasing;
mod list;
pub mod order;
mod retry;
pub mod rule;

pub use entry::{BeginOutcome, NewWrite, Obstacle, QueuedState, Retried, WaitingFor, Write, WriteKind, WriteState};
pub(crate) use erasing::rows_of_record;
pub use list::{ListedState, WriteFilter, WritePage, WritePosition};
use rule::Action;

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
    /// for as long. An accepted write does not expire before it has ended.
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
        let mut item = to_item(operation, &first)?;
        item.insert(EXPIRES_AT.to_owned(), self.expires_at(write.now));
        let stored: Write = match self.table.put(operation, item, when).await? {
            Conditional::Done(()) => return Ok(BeginOutcome::Started(first)),
            Conditional::Refused(Some(item)) => from_item(operation, item)?,
            Conditional::Refused(None) => return Err(Error::Conflict { operation }),
        };
        let digests = [first.request_digest, digest::in_order(write)];
        match rule::begin(&stored, &digests, write.now) {
            Action::Refuse => Err(Error::IdempotencyKeyReused),
            Action::Replay => Ok(BeginOutcome::Replay(stored)),
            Action::Wait => Ok(BeginOutcome::InProgress(stored)),
            Action::TakeOver => self.take_over(stored, write.now, write.claim_ttl).await,
        }
    }

    /// Begins the queued write of a task, as [`Writes::begin`] does. [`BeginOutcome::Replay`] says that the task is done.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resume(
        &self,
        task: &WriteTask,
        now: Timestamp,
        claim_ttl: SignedDuration,
    ) -> Result<BeginOutcome, Error> {
        let missing = Error::NotFound { operation: "resume the write", entity: "write" };
        let stored = self.load(task.org_id, task.write_id).await?.ok_or(missing)?;
        match rule::resume(&stored, task.deferrals, now) {
            Action::Replay | Action::Refuse => Ok(BeginOutcome::Replay(stored)),
            Action::Wait => Ok(BeginOutcome::InProgress(stored)),
            Action::TakeOver => self.take_over(stored, now, claim_ttl).await,
        }
    }

    async fn take_over(&self, stored: Write, now: Timestamp, claim_ttl: SignedDuration) -> Result<BeginOutcome, Error> {
        let operation = "take over the write";
        let mut update = Update {
            set: vec![
                ("state", text("in_progress")),
                ("deadline", text(time::format(deadline(now, claim_ttl)))),
                ("updated_at", text(time::format(now))),
            ],
            add: vec![("attempt".into(), 1)],
            ..if_current_attempt(&stored)
        };
        match stored.accepted_at() {
            Some(accepted_at) => update.set.push(("queued_at", text(time::format(accepted_at)))),
            None => update.set.push(("ordered_at", text(time::format(now)))),
        }
        if stored.state == WriteState::InProgress {
            // The earlier attempt was killed, and its last request may still take effect.
            update.set.push(unsettled(&stored));
        }
        match self.table.update(operation, row_key(stored.org_id, stored.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item).map(BeginOutcome::Started),
            Conditional::Refused(Some(item)) => from_item(operation, item).map(BeginOutcome::InProgress),
            Conditional::Refused(None) => Err(Error::Conflict { operation }),
        }
    }

    /// Queues the write, which accepts it. The task is sent before, so that a queued write always has one.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over; [`Error::TooLarge`].
    pub async fn queue(&self, write: &Write, queued: &QueuedState<'_>, now: Timestamp) -> Result<Write, Error> {
        let operation = "queue the write";
        let mut update = Update {
            set: vec![
                ("state", text("queued")),
                ("request", text(bounded(operation, queued.request)?)),
                ("deferrals", AttributeValue::M(to_item(operation, queued.deferrals)?)),
                ("obstacle", AttributeValue::M(to_item(operation, queued.obstacle)?)),
                ("next_attempt_at", text(time::format(queued.next_attempt_at))),
                ("updated_at", text(time::format(now))),
            ],
            set_once: vec![("queued_at", text(time::format(now)))],
            remove: vec![EXPIRES_AT],
            ..if_current_attempt(write)
        };
        if let Some(outcome) = queued.outcome {
            update.set.push(("answer", text(bounded(operation, outcome)?)));
        }
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

    /// Stores that a request of this attempt got no response, so that it may take effect late.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over.
    pub async fn mark_unsettled(&self, write: &Write) -> Result<Write, Error> {
        let update = Update { set: vec![unsettled(write)], ..if_current_attempt(write) };
        self.update("store that a request was not answered", write, update).await
    }

    /// Stores the outcome of each record, for every later caller, and `write.retry_request` for a retry.
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
        let mut update = self.end(write, "finished", (operation, response), now)?;
        if let Some(failed) = failed_records(response) {
            update.set.push(("failed_records", number(failed)));
        }
        if let Some(route) = route {
            update.set.push(("route", AttributeValue::M(to_item(operation, route)?)));
        }
        self.update(operation, write, update).await
    }

    /// Stores the problem for which the write was refused or given up, for every later caller, and `write.retry_request` for a
    /// retry.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another attempt took over.
    pub async fn fail(&self, write: &Write, response: &Value, now: Timestamp) -> Result<Write, Error> {
        let operation = "fail the write";
        let update = self.end(write, "failed", (operation, response), now)?;
        self.update(operation, write, update).await
    }

    /// Returns the update of a write that ends. Its request for a retry is stored if it fits beside the response.
    fn end(
        &self,
        write: &Write,
        state: &'static str,
        (operation, response): (&'static str, &Value),
        now: Timestamp,
    ) -> Result<Update, Error> {
        let retry_request = write.retry_request.as_ref().filter(|request| is_queueable(request, Some(response)));
        let mut set = vec![
            ("state", text(state)),
            ("answer", text(bounded(operation, response)?)),
            ("updated_at", text(time::format(now))),
            (EXPIRES_AT, self.expires_at(now)),
        ];
        set.extend(retry_request.map(|request| ("retry_request", text(request.to_string()))));
        Ok(Update { set, remove: vec!["request", "next_attempt_at"], ..if_current_attempt(write) })
    }

    fn expires_at(&self, now: Timestamp) -> AttributeValue {
        number(now.saturating_add(self.retention).unwrap_or(now).as_second())
    }

    async fn update(&self, operation: &'static str, write: &Write, update: Update) -> Result<Write, Error> {
        match self.table.update(operation, row_key(write.org_id, write.write_id), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    /// Deletes a write that did not take effect, so that its key can be used again at once. A write that another attempt took
    /// over, or that may take effect late, is kept. Returns whether it was deleted.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn abandon(&self, write: &Write, now: Timestamp) -> Result<bool, Error> {
        let Update { mut values, .. } = if_current_attempt(write);
        values.push((":now", text(time::format(now))));
        let when = Expression { text: SETTLED_ATTEMPT, values };
        let deleted = self.table.delete("abandon the write", row_key(write.org_id, write.write_id), when).await?;
        Ok(matches!(deleted, Conditional::Done(_)))
    }

    /// Returns the tasks of accepted writes of an org whose next attempt was due before a time and has not begun, the oldest
    /// first, at most 1,000. Their messages are lost, dead letters, or late.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn overdue(&self, org: OrgId, before: Timestamp) -> Result<Vec<(WriteKind, WriteTask)>, Error> {
        let operation = "find the overdue writes";
        let query = self.table.query_partition(("org_id", org.as_str())).index_name("by_next_attempt");
        let query = query
            .key_condition_expression("#partition = :partition AND #next_attempt_at < :before")
            .expression_attribute_names("#next_attempt_at", "next_attempt_at")
            .expression_attribute_values(":before", text(time::format(before)))
            .limit(MAX_OVERDUE);
        let page = query.send().await.map_err(Error::aws(operation))?;
        let found: Vec<Overdue> = from_items(operation, page.items.unwrap_or_default())?;
        Ok(found.into_iter().map(|overdue| (overdue.kind, overdue.task(org))).collect())
    }

    /// Returns the write, or `None` if there is no such id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, write: WriteId) -> Result<Option<Write>, Error> {
        self.table.get("load the write", row_key(org, write)).await
    }
}

/// A write in the index `by_next_attempt`.
#[derive(Deserialize)]
struct Overdue {
    write_id: WriteId,
    kind: WriteKind,
    #[serde(default)]
    deferrals: Deferrals,
}

impl Overdue {
    fn task(&self, org_id: OrgId) -> WriteTask {
        WriteTask { org_id, write_id: self.write_id, deferrals: self.deferrals.count, postponed_since: None }
    }
}

impl NewWrite {
    /// Returns the write in its first attempt, as it is stored.
    #[must_use]
    pub fn first_attempt(&self) -> Write {
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
            failed_records: None,
            retry_request: None,
            retry_of: self.retry_of,
            retried: None,
            request_digest: digest::canonical(self),
            attempt: 1,
            deadline: deadline(self.now, self.claim_ttl),
            sent_at: Some(Timestamp::UNIX_EPOCH),
            unsettled_until: None,
            created_at: time::to_millis(self.now),
            updated_at: time::to_millis(self.now),
            queued_at: None,
            ordered_at: None,
            deferrals: Deferrals::default(),
            obstacle: None,
            next_attempt_at: None,
        }
    }
}

fn deadline(now: Timestamp, claim_ttl: SignedDuration) -> Timestamp {
    time::to_millis(now.saturating_add(claim_ttl).unwrap_or(now))
}

/// Returns the attribute of a write whose current attempt sent a request that was not answered.
fn unsettled(write: &Write) -> (&'static str, AttributeValue) {
    ("unsettled_until", text(time::format(rule::settled_at(write.deadline))))
}

/// Returns the number of records that were not written; `None` if every one was.
fn failed_records(response: &Value) -> Option<usize> {
    let records = response.get("records")?.as_array()?;
    let failed = records.iter().filter(|record| record.get("success") == Some(&Value::Bool(false))).count();
    (failed > 0).then_some(failed)
}

/// The condition that an attempt is the current one and unfinished.
const CURRENT_ATTEMPT: &str = "#attempt = :attempt AND NOT #state IN (:finished, :failed)";
/// The condition that moreover no request of the write may take effect late.
const SETTLED_ATTEMPT: &str = "#attempt = :attempt AND NOT #state IN (:finished, :failed) \
                               AND (attribute_not_exists(#unsettled_until) OR #unsettled_until <= :now)";

/// Returns an update under the condition that this attempt is the current one and unfinished.
fn if_current_attempt(write: &Write) -> Update {
    Update {
        when: CURRENT_ATTEMPT,
        values: vec![(":attempt", number(write.attempt)), (":finished", text("finished")), (":failed", text("failed"))],
        ..Update::default()
    }
}

/// The largest number of overdue writes that are returned at once.
const MAX_OVERDUE: i32 = 1_000;

/// The attribute of the time to live.
const EXPIRES_AT: &str = "expires_at";

/// The size limit of a request, with the outcome so far, and of a response. The rest of an item's 400 KB is left to its other attributes.
const MAX_JSON_BYTES: usize = 350 * 1024;
const JSON_LIMIT: &str = "JSON limit of 350 KB";

/// Returns whether a request fits into the ledger, beside the outcome so far, so that the write can be queued.
#[must_use]
pub fn is_queueable(request: &Value, outcome: Option<&Value>) -> bool {
    let size = |value: &Value| value.to_string().len();
    size(request) + outcome.map_or(0, size) <= MAX_JSON_BYTES
}

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

const KEYS: [&str; 2] = ["org_id", "write_id"];

fn row_key(org: OrgId, write: WriteId) -> Item {
    key([("org_id", org.as_str()), ("write_id", &write.to_string())])
}
