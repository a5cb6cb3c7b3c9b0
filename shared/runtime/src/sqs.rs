//! Batches from SQS, and the reports on them.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::{Outcome, Report};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<T> {
    /// SQS's message id.
    pub id: String,
    /// The parsed body.
    pub body: T,
}

/// A parsed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// The messages.
    pub messages: Vec<Message<T>>,
    /// The messages that do not parse. If they are reported as failed, SQS moves them to the dead-letter queue after its
    /// maximum number of receives.
    pub unreadable: Vec<Unreadable>,
}

/// A message that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// SQS's message id.
    pub id: String,
    /// The message group id, in a FIFO or fair queue.
    pub group: Option<String>,
    /// The body.
    pub body: String,
}

impl<T: DeserializeOwned> Batch<T> {
    /// Parses a batch. Logs the position of the first fault of each unreadable message.
    #[must_use]
    pub fn parse(event: SqsEvent) -> Self {
        let mut batch = Self { messages: Vec::new(), unreadable: Vec::new() };
        for message in event.records {
            let Some(id) = message.message_id else { continue };
            let text = message.body.unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(body) => batch.messages.push(Message { id, body }),
                Err(error) => {
                    let (line, column) = (error.line(), error.column());
                    tracing::error!(message.id = %id, line, column, "could not parse a message");
                    let group = message.attributes.get("MessageGroupId").cloned();
                    batch.unreadable.push(Unreadable { id, group, body: text });
                }
            }
        }
        batch
    }
}

/// The report on a batch. It serializes as the response that `ReportBatchItemFailures` requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// The ids of the messages that SQS has to deliver again.
    pub failed: Vec<String>,
    /// The counts for the closing log line.
    pub counts: Vec<(&'static str, u64)>,
    /// The numbers of the metrics that are percentiles.
    pub samples: Vec<(&'static str, Vec<u64>)>,
}

impl Serialize for BatchReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut response = SqsBatchResponse::default();
        response.set_failures(&self.failed);
        response.serialize(serializer)
    }
}

impl Report for BatchReport {
    fn outcome(&self) -> Outcome {
        if self.failed.is_empty() { Outcome::Ok } else { Outcome::Partial }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = self.counts.clone();
        counts.push(("messages.failed", self.failed.len() as u64));
        counts
    }

    fn samples(&self) -> Vec<(&'static str, Vec<u64>)> {
        self.samples.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unreadable_message_does_not_hide_the_others() {
        let event = serde_json::from_value(json!({ "Records": [
            { "messageId": "good", "body": "7", "attributes": {} },
            { "messageId": "bad", "body": "{", "attributes": { "MessageGroupId": "an org" } },
            { "messageId": "empty", "attributes": {} },
        ] }))
        .unwrap();

        let batch: Batch<u32> = Batch::parse(event);

        let unreadable = |id: &str, group: Option<&str>, body: &str| Unreadable {
            id: id.to_owned(),
            group: group.map(str::to_owned),
            body: body.to_owned(),
        };
        assert_eq!(batch.unreadable, [unreadable("bad", Some("an org"), "{"), unreadable("empty", None, "")]);
        assert_eq!(batch.messages, [Message { id: "good".to_owned(), body: 7 }]);
    }

    #[test]
    fn a_report_serializes_as_the_failed_messages() {
        let report = BatchReport { failed: vec!["a".to_owned()], ..BatchReport::default() };

        assert_eq!(serde_json::to_value(report).unwrap(), json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] }));
    }
}
