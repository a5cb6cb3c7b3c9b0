//! What moves between the functions.

mod outgoing;

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_sqs::Client;
use jiff::Timestamp;
use salesforce::{Clock, ObjectName, OrgId};
use serde::{Deserialize, Serialize};

use crate::ids::WriteId;
use crate::{Error, batch, time};
use outgoing::{Outgoing, Sender};

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
    /// What changed since the last time: of one object, or of all as a poll, which is tried once because the next one repeats it.
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

impl RefreshTask {
    /// Whether it is a poll.
    #[must_use]
    pub fn is_poll(&self) -> bool {
        self.kind == RefreshKind::Incremental && self.object.is_none()
    }
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

/// A message that nothing more is tried for, until a person has looked at it: a dead letter to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// The org that it concerns, as the queue's message group; `None` when nobody knows.
    pub group: Option<String>,
    /// The message's body as it was, readable or not.
    pub body: String,
    /// Why, as a stable code: the message attribute `reason`.
    pub reason: String,
    /// Since when: the message attribute `failed_at`.
    pub failed_at: Timestamp,
}

/// A queue of one kind of message.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    sender: Sender,
    carries: PhantomData<fn() -> T>,
}

impl<T: Message> Queue<T> {
    /// The queue at this URL.
    pub fn new(client: Client, url: impl Into<String>, clock: Clock) -> Self {
        Self { sender: Sender { client, url: url.into(), clock }, carries: PhantomData }
    }

    /// The queue of this name.
    ///
    /// # Errors
    /// Only those of the queue: it may not exist.
    pub async fn from_name(client: Client, name: &str, clock: Clock) -> Result<Self, Error> {
        let url = url_of(&client, name).await?;
        Ok(Self::new(client, url, clock))
    }

    /// Queues one message, to be seen after `delay` (at most 15 minutes).
    ///
    /// # Errors
    /// Only those of the queue.
    pub async fn send(&self, message: &T, delay: Duration) -> Result<(), Error> {
        let operation = "queue the message";
        let request = self.sender.client.send_message().queue_url(&self.sender.url);
        request
            .message_group_id(message.org().as_str())
            .message_body(body(operation, message)?)
            .delay_seconds(whole_seconds(delay))
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
        let operation = "queue the messages";
        let outgoing = messages.iter().enumerate().map(|(index, one)| outgoing(operation, index, one, Duration::ZERO));
        match self.sender.send(operation, outgoing.collect::<Result<_, _>>()?, deadline).await?.len() {
            0 => Ok(()),
            missing => Err(Error::NotAllQueued { missing, total: messages.len() }),
        }
    }

    /// Queues messages, each to be seen after a delay of its own (at most 15 minutes), as [`Queue::send_all`] does. Gives the
    /// indexes of those that are not known to be in the queue.
    ///
    /// # Errors
    /// What SQS refuses for good, and [`Error::TooLarge`]. After an error some may be in the queue all the same.
    pub async fn send_delayed(&self, messages: &[(T, Duration)], deadline: Timestamp) -> Result<Vec<usize>, Error> {
        let operation = "queue the delayed messages";
        let later = messages.iter().enumerate().map(|(index, (one, delay))| outgoing(operation, index, one, *delay));
        self.sender.send(operation, later.collect::<Result<_, _>>()?, deadline).await
    }

    /// Puts messages that are given up into this queue, which is one for dead letters, each with its reason and time as message
    /// attributes. Gives the indexes of those that are not known to be in the queue when `deadline` has come.
    ///
    /// # Errors
    /// What SQS refuses for good. After an error some may be in the queue all the same.
    pub async fn send_dead_letters(
        &self,
        messages: &[NewDeadLetter],
        deadline: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        let given_up = messages.iter().enumerate().map(|(index, message)| Outgoing {
            index,
            group: message.group.clone(),
            body: message.body.clone(),
            delay_seconds: 0,
            attributes: vec![("reason", message.reason.clone()), ("failed_at", time::format(message.failed_at))],
        });
        self.sender.send("queue the dead letters", given_up.collect(), deadline).await
    }
}

fn outgoing<T: Message>(
    operation: &'static str,
    index: usize,
    message: &T,
    delay: Duration,
) -> Result<Outgoing, Error> {
    let group = Some(message.org().to_string());
    let body = body(operation, message)?;
    Ok(Outgoing { index, group, body, delay_seconds: whole_seconds(delay), attributes: Vec::new() })
}

fn whole_seconds(delay: Duration) -> i32 {
    i32::try_from(delay.min(MAX_DELAY).as_secs()).unwrap_or_default()
}

fn body<T: Serialize>(operation: &'static str, message: &T) -> Result<String, Error> {
    let body =
        serde_json::to_string(message).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
    match body.len() {
        0..=batch::MAX_BYTES => Ok(body),
        size_bytes => Err(Error::TooLarge { operation, size_bytes, limit: MESSAGE_LIMIT }),
    }
}

/// The URL of the queue of this name.
pub(crate) async fn url_of(client: &Client, name: &str) -> Result<String, Error> {
    let operation = "find the queue";
    let answer = client.get_queue_url().queue_name(name).send().await.map_err(Error::aws(operation))?;
    answer.queue_url.ok_or(Error::Incomplete { operation, field: "QueueUrl" })
}

/// [`batch::MAX_BYTES`] as it reads in [`Error::TooLarge`].
const MESSAGE_LIMIT: &str = "message limit of 256 KB";

/// For how long SQS holds a message back at most.
pub const MAX_DELAY: Duration = Duration::from_secs(900);
