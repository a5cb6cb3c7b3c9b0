//! The last step: checks that no messages are left, and that no function lacks a permission.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use super::Scenario;
use crate::demo::runner::StepOutput;
use crate::poll::until;
use crate::stack;

/// The text of IAM's errors. In the log it means that a function lacks a permission in the template.
const ACCESS_DENIED: &str = "is not authorized to perform";
/// The time limit for a queue to be empty. The nightly refresh reads all of the backfill again, which has just changed.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The counts of visible, in-flight and delayed messages. Their sum is the number of messages in a queue.
const COUNTS: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// Waits until every queue is empty, dead-letter queues included, and searches the log for denied calls.
pub(crate) async fn run(scenario: &Scenario, log: &Path) -> Result<StepOutput<()>> {
    let sqs = Client::new(scenario.stack.sdk_config());
    let queues = sqs.list_queues().queue_name_prefix(format!("{}-", stack::NAME)).send().await?;
    let queues = queues.queue_urls.unwrap_or_default();
    // First, because a missing permission is the most likely reason why a queue is not empty.
    check_permissions(log)?;
    ensure!(!queues.is_empty(), "could not check the queues: the stack has none");
    for queue in &queues {
        let name = queue.rsplit('/').next().unwrap_or(queue);
        until(&format!("find the queue {name} empty"), TIMEOUT, async || {
            let messages = count_messages(&sqs, queue).await?;
            ensure!(messages == 0, "{messages} messages are left");
            Ok(Some(()))
        })
        .await?;
    }
    check_permissions(log)?;
    Ok(StepOutput {
        evidence: json!({ "empty_queues": queues.len(), "permissions": "no function was denied a call" }),
        value: (),
    })
}

fn check_permissions(log: &Path) -> Result<()> {
    let log = fs::read_to_string(log).with_context(|| format!("could not read {}", log.display()))?;
    match log.lines().find(|line| line.contains(ACCESS_DENIED)) {
        Some(line) => bail!("a function lacks a permission: {line}"),
        None => Ok(()),
    }
}

async fn count_messages(sqs: &Client, queue: &str) -> Result<u64> {
    let request = sqs.get_queue_attributes().queue_url(queue).set_attribute_names(Some(COUNTS.to_vec()));
    let attributes = request.send().await?.attributes.unwrap_or_default();
    COUNTS
        .iter()
        .try_fold(0, |sum, name| Ok(sum + attributes.get(name).context("SQS returned no count")?.parse::<u64>()?))
}
