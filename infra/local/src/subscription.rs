//! A consumer of Ferry's events, as the platform is one: a queue of its own, subscribed to the bus.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::poll::until;
use crate::stack::Stack;

/// Gets the events that a pattern asks for.
pub struct Subscription {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Subscription {
    /// Subscribes a queue of this name to the events whose detail matches, in the language of EventBridge's rules:
    /// `{"subject": ["Opportunity/006..."]}`.
    ///
    /// # Errors
    /// The emulator refuses the queue or the rule.
    pub async fn to(stack: &Stack, name: &str, detail: &Value) -> Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
        let queue_url = sqs.create_queue().queue_name(name).send().await?.queue_url.context("a queue without a URL")?;
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&queue_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await?;
        let arn = attributes
            .attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn))
            .context("a queue without an ARN")?;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sqs:SendMessage", "Resource": arn }],
        });
        sqs.set_queue_attributes()
            .queue_url(&queue_url)
            .attributes(QueueAttributeName::Policy, policy.to_string())
            .send()
            .await?;
        let bus = stack.output("BusName")?;
        let events = aws_sdk_eventbridge::Client::new(stack.sdk_config());
        let pattern = json!({ "source": ["ferry"], "detail": detail });
        events.put_rule().name(name).event_bus_name(bus).event_pattern(pattern.to_string()).send().await?;
        let target = Target::builder().id("queue").arn(arn).build()?;
        events.put_targets().rule(name).event_bus_name(bus).targets(target).send().await?;
        Ok(Self { sqs, queue_url })
    }

    /// The first event that is the wanted one; others are taken off the queue.
    ///
    /// # Errors
    /// It does not come within a minute.
    pub async fn event(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        until("the event on the bus", Duration::from_secs(60), async || {
            Ok(self.receive().await?.into_iter().find(|event| wanted(event)))
        })
        .await
    }

    /// The events that are there, at most ten, taken off the queue; waits two seconds for the first.
    ///
    /// # Errors
    /// The queue does not answer.
    pub async fn receive(&self) -> Result<Vec<Value>> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(2)
            .send()
            .await?;
        let mut events = Vec::new();
        for message in answer.messages() {
            events.push(serde_json::from_str(message.body().unwrap_or_default())?);
            let handle = message.receipt_handle().unwrap_or_default();
            self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(handle).send().await?;
        }
        Ok(events)
    }
}
