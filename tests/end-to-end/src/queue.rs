//! A queue as Lambda's poller sees it.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use serde_json::{Value, json};

/// How long a message that was received stays hidden: short, so that those of a killed function come again soon.
const HIDDEN_SECONDS: i32 = 2;

/// Reads a queue of the stack in the place of Lambda's poller.
pub struct Messages {
    sqs: Client,
    queue_url: String,
}

impl Messages {
    /// Of this queue, from which nothing else may read.
    #[must_use]
    pub fn of(sqs: Client, queue_url: &str) -> Self {
        Self { sqs, queue_url: queue_url.to_owned() }
    }

    /// Receives messages until there are `count` different ones, and makes the event of them that Lambda would.
    ///
    /// # Errors
    /// They do not come within a minute.
    pub async fn batch(&self, count: usize) -> Result<Value> {
        let receive = async {
            let (mut seen, mut records) = (HashSet::new(), Vec::new());
            while records.len() < count {
                for record in self.receive().await? {
                    let id = record["messageId"].as_str().context("a message has no id")?.to_owned();
                    if seen.insert(id) {
                        records.push(record);
                    }
                }
            }
            Ok(json!({ "Records": records }))
        };
        tokio::time::timeout(Duration::from_secs(60), receive).await.context("the messages did not come")?
    }

    async fn receive(&self) -> Result<Vec<Value>> {
        let request = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
        let request = request.visibility_timeout(HIDDEN_SECONDS).wait_time_seconds(1);
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
