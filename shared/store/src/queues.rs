//! Messages between the functions, in SQS.

mod outgoing;

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_sqs::Client;
use jiff::Timestamp;
use salesforce::{Clock, ObjectName, OrgId};
use serde::{Deserialize, Serialize};

use crate::deferral::{Deferrals, MAX_DELAY};
use crate::ids::WriteId;
use crate::{Error, batch, time};
use outgoing::{Outgoing, Sender};

/// A message of a queue. Its org is its message group, so that a busy org does not delay the others; that of a delivery to
/// the platform is the endpoint.
pub trait Message: Serialize + Send + Sync {
    /// Returns the message group.
    fn group(&self) -> &str;
}

/// The extent of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// The nightly refresh: pipelines, connections, and the changes of every object.
    Nightly,
    /// The backfill of every object.
    Backfill,
    /// The changes of one object since its last scan.
    Incremental,
    /// The changes of every object since the last scan. It is tried once, since the next poll repeats it.
    Poll,
    /// The hourly upkeep of the org's connections.
    Connections,
    /// The audit: the comparison of the mirror's rows with the org's.
    Audit,
    /// An audit that deletes all records from the mirror that Salesforce no longer returns, however many they are: a person has
    /// confirmed that they are gone.
    ConfirmedAudit,
    /// The values of an object's computed fields, which change without a new version of their record.
    Computed,
}

/// A request to refresh an org, or one of its objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RefreshMessage", into = "RefreshMessage")]
pub struct RefreshTask {
    /// The org.
    pub org_id: OrgId,
    /// The extent of the refresh.
    pub kind: RefreshKind,
    /// The object; `None` for all of them.
    pub object: Option<ObjectName>,
    /// The time of the request.
    pub requested_at: Timestamp,
    /// The time before which the task is not begun; `None` for at once.
    pub not_before: Option<Timestamp>,
    /// The time from which a backfill reads changed rows; `None` for all rows.
    pub since: Option<Timestamp>,
    /// The page of a backfill by the Bulk API that the task reads; `None` for every other task.
    pub part: Option<u32>,
    /// The deferrals since the task last made progress.
    pub deferrals: Deferrals,
}

impl RefreshTask {
    /// Creates a task for all objects of an org that is begun at once.
    #[must_use]
    pub fn new(org_id: OrgId, kind: RefreshKind, requested_at: Timestamp) -> Self {
        let (object, not_before, since, part, deferrals) = (None, None, None, None, Deferrals::default());
        Self { org_id, kind, object, requested_at, not_before, since, part, deferrals }
    }

    /// Returns the task that continues this one for one object. The rest of a poll is an incremental refresh.
    #[must_use]
    pub fn for_object(&self, object: ObjectName) -> Self {
        let kind = if self.kind == RefreshKind::Poll { RefreshKind::Incremental } else { self.kind };
        Self { kind, object: Some(object), ..self.clone() }
    }

    /// Returns the task with other deferrals.
    #[must_use]
    pub fn with_deferrals(&self, deferrals: Deferrals) -> Self {
        Self { deferrals, ..self.clone() }
    }
}

/// The JSON of a [`RefreshTask`]. A poll is written as an `incremental` refresh without an object, as it was before
/// [`RefreshKind::Poll`] existed, so that functions of both versions understand each other during an update. The kind
/// `poll` is read too.
#[derive(Serialize, Deserialize)]
struct RefreshMessage {
    org_id: OrgId,
    kind: RefreshKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<ObjectName>,
    #[serde(with = "crate::time::millis")]
    requested_at: Timestamp,
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    #[serde(flatten)]
    deferrals: Deferrals,
}

impl From<RefreshMessage> for RefreshTask {
    fn from(message: RefreshMessage) -> Self {
        let RefreshMessage { org_id, kind, object, requested_at, not_before, since, part, deferrals } = message;
        let kind = match (kind, &object) {
            (RefreshKind::Incremental, None) => RefreshKind::Poll,
            (RefreshKind::Poll, Some(_)) => RefreshKind::Incremental,
            _ => kind,
        };
        Self { org_id, kind, object, requested_at, not_before, since, part, deferrals }
    }
}

impl From<RefreshTask> for RefreshMessage {
    fn from(task: RefreshTask) -> Self {
        let RefreshTask { org_id, kind, object, requested_at, not_before, since, part, deferrals } = task;
        let kind = if kind == RefreshKind::Poll { RefreshKind::Incremental } else { kind };
        Self { org_id, kind, object, requested_at, not_before, since, part, deferrals }
    }
}

