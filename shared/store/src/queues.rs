//! What moves between the functions.

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_sqs::Client;
use jiff::Timestamp;
use salesforce::{Clock, ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::WriteId;

/// Something a queue carries. The group is its org, so that a busy org does not hold up the others.
pub trait Message: Serialize + Send + Sync {
    /// The org it concerns.
    fn org(&self) -> OrgId;
}

/// A record may have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeHint {
    /// In which org.
    pub org_id: OrgId,
    /// Of which object.
    pub object: ObjectName,
    /// Which record.
    pub record_id: RecordId,
    /// Which notification said so.
    pub notification_id: RecordId,
    /// Which outbound message it was.
    pub action_id: RecordId,
    /// When it arrived.
    #[serde(with = "crate::time::millis")]
    pub received_at: Timestamp,
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

impl Message for ChangeHint {
    fn org(&self) -> OrgId {
        self.org_id
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

    /// Queues one message, to be seen after `delay` (at most 15 minutes).
    ///
    /// # Errors
    /// Only those of the queue.
    pub async fn send(&self, message: &T, delay: Duration) -> Result<(), Error> {
        let _ = (&self.client, &self.url, &self.clock, message, delay);
        todo!()
    }

    /// Queues all messages durably, or says that it did not. Those that SQS refuses in a batch are sent again until
    /// `deadline`. After an error some may be in the queue: send all again.
    ///
    /// # Errors
    /// [`Error::NotAllQueued`].
    pub async fn send_all(&self, messages: &[T], deadline: Timestamp) -> Result<(), Error> {
        let _ = (messages, deadline);
        todo!()
    }
}
