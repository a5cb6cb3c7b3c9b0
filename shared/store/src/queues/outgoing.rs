//! Batched sends. Messages that SQS did not accept are sent again until a deadline.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;

use crate::{Error, batch};

/// An SQS queue.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) clock: Clock,
}

/// A message to be sent.
pub(super) struct Outgoing {
    /// The index in the caller's list.
    pub(super) index: usize,
    pub(super) group: Option<String>,
    pub(super) body: String,
    pub(super) delay_seconds: i32,
    pub(super) attributes: Vec<(&'static str, String)>,
}

impl Sender {
    /// Sends all messages. Those that SQS does not confirm are sent again until `deadline`; no call runs longer.
    /// Returns the indexes of those not confirmed as queued.
    ///
    /// # Errors
    /// [`Error::Refused`]. Some messages may be queued.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        mut pending: Vec<Outgoing>,
        deadline: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        for attempt in 0..SEND_ATTEMPTS {
            pending = self.send_batches(operation, pending, deadline).await?;
            let pause = batch::BACKOFF.pause(attempt);
            let resumes = self.clock.now().saturating_add(SignedDuration::try_from(pause).unwrap_or_default());
            if pending.is_empty() || resumes.is_ok_and(|at| at >= deadline) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(pending.into_iter().map(|message| message.index).collect())
    }

    /// Sends the messages once. Returns those worth another attempt.
    async fn send_batches(
        &self,
        operation: &'static str,
        messages: Vec<Outgoing>,
        deadline: Timestamp,
    ) -> Result<Vec<Outgoing>, Error> {
        let time_left = deadline.duration_since(self.clock.now());
        let timeout = Duration::try_from(time_left).unwrap_or_default().min(CALL_TIMEOUT);
        let batches = batch::split(messages, batch::MESSAGES, Outgoing::size_bytes);
        let mut responses = stream::iter(batches)
            .map(|messages| self.send_batch(operation, messages, timeout))
            .buffer_unordered(PARALLEL_BATCHES);
        let mut unconfirmed = Vec::new();
        while let Some(response) = responses.next().await {
            unconfirmed.extend(response?);
        }
        Ok(unconfirmed)
    }

    async fn send_batch(
        &self,
        operation: &'static str,
        messages: Vec<Outgoing>,
        timeout: Duration,
    ) -> Result<Vec<Outgoing>, Error> {
        let entries = messages.iter().enumerate().map(|(position, message)| message.entry(operation, position));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let response = match tokio::time::timeout(timeout, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => match Error::aws(operation)(error) {
                refused @ Error::Refused { .. } => return Err(refused),
                _ => return Ok(messages),
            },
            Err(_elapsed) => return Ok(messages),
        };
        if let Some(fault) = response.failed.iter().find(|entry| entry.sender_fault) {
            let source = fault.code.clone().into();
            return Err(Error::Refused { operation, code: fault.code.clone(), source });
        }
        let stored: BTreeSet<usize> = response.successful.iter().filter_map(|entry| entry.id.parse().ok()).collect();
        Ok(messages
            .into_iter()
            .enumerate()
            .filter(|(position, _)| !stored.contains(position))
            .map(|(_, one)| one)
            .collect())
    }
}

impl Outgoing {
    fn size_bytes(&self) -> usize {
        // The name, type and value of an attribute count.
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + STRING.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    fn entry(&self, operation: &'static str, position: usize) -> Result<SendMessageBatchRequestEntry, Error> {
        let corrupt = |source| Error::Corrupt { operation, source: Box::new(source) };
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(position.to_string())
            .set_message_group_id(self.group.clone())
            .set_delay_seconds((self.delay_seconds > 0).then_some(self.delay_seconds))
            .message_body(&self.body);
        for (name, value) in &self.attributes {
            let value = MessageAttributeValue::builder().data_type(STRING).string_value(value);
            entry = entry.message_attributes(*name, value.build().map_err(corrupt)?);
        }
        entry.build().map_err(corrupt)
    }
}

const STRING: &str = "String";
/// SQS responds in milliseconds. A call that takes longer is lost, and is made again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses add up to 6 seconds; the caller's deadline is usually shorter.
const SEND_ATTEMPTS: u32 = 7;
/// An outbound message has at most 100 notifications, which fit into ten batches.
const PARALLEL_BATCHES: usize = 10;