/// A request to carry out a queued write of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteTask {
    /// The org.
    pub org_id: OrgId,
    /// The write.
    pub write_id: WriteId,
    /// The number of the write's deferrals when the task was sent. A task with a smaller number than the write's is
    /// superseded: the task of the later deferral was sent before the write was stored with it.
    #[serde(default)]
    pub deferrals: u32,
    /// The time since which no attempt could be begun or recorded, if the task was sent again for that.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub postponed_since: Option<Timestamp>,
}

impl Message for RefreshTask {
    fn group(&self) -> &str {
        self.org_id.as_str()
    }
}

impl Message for WriteTask {
    fn group(&self) -> &str {
        self.org_id.as_str()
    }
}

/// A message to be dead-lettered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// The org, as the message group; `None` when it is unknown.
    pub group: Option<String>,
    /// The message body, unchanged.
    pub body: String,
    /// The reason as a stable code: the message attribute `reason`.
    pub reason: String,
    /// The time of the failure: the message attribute `failed_at`.
    pub failed_at: Timestamp,
}

/// A queue of messages of one type.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    sender: Sender,
    message_type: PhantomData<fn() -> T>,
}

impl<T: Message> Queue<T> {
    /// Creates a client for the queue at this URL.
    pub fn new(client: Client, url: impl Into<String>, clock: Clock) -> Self {
        Self { sender: Sender { client, url: url.into(), clock }, message_type: PhantomData }
    }

    /// Creates a client for the queue of this name.
    ///
    /// # Errors
    /// Only those of SQS: the queue may not exist.
    pub async fn from_name(client: Client, name: &str, clock: Clock) -> Result<Self, Error> {
        let url = url_of(&client, name).await?;
        Ok(Self::new(client, url, clock))
    }

    /// Queues a message, which becomes visible after `delay` (at most [`MAX_DELAY`]).
    ///
    /// # Errors
    /// Only those of SQS.
    pub async fn send(&self, message: &T, delay: Duration) -> Result<(), Error> {
        let operation = "queue the message";
        let request = self.sender.client.send_message().queue_url(&self.sender.url);
        request
            .message_group_id(message.group())
            .message_body(body(operation, message)?)
            .delay_seconds(whole_seconds(delay))
            .send()
            .await
            .map_err(Error::aws(operation))?;
        Ok(())
    }

    /// Queues all messages, or returns an error. Messages that SQS does not confirm are sent again until `deadline`; no
    /// call runs longer. After an error some messages may be queued: send all of them again.
    ///
    /// # Errors
    /// [`Error::NotAllQueued`]; [`Error::TooLarge`] for a message that exceeds the size limit.
    pub async fn send_all(&self, messages: &[T], deadline: Timestamp) -> Result<(), Error> {
        let operation = "queue the messages";
        let outgoing = messages.iter().enumerate().map(|(index, one)| outgoing(operation, index, one, Duration::ZERO));
        match self.sender.send(operation, outgoing.collect::<Result<_, _>>()?, deadline).await?.len() {
            0 => Ok(()),
            missing => Err(Error::NotAllQueued { missing, total: messages.len() }),
        }
    }

    /// Queues messages, each of which becomes visible after its own delay (at most [`MAX_DELAY`]). Returns the indexes
    /// of those not confirmed as queued before `deadline`.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::TooLarge`]. After an error some messages may be queued.
    pub async fn send_delayed(&self, messages: &[(T, Duration)], deadline: Timestamp) -> Result<Vec<usize>, Error> {
        let operation = "queue the delayed messages";
        let delayed = messages.iter().enumerate().map(|(index, (one, delay))| outgoing(operation, index, one, *delay));
        self.sender.send(operation, delayed.collect::<Result<_, _>>()?, deadline).await
    }

    /// Queues dead letters, with their reason and time as message attributes. Returns the indexes of those not
    /// confirmed as queued before `deadline`.
    ///
    /// # Errors
    /// [`Error::Refused`]. After an error some messages may be queued.
    pub async fn send_dead_letters(
        &self,
        messages: &[NewDeadLetter],
        deadline: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        let dead_letters = messages.iter().enumerate().map(|(index, message)| Outgoing {
            index,
            group: message.group.clone(),
            body: message.body.clone(),
            delay_seconds: 0,
            attributes: vec![("reason", message.reason.clone()), ("failed_at", time::format(message.failed_at))],
        });
        self.sender.send("queue the dead letters", dead_letters.collect(), deadline).await
    }
}

