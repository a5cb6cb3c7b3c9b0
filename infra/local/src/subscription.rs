//! Receives Ferry's events as the platform does: from a queue that is the target of a rule on the event bus.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::event_catalogue::EventCatalogue;
use crate::poll::until;
use crate::stack::Stack;

/// A queue that receives the events that match a pattern.
pub struct Subscription {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Subscription {
    /// Creates a queue and a rule of this name.
    ///
    /// `detail` is an EventBridge event pattern for the event's detail: `{"subject": ["Opportunity/006..."]}`.
    ///
    /// # Errors
    /// If the emulator rejects the queue or the rule.
    pub async fn to(stack: &Stack, name: &str, detail: &Value) -> Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
        let queue_url = sqs
            .create_queue()
            .queue_name(name)
            .send()
            .await?
            .queue_url
            .context("could not create the queue: the response has no URL")?;
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&queue_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await?;
        let arn = attributes
            .attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn))
            .context("could not read the ARN of the queue: the response has none")?;
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

    /// Waits for the first event that matches, and discards the events before it.
    ///
    /// # Errors
    /// If no event matches within 60 seconds.
    pub async fn event(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.event_within(Duration::from_secs(60), wanted).await
    }

    /// As [`Subscription::event`], with another time limit.
    ///
    /// # Errors
    /// If no event matches within the limit.
    pub async fn event_within(&self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        until("receive the event", limit, async || Ok(self.receive().await?.into_iter().find(|event| wanted(event))))
            .await
    }

    /// Receives and deletes up to 10 events. Waits up to 2 seconds for the first.
    ///
    /// # Errors
    /// If SQS fails, or an event of Ferry's differs from its schema in the event catalogue.
    pub async fn receive(&self) -> Result<Vec<Value>> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(2)
            .send()
            .await?;
        let mut events = Vec::new();
        for message in received.messages() {
            let event = serde_json::from_str(message.body().unwrap_or_default())?;
            EventCatalogue::get()?.check_envelope(&event)?;
            events.push(event);
            let handle = message.receipt_handle().unwrap_or_default();
            self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(handle).send().await?;
        }
        Ok(events)
    }
}
