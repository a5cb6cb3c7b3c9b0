//! Batches from SQS: what is in them, and which messages are to come again.

use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::{Outcome, Report};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<T> {
    /// SQS's id: what to give [`Answer`] if the message is to come again.
    pub id: String,
    /// What it says.
    pub body: T,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was queued.
    pub sent_at: Option<Timestamp>,
}

/// A batch, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// The messages.
    pub messages: Vec<Message<T>>,
    /// The ids of messages that say nothing this function understands. They are to be answered as failed, so that the queue
    /// moves them to its dead-letter queue.
    pub unreadable: Vec<String>,
}

impl<T: DeserializeOwned> Batch<T> {
    /// Reads a batch.
    #[must_use]
    pub fn parse(event: SqsEvent) -> Self {
        let _ = event;
        todo!()
    }
}

/// The answer to a batch (`ReportBatchItemFailures`) with the numbers for the closing line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The ids of the messages that are to come again.
    pub failed: Vec<String>,
    /// What was counted.
    pub counts: Vec<(&'static str, u64)>,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Failure<'a> {
            item_identifier: &'a str,
        }
        let failures: Vec<_> = self.failed.iter().map(|id| Failure { item_identifier: id }).collect();
        let mut answer = serializer.serialize_struct("Answer", 1)?;
        answer.serialize_field("batchItemFailures", &failures)?;
        answer.end()
    }
}

impl Report for Answer {
    fn outcome(&self) -> Outcome {
        if self.failed.is_empty() { Outcome::Ok } else { Outcome::Partial }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = self.counts.clone();
        counts.push(("messages.failed", self.failed.len() as u64));
        counts
    }
}