fn outgoing<T: Message>(
    operation: &'static str,
    index: usize,
    message: &T,
    delay: Duration,
) -> Result<Outgoing, Error> {
    let group = Some(message.group().to_owned());
    let body = body(operation, message)?;
    Ok(Outgoing { index, group, body, delay_seconds: whole_seconds(delay), attributes: Vec::new() })
}

/// Returns the delay as SQS takes it, rounded up, so that no message is visible too early.
fn whole_seconds(delay: Duration) -> i32 {
    i32::try_from(delay.min(MAX_DELAY).as_millis().div_ceil(1_000)).unwrap_or_default()
}

fn body<T: Serialize>(operation: &'static str, message: &T) -> Result<String, Error> {
    let body =
        serde_json::to_string(message).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
    match body.len() {
        size_bytes if size_bytes > batch::MESSAGES.bytes => {
            Err(Error::TooLarge { operation, size_bytes, limit: MESSAGE_LIMIT })
        }
        _ => Ok(body),
    }
}

/// Returns the URL of the queue of this name.
pub(crate) async fn url_of(client: &Client, name: &str) -> Result<String, Error> {
    let operation = "find the queue";
    let response = client.get_queue_url().queue_name(name).send().await.map_err(Error::aws(operation))?;
    response.queue_url.ok_or(Error::Incomplete { operation, field: "QueueUrl" })
}

/// [`batch::MESSAGES.bytes`], as it reads in [`Error::TooLarge`].
const MESSAGE_LIMIT: &str = "message limit of 256 KB";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(kind: &str, object: Option<&str>) -> Value {
        let mut message =
            json!({ "org_id": "00D5e000000KQ2eEAG", "kind": kind, "requested_at": "2026-11-22T10:00:00.000Z" });
        if let Some(object) = object {
            message["object"] = object.into();
        }
        message
    }

    fn parse(message: &Value) -> RefreshTask {
        serde_json::from_value(message.clone()).unwrap()
    }

    #[test]
    fn tasks_queued_by_an_earlier_version_are_understood() {
        let cases = [
            ("nightly", None, RefreshKind::Nightly),
            ("backfill", Some("Account"), RefreshKind::Backfill),
            ("incremental", Some("Account"), RefreshKind::Incremental),
            ("incremental", None, RefreshKind::Poll),
            ("connections", None, RefreshKind::Connections),
            ("audit", Some("Account"), RefreshKind::Audit),
            ("confirmed_audit", Some("Account"), RefreshKind::ConfirmedAudit),
            ("computed", Some("Account"), RefreshKind::Computed),
        ];
        for (kind, object, expected) in cases {
            let message = message(kind, object);
            let task = parse(&message);
            assert_eq!((task.kind, task.object.is_some()), (expected, object.is_some()), "{kind}");
            assert_eq!(serde_json::to_value(&task).unwrap(), message, "an earlier version understands the same JSON");
        }
    }

    #[test]
    fn a_deferred_task_reads_back_as_it_was_written() {
        let at = "2026-11-22T10:00:00Z".parse().unwrap();
        let deferrals = Deferrals { count: 2, since: Some(at), refusals: 1 };
        let task = parse(&message("nightly", Some("Account")));
        let task = RefreshTask { not_before: Some(at), since: Some(at), part: Some(7), ..task };
        let task = task.with_deferrals(deferrals);
        assert_eq!(parse(&serde_json::to_value(&task).unwrap()), task);
    }

    #[test]
    fn a_message_may_name_a_poll() {
        assert_eq!(parse(&message("poll", None)).kind, RefreshKind::Poll);
        assert_eq!(parse(&message("poll", Some("Account"))).kind, RefreshKind::Incremental);
    }

    #[test]
    fn the_rest_of_a_poll_is_an_incremental_refresh() {
        let object: ObjectName = "Account".parse().unwrap();
        let rest = parse(&message("poll", None)).for_object(object.clone());
        assert_eq!((rest.kind, rest.object), (RefreshKind::Incremental, Some(object.clone())));
        assert_eq!(parse(&message("backfill", None)).for_object(object).kind, RefreshKind::Backfill);
    }
}
