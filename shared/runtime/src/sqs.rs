//! Batches from SQS: what is in them, and which messages are to come again.

use std::collections::HashMap;
use std::str::FromStr;

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
    /// Messages that say nothing this function understands. Answered as failed, the queue moves them to its dead-letter
    /// queue after a few times.
    pub unreadable: Vec<Unreadable>,
}

/// A message that says nothing its function understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// SQS's id.
    pub id: String,
    /// Its group, where it has one.
    pub group: Option<String>,
    /// What it says.
    pub body: String,
}

impl<T: DeserializeOwned> Batch<T> {
    /// Reads a batch.
    #[must_use]
    pub fn parse(event: SqsEvent) -> Self {
        let mut batch = Self { messages: Vec::new(), unreadable: Vec::new() };
        for message in event.records {
            let Some(id) = message.message_id else { continue };
            let text = message.body.unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(body) => batch.messages.push(Message {
                    id,
                    body,
                    receive_count: number(&message.attributes, "ApproximateReceiveCount").unwrap_or(1),
                    sent_at: number(&message.attributes, "SentTimestamp")
                        .and_then(|millis| Timestamp::from_millisecond(millis).ok()),
                }),
                Err(error) => {
                    let (line, column) = (error.line(), error.column());
                    tracing::error!(message.id = %id, line, column, "a message cannot be read and goes to the dead letters");
                    let group = message.attributes.get("MessageGroupId").cloned();
                    batch.unreadable.push(Unreadable { id, group, body: text });
                }
            }
        }
        batch
    }
}

fn number<N: FromStr>(attributes: &HashMap<String, String>, name: &str) -> Option<N> {
    attributes.get(name)?.parse().ok()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_that_says_nothing_known_is_answered_as_failed_and_the_others_are_read() {
        let event = serde_json::from_value(json!({ "Records": [
            { "messageId": "good", "body": "7", "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1795342530000" } },
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
        let sent_at = Some("2026-11-22T10:15:30Z".parse().unwrap());
        assert_eq!(batch.messages, [Message { id: "good".to_owned(), body: 7, receive_count: 3, sent_at }]);
    }

    #[test]
    fn the_answer_names_the_messages_that_are_to_come_again() {
        let answer = Answer { failed: vec!["a".to_owned()], counts: Vec::new() };

        assert_eq!(serde_json::to_value(answer).unwrap(), json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] }));
    }
}
