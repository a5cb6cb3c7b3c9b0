//! The event bus, as the platform reads it.

use crate::TestContext;
use crate::contract::checked_event;

impl TestContext {
    /// Returns a client for the event bus.
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.sdk)
    }

    /// Returns the name of the event bus.
    pub fn bus_name(&self) -> String {
        self.state.physical("EventBus").unwrap().to_owned()
    }

    /// Subscribes a new queue to all events, as the platform does, and returns its URL.
    pub async fn subscribe(&self, name: &str) -> String {
        let (events, bus) = (self.eventbridge(), self.bus_name());
        let name = format!("{bus}-{name}");
        let queue = self.sqs().create_queue().queue_name(&name).send().await.unwrap();
        let rule = events.put_rule().name(&name).event_bus_name(&bus).event_pattern(r#"{"source":["ferry"]}"#);
        rule.send().await.unwrap();
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue");
        let target = target.arn(format!("arn:aws:sqs:us-east-1:000000000000:{name}")).build().unwrap();
        events.put_targets().rule(&name).event_bus_name(&bus).targets(target).send().await.unwrap();
        queue.queue_url.unwrap()
    }

    /// Waits until a queue has delivered this many messages, deletes them and returns their bodies in no order.
    ///
    /// # Panics
    /// One is an event of Ferry's that differs from its schema in the event catalogue.
    pub async fn received(&self, queue_url: &str, count: usize) -> Vec<String> {
        let sqs = self.sqs();
        let mut bodies = Vec::with_capacity(count);
        while bodies.len() < count {
            let receive = sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).wait_time_seconds(1);
            for message in receive.send().await.unwrap().messages.unwrap_or_default() {
                let handle = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(queue_url).receipt_handle(handle).send().await.unwrap();
                bodies.push(checked_event(message.body.unwrap()));
            }
        }
        bodies
    }
}
