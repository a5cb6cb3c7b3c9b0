//! The dependencies and the events of the functions that write to Salesforce.

use aws_lambda_events::sqs::SqsEvent;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{Budgets, Queue, UserMappings, WriteId, WriteOrder, Writes};

use crate::TestContext;

impl TestContext {
    /// Returns the dependencies of the ledger, with the queue of this logical id in the template.
    pub fn writes(&self, queue: &str, owner_policy: OwnerPolicy) -> writes::Deps {
        writes::Deps {
            orgs: self.orgs.clone(),
            connections: self.connections.clone(),
            user_mappings: UserMappings::new(self.dynamodb(), self.table("users")),
            writes: Writes::new(self.dynamodb(), self.table("writes")),
            order: WriteOrder::new(self.dynamodb(), self.table("write_order")),
            budgets: Budgets::new(self.dynamodb(), self.table("budgets")),
            queue: Queue::new(self.sqs(), self.queue_url(queue), self.clock.clone()),
            salesforce: self.salesforce.clone(),
            owner_policy,
            users: runtime::Users::new(self.clock.clone()),
            clock: self.clock.clone(),
        }
    }

    /// Returns the SQS event with the task of a queued write, as it was sent last. `write_id` is as a response has it.
    pub async fn write_event(&self, write_id: &Value) -> SqsEvent {
        let id: WriteId = write_id.as_str().unwrap().parse().unwrap();
        let write = Writes::new(self.dynamodb(), self.table("writes")).load(self.org, id).await.unwrap();
        self.write_task_event(write_id, write.map_or(0, |write| write.deferrals.count))
    }

    /// Returns the SQS event with the task that was sent for this deferral of a write.
    pub fn write_task_event(&self, write_id: &Value, deferrals: u32) -> SqsEvent {
        let task = json!({ "org_id": self.org, "write_id": write_id, "deferrals": deferrals });
        let event = json!({ "Records": [{ "messageId": "1", "body": task.to_string() }] });
        serde_json::from_value(event).unwrap()
    }

    /// Advances the clocks past the deadline of an attempt, so that another attempt may begin.
    pub fn pass_a_minute(&self) {
        self.pass(SignedDuration::from_secs(61));
    }
}
