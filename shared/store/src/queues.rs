//! What moves between the functions.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::{Clock, ObjectName, OrgId};
use serde::{Deserialize, Serialize};

use crate::ids::WriteId;
use crate::{Error, batch};

/// Something a queue carries. The group is its org, so that a busy org does not hold up the others.
pub trait Message: Serialize + Send + Sync {
    /// The org it concerns.
    fn org(&self) -> OrgId;
}

/// Which refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// Everything that the night does.
    Nightly,
    /// The first copy.
    Backfill,
    /// What changed since the last time.
    Incremental,
    /// Only what its connections need by the hour.
    Connections,
}

/// An org, or one of its objects, is to be refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshTask {
    /// Which org.
    pub org_id: OrgId,
    /// Which refresh.
    pub kind: RefreshKind,
    /// Which object; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// When it was asked for.
    #[serde(with = "crate::time::millis")]
    pub requested_at: Timestamp,
}

/// A write waits in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteTask {
    /// In which org.
    pub org_id: OrgId,
    /// Which write.
    pub write_id: WriteId,
}

impl Message for RefreshTask {
    fn org(&self) -> OrgId {
        self.org_id
    }
}

impl Message for WriteTask {
    fn org(&self) -> OrgId {
        self.org_id
    }
}

/// A queue of one kind of message.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    client: Client,
    url: String,
    clock: Clock,
    carries: PhantomData<fn() -> T>,
}

impl<T: Message> Queue<T> {
    /// The queue at this URL.
    pub fn new(client: Client, url: impl Into<String>, clock: Clock) -> Self {
        Self { client, url: url.into(), clock, carries: PhantomData }
    }

    /// The queue of this name.
    ///
    /// # Errors
    /// Only those of the queue: it may not exist.
    pub async fn named(client: Client, name: &str, clock: Clock) -> Result<Self, Error> {
        let url = url_of(&client, name).await?;
        Ok(Self::new(client, url, clock))
    }

    /// Queues one message, to be seen after `delay` (at most 15 minutes).
    ///
    /// # Errors
    /// Only those of the queue.
    pub async fn send(&self, message: &T, delay: Duration) -> Result<(), Error> {
        let operation = "queue a message";
        let seconds = delay.min(MAX_DELAY).as_secs();
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(message.org().as_str())
            .message_body(body(operation, message)?)
            .delay_seconds(i32::try_from(seconds).unwrap_or_default())
            .send()
            .await
            .map_err(Error::aws(operation))?;
        Ok(())
    }

    /// Queues all messages durably, or says that it did not. Those of which SQS does not say that it has them are sent again
    /// until `deadline`, and no call outlives it. After an error some may be in the queue: send all again.
    ///
    /// # Errors
    /// [`Error::NotAllQueued`]; [`Error::TooLarge`] for a message that no batch takes.
    pub async fn send_all(&self, messages: &[T], deadline: Timestamp) -> Result<(), Error> {
        let operation = "queue messages";
        let mut waiting = Vec::with_capacity(messages.len());
        for message in messages {
            waiting.push(Outgoing { group: message.org(), body: body(operation, message)? });
        }
        for attempt in 0..SEND_ATTEMPTS {
            waiting = self.send_batches(operation, waiting, deadline).await?;
            let pause = Duration::from_millis(50 << attempt);
            let resumes = self.clock.now().saturating_add(SignedDuration::try_from(pause).unwrap_or_default());
            if waiting.is_empty() || resumes.is_ok_and(|at| at >= deadline) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        match waiting.len() {
            0 => Ok(()),
            missing => Err(Error::NotAllQueued { missing, total: messages.len() }),
        }
    }

    /// Sends the messages once, and gives those back that are worth another attempt.
    async fn send_batches(
        &self,
        operation: &'static str,
        messages: Vec<Outgoing>,
        deadline: Timestamp,
    ) -> Result<Vec<Outgoing>, Error> {
        let left = deadline.duration_since(self.clock.now());
        let patience = Duration::try_from(left).unwrap_or_default().min(CALL_PATIENCE);
        let batches = batch::split(messages, |message| message.body.len());
        let mut answers = stream::iter(batches)
            .map(|messages| self.send_batch(operation, messages, patience))
            .buffer_unordered(PARALLEL_BATCHES);
        let mut left = Vec::new();
        while let Some(answer) = answers.next().await {
            left.extend(answer?);
        }
        Ok(left)
    }

    async fn send_batch(
        &self,
        operation: &'static str,
        messages: Vec<Outgoing>,
        patience: Duration,
    ) -> Result<Vec<Outgoing>, Error> {
        let entries = messages.iter().enumerate().map(|(index, message)| message.entry(operation, index));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = match tokio::time::timeout(patience, request.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => match Error::aws(operation)(error) {
                refused @ Error::Refused { .. } => return Err(refused),
                _ => return Ok(messages),
            },
            Err(_elapsed) => return Ok(messages),
        };
        if let Some(fault) = answer.failed.iter().find(|entry| entry.sender_fault) {
            let source = fault.code.clone().into();
            return Err(Error::Refused { operation, code: fault.code.clone(), source });
        }
        let stored: BTreeSet<usize> = answer.successful.iter().filter_map(|entry| entry.id.parse().ok()).collect();
        Ok(messages.into_iter().enumerate().filter(|(index, _)| !stored.contains(index)).map(|(_, one)| one).collect())
    }
}

/// A message on its way.
struct Outgoing {
    group: OrgId,
    body: String,
}

impl Outgoing {
    fn entry(&self, operation: &'static str, index: usize) -> Result<SendMessageBatchRequestEntry, Error> {
        SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_group_id(self.group.as_str())
            .message_body(&self.body)
            .build()
            .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
    }
}

/// The URL of the queue of this name.
pub(crate) async fn url_of(client: &Client, name: &str) -> Result<String, Error> {
    let operation = "find the queue";
    let answer = client.get_queue_url().queue_name(name).send().await.map_err(Error::aws(operation))?;
    answer.queue_url.ok_or(Error::Incomplete { operation, field: "QueueUrl" })
}

fn body<T: Serialize>(operation: &'static str, message: &T) -> Result<String, Error> {
    let body =
        serde_json::to_string(message).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
    match body.len() {
        0..=batch::MAX_BYTES => Ok(body),
        size_bytes => Err(Error::TooLarge { operation, size_bytes }),
    }
}

/// SQS's own limit.
const MAX_DELAY: Duration = Duration::from_secs(900);
/// SQS answers in milliseconds: a call that takes longer than this is lost, and better made again.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Their pauses add up to 6 seconds; the caller's deadline is shorter as a rule.
const SEND_ATTEMPTS: u32 = 7;
/// An outbound message has at most 100 notifications, ten batches.
const PARALLEL_BATCHES: usize = 10;
