//! Messages on their way into a queue: what SQS did not take is sent again until a deadline.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;

use crate::{Error, batch};

/// A queue as SQS knows it.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) clock: Clock,
}

/// A message on its way.
pub(super) struct Outgoing {
    /// Its place among those that were given.
    pub(super) index: usize,
    pub(super) group: Option<String>,
    pub(super) body: String,
    pub(super) delay_seconds: i32,
    pub(super) attributes: Vec<(&'static str, String)>,
}

impl Sender {
    /// Sends all messages, those again of which SQS does not say that it has them, until `deadline`, and no call outlives it. Gives the indexes of those that are not known
    /// to be in the queue.
    ///
    /// # Errors
    /// What SQS refuses for good. Some messages may be in the queue all the same.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        mut waiting: Vec<Outgoing>,
        deadline: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        for attempt in 0..SEND_ATTEMPTS {
            waiting = self.send_batches(operation, waiting, deadline).await?;
            let pause = batch::BACKOFF.pause(attempt);
            let resumes = self.clock.now().saturating_add(SignedDuration::try_from(pause).unwrap_or_default());
            if waiting.is_empty() || resumes.is_ok_and(|at| at >= deadline) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(waiting.into_iter().map(|message| message.index).collect())
    }

    /// Sends the messages once, and gives those back that are worth another attempt.
    async fn send_batches(
        &self,
        operation: &'static str,
        messages: Vec<Outgoing>,
        deadline: Timestamp,
    ) -> Result<Vec<Outgoing>, Error> {
        let left = deadline.duration_since(self.clock.now());
        let claim_ttl = Duration::try_from(left).unwrap_or_default().min(CALL_PATIENCE);
        let batches = batch::split(messages, Outgoing::size_bytes);
        let mut answers = stream::iter(batches)
            .map(|messages| self.send_batch(operation, messages, claim_ttl))
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
        claim_ttl: Duration,
    ) -> Result<Vec<Outgoing>, Error> {
        let entries = messages.iter().enumerate().map(|(place, message)| message.entry(operation, place));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = match tokio::time::timeout(claim_ttl, request.send()).await {
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
        Ok(messages.into_iter().enumerate().filter(|(place, _)| !stored.contains(place)).map(|(_, one)| one).collect())
    }
}

impl Outgoing {
    fn size_bytes(&self) -> usize {
        // Name, type and value of an attribute count.
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + STRING.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    fn entry(&self, operation: &'static str, place: usize) -> Result<SendMessageBatchRequestEntry, Error> {
        let corrupt = |source| Error::Corrupt { operation, source: Box::new(source) };
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
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
/// SQS answers in milliseconds: a call that takes longer than this is lost, and better made again.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Their pauses add up to 6 seconds; the caller's deadline is shorter as a rule.
const SEND_ATTEMPTS: u32 = 7;
/// An outbound message has at most 100 notifications, ten batches.
const PARALLEL_BATCHES: usize = 10;
