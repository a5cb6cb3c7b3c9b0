//! After the story: everything that was begun is finished.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use super::Story;
use crate::demo::run::Proven;
use crate::poll::until;
use crate::stack;

/// How IAM refuses; a function that met this lacks a permission in the template.
const REFUSAL: &str = "is not authorized to perform";
/// Messages that wait to be tried again are hidden, not gone.
const COUNTS: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// No message waits for another try or in dead letters, and no function was refused anything.
pub(crate) async fn nothing_left(story: &Story, log: &Path) -> Result<Proven<()>> {
    let sqs = Client::new(story.stack.sdk_config());
    let queues = sqs.list_queues().queue_name_prefix(format!("{}-", stack::NAME)).send().await?;
    let queues = queues.queue_urls.unwrap_or_default();
    // Before the queues, since it is the likeliest reason for a message that waits.
    nobody_refused(log)?;
    ensure!(!queues.is_empty(), "the stack has no queues");
    for queue in &queues {
        let name = queue.rsplit('/').next().unwrap_or(queue);
        until(&format!("the queue {name} is empty"), Duration::from_secs(30), async || {
            let messages = messages(&sqs, queue).await?;
            ensure!(messages == 0, "{messages} messages wait");
            Ok(Some(()))
        })
        .await?;
    }
    nobody_refused(log)?;
    Ok(Proven {
        evidence: json!({ "empty_queues": queues.len(), "refused": "no function lacked a permission" }),
        value: (),
    })
}

fn nobody_refused(log: &Path) -> Result<()> {
    let log = fs::read_to_string(log).with_context(|| format!("could not read {}", log.display()))?;
    match log.lines().find(|line| line.contains(REFUSAL)) {
        Some(line) => bail!("a function lacks a permission: {line}"),
        None => Ok(()),
    }
}

async fn messages(sqs: &Client, queue: &str) -> Result<u64> {
    let request = sqs.get_queue_attributes().queue_url(queue).set_attribute_names(Some(COUNTS.to_vec()));
    let attributes = request.send().await?.attributes.unwrap_or_default();
    COUNTS.iter().try_fold(0, |sum, name| Ok(sum + attributes.get(name).context("a count is missing")?.parse::<u64>()?))
}
