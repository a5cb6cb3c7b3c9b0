//! Dead letters: received, released, redriven or deleted by an operator.
//!
//! A message is a dead letter because SQS moved it after too many receives, because a function sent it with a `reason`
//! and a `failed_at`, or because AWS reported a failed invocation.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName as SystemAttribute, QueueAttributeName, SendMessageBatchRequestEntry,
};
use jiff::{SignedDuration, Timestamp};

use crate::queues::url_of;
use crate::{Error, batch};

/// A received dead letter. It is hidden from other receivers until it is released, or the visibility timeout ends.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The SQS message id.
    pub message_id: String,
    /// The body, unchanged.
    pub body: String,
    /// The message group, which is the org.
    pub group: Option<String>,
    /// The message attributes, as set by the sender.
    pub attributes: BTreeMap<String, String>,
    /// The time at which it was first queued.
    pub sent_at: Timestamp,
    /// The number of receives, including those from the dead-letter queue.
    pub receive_count: u32,
    /// The receipt handle, valid until the visibility timeout ends.
    pub receipt_handle: String,
}

impl DeadLetter {
    /// Returns the reason, as a stable code; `None` if SQS moved the message.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.attributes.get("reason").map(String::as_str)
    }

    /// Returns the time of the failure, if known.
    #[must_use]
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.attributes.get("failed_at")?.parse().ok()
    }
}

/// A dead-letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    client: Client,
    url: String,
}

impl DeadLetters {
    /// Creates a client for the dead-letter queue of this name.
    ///
    /// # Errors
    /// Only those of SQS: the queue may not exist.
    pub async fn from_name(client: Client, name: &str) -> Result<Self, Error> {
        let url = url_of(&client, name).await?;
        Ok(Self { client, url })
    }

    /// Creates a client for the dead-letter queue at this URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Returns the approximate number of dead letters, hidden ones included.
    ///
    /// # Errors
    /// Only those of SQS.
    pub async fn count(&self) -> Result<u64, Error> {
        let operation = "count the dead letters";
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let response = request.set_attribute_names(Some(names.to_vec())).send().await.map_err(Error::aws(operation))?;
        let attributes = response.attributes.unwrap_or_default();
        let number = |name| {
            let number = attributes.get(name).and_then(|text: &String| text.parse::<u64>().ok());
            number.ok_or(Error::Incomplete { operation, field: "ApproximateNumberOfMessages" })
        };
        names.iter().map(number).sum()
    }

    /// Receives up to `limit` dead letters and hides them from other receivers for `hold`. Fewer than `limit` are all
    /// there are.
    ///
    /// # Errors
    /// Only those of SQS. Messages received by then become visible again when `hold` ends.
    pub async fn receive(&self, limit: usize, hold: SignedDuration) -> Result<Vec<DeadLetter>, Error> {
        let mut letters: HashMap<String, DeadLetter> = HashMap::new();
        while letters.len() < limit {
            let received = self.receive_batch(limit - letters.len(), hold).await?;
            if received.is_empty() {
                break;
            }
            // SQS may deliver a message twice; only the newest receipt handle is valid.
            letters.extend(received.into_iter().map(|letter| (letter.message_id.clone(), letter)));
        }
        let mut letters: Vec<_> = letters.into_values().collect();
        letters.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        Ok(letters)
    }

