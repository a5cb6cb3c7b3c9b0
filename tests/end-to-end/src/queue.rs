//! A queue of the stack, read as Lambda's poller does.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};

/// SQS's limit on the messages of one request.
const MAX_BATCH: usize = 10;

/// Reads a queue of the stack instead of Lambda's poller.
#[derive(Clone)]
pub struct Messages {
    sqs: Client,
    queue_url: String,
    hidden: Duration,
}

impl Messages {
    /// Returns a reader of this queue, which must be the only one. Messages that were received and not deleted return after `hidden`.
    #[must_use]
    pub fn of(sqs: Client, queue_url: &str, hidden: Duration) -> Self {
        Self { sqs, queue_url: queue_url.to_owned(), hidden }
    }

    /// Receives messages until there are `count` distinct ones. Returns the event that Lambda would make of them.
    ///
    /// # Errors
    /// The messages do not arrive within a minute.
    pub async fn batch(&self, count: usize) -> Result<Value> {
        let receive = async {
            let (mut seen, mut records) = (HashSet::new(), Vec::new());
            while records.len() < count {
                for record in self.receive(Duration::from_secs(1)).await? {
                    let id = record["messageId"].as_str().context("a message has no id")?.to_owned();
                    if seen.insert(id) {
                        records.push(record);
                    }
                }
            }
            Ok(json!({ "Records": records }))
        };
        tokio::time::timeout(Duration::from_secs(60), receive).await.context("the messages did not arrive")?
    }

    /// Receives at most `count` messages. Waits up to a second for the first, and not for others.
    ///
    /// # Errors
    /// The queue does not respond.
    pub async fn at_most(&self, count: usize) -> Result<Vec<Value>> {
        let mut records = self.receive(Duration::from_secs(1)).await?;
        while !records.is_empty() && records.len() + MAX_BATCH <= count {
            let more = self.receive(Duration::ZERO).await?;
            if more.is_empty() {
                break;
            }
            records.extend(more);
        }
        Ok(records)
    }

    /// Deletes received messages, as Lambda does with those that the response did not list as failed.
    ///
    /// # Errors
    /// The queue does not respond.
    pub async fn delete(&self, records: &[&Value]) -> Result<()> {
        for records in records.chunks(MAX_BATCH) {
            let entries = records.iter().enumerate().map(|(index, record)| {
                let handle = record["receiptHandle"].as_str().unwrap_or_default();
                Ok(DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build()?)
            });
            let entries = entries.collect::<Result<_>>()?;
            self.sqs.delete_message_batch().queue_url(&self.queue_url).set_entries(Some(entries)).send().await?;
        }
        Ok(())
    }

    /// Returns the number of visible messages.
    ///
    /// # Errors
    /// The queue does not respond.
    pub async fn visible(&self) -> Result<u64> {
        self.count(&[QueueAttributeName::ApproximateNumberOfMessages]).await
    }

    /// Returns the number of all messages: visible, hidden and delayed.
    ///
    /// # Errors
    /// The queue does not respond.
    pub async fn all(&self) -> Result<u64> {
        use QueueAttributeName as Name;
        let hidden = Name::ApproximateNumberOfMessagesNotVisible;
        self.count(&[Name::ApproximateNumberOfMessages, hidden, Name::ApproximateNumberOfMessagesDelayed]).await
    }

    async fn count(&self, names: &[QueueAttributeName]) -> Result<u64> {
        let request = self.sqs.get_queue_attributes().queue_url(&self.queue_url);
        let response = request.set_attribute_names(Some(names.to_vec())).send().await?;
        let attributes = response.attributes.context("the queue has no attributes")?;
        names
            .iter()
            .map(|name| Ok(attributes.get(name).context("the queue does not report a count")?.parse::<u64>()?))
            .sum()
    }

    async fn receive(&self, wait: Duration) -> Result<Vec<Value>> {
        let request = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
        let seconds = |span: Duration| i32::try_from(span.as_secs()).unwrap_or(i32::MAX);
        let request = request.visibility_timeout(seconds(self.hidden)).wait_time_seconds(seconds(wait));
        let received = request.message_system_attribute_names(MessageSystemAttributeName::All).send().await?;
        let messages = received.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| {
                let attributes: serde_json::Map<_, _> = message
                    .attributes
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, value)| (name.as_str().to_owned(), value.into()))
                    .collect();
                json!({
                    "messageId": message.message_id,
                    "receiptHandle": message.receipt_handle,
                    "body": message.body,
                    "attributes": attributes,
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                })
            })
            .collect())
    }
}