    async fn receive_batch(&self, limit: usize, hold: SignedDuration) -> Result<Vec<DeadLetter>, Error> {
        let operation = "receive the dead letters";
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(limit.min(batch::MESSAGES.entries)).unwrap_or(1))
            .visibility_timeout(i32::try_from(hold.as_secs()).unwrap_or(i32::MAX))
            // A wait makes SQS query all of its servers, so that an empty response means an empty queue.
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(SystemAttribute::All);
        let response = request.send().await.map_err(Error::aws(operation))?;
        response.messages.unwrap_or_default().into_iter().map(|message| parse_message(operation, message)).collect()
    }

    /// Makes the dead letters visible again. Those that SQS does not accept become visible when the hold ends.
    ///
    /// # Errors
    /// Only those of SQS.
    pub async fn release(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        let operation = "release the dead letters";
        for batch in letters.chunks(batch::MESSAGES.entries) {
            let entry = |(index, letter): (usize, &DeadLetter)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&letter.receipt_handle).visibility_timeout(0).build().map_err(corrupt(operation))
            };
            let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            request.set_entries(Some(entries)).send().await.map_err(Error::aws(operation))?;
        }
        Ok(())
    }

    /// Sends the dead letters to the queue of this name, and deletes each here once it is queued there: at any time a
    /// message is in one of the two queues, or in both. If it is in both, it is processed, and redriven again by the
    /// next attempt.
    ///
    /// # Errors
    /// [`Error::NotAllQueued`]: the remaining ones stay in the dead-letter queue.
    pub async fn redrive(&self, letters: &[DeadLetter], to: &str) -> Result<(), Error> {
        let url = url_of(&self.client, to).await?;
        // Sent first and deleted afterwards: an interruption duplicates a message, and never loses one.
        let (mut missing, total) = (0, letters.len());
        for batch in batch::split(letters.iter().collect(), batch::MESSAGES, |letter: &&DeadLetter| letter.body.len()) {
            let sent = self.send(&url, &batch).await?;
            missing += batch.len() - sent.len();
            self.delete_letters(&sent).await?;
        }
        if missing == 0 { Ok(()) } else { Err(Error::NotAllQueued { missing, total }) }
    }

    /// Returns the dead letters that the queue accepted.
    async fn send<'a>(&self, url: &str, letters: &[&'a DeadLetter]) -> Result<Vec<&'a DeadLetter>, Error> {
        let operation = "redrive the dead letters";
        let entry = |(index, letter): (usize, &&DeadLetter)| {
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&letter.body);
            entry.set_message_group_id(letter.group.clone()).build().map_err(corrupt(operation))
        };
        let entries = letters.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
        let response = request.send().await.map_err(Error::aws(operation))?;
        let accepted = response.successful.iter().filter_map(|entry| entry.id.parse::<usize>().ok());
        Ok(accepted.filter_map(|index| letters.get(index).copied()).collect())
    }

    /// Deletes the dead letters.
    ///
    /// # Errors
    /// [`Error::Unfinished`]: the remaining ones stay.
    pub async fn delete(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        self.delete_letters(&letters.iter().collect::<Vec<_>>()).await
    }

    async fn delete_letters(&self, letters: &[&DeadLetter]) -> Result<(), Error> {
        let operation = "delete the dead letters";
        let mut failed: Vec<BatchResultErrorEntry> = Vec::new();
        for batch in letters.chunks(batch::MESSAGES.entries) {
            let entry = |(index, letter): (usize, &&DeadLetter)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&letter.receipt_handle).build().map_err(corrupt(operation))
            };
            let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            failed.extend(request.send().await.map_err(Error::aws(operation))?.failed);
        }
        match failed.len() {
            0 => Ok(()),
            missing => Err(Error::Unfinished { operation, missing, total: letters.len() }),
        }
    }
}

/// Returns the number of receives after which SQS moves a message of this queue to its dead-letter queue.
///
/// # Errors
/// Only those of SQS.
pub async fn max_receive_count(client: &Client, queue: &str) -> Result<Option<u32>, Error> {
    let url = url_of(client, queue).await?;
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::RedrivePolicy);
    let response = request.send().await.map_err(Error::aws("read the redrive policy"))?;
    let policy = response.attributes.and_then(|mut attributes| attributes.remove(&QueueAttributeName::RedrivePolicy));
    Ok(policy.and_then(|policy| parse_max_receive_count(&policy)))
}

/// SQS accepts the number as a JSON number and as a string.
fn parse_max_receive_count(policy: &str) -> Option<u32> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let count = policy.get("maxReceiveCount")?;
    count.as_str().map_or_else(|| count.as_u64()?.try_into().ok(), |text| text.parse().ok())
}

fn parse_message(operation: &'static str, message: Message) -> Result<DeadLetter, Error> {
    let mut system = message.attributes.unwrap_or_default();
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
    let sent_at = number(system.get(&SystemAttribute::SentTimestamp));
    let received = number(system.get(&SystemAttribute::ApproximateReceiveCount));
    let attributes = message.message_attributes.unwrap_or_default();
    let missing = |field| Error::Incomplete { operation, field };
    Ok(DeadLetter {
        message_id: message.message_id.ok_or(missing("MessageId"))?,
        body: message.body.ok_or(missing("Body"))?,
        group: system.remove(&SystemAttribute::MessageGroupId),
        attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
        sent_at: sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()).ok_or(missing("SentTimestamp"))?,
        receive_count: received.and_then(|count| count.try_into().ok()).unwrap_or_default(),
        receipt_handle: message.receipt_handle.ok_or(missing("ReceiptHandle"))?,
    })
}

fn corrupt(operation: &'static str) -> impl FnOnce(aws_sdk_sqs::error::BuildError) -> Error {
    move |source| Error::Corrupt { operation, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_receive_count_is_read_as_number_and_text() {
        assert_eq!(parse_max_receive_count(r#"{"deadLetterTargetArn":"arn","maxReceiveCount":6}"#), Some(6));
        assert_eq!(parse_max_receive_count(r#"{"deadLetterTargetArn":"arn","maxReceiveCount":"10"}"#), Some(10));
        assert_eq!(parse_max_receive_count("{}"), None);
    }
}
