//! The function's execution environments: they receive messages in any order, and are killed at random requests.

use jiff::{SignedDuration, Timestamp};
use mirroring::FieldCache;
use pipeline_refresh::{Event, Queues, Reply, handle};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use store::Queue;

use super::queue::{DEAD_LETTERS, Message, SimulatedSqs};
use crate::harness::TestContext;

/// The binary logarithm of the most requests that pass before a kill. Each magnitude is as likely, because a task may make five
/// requests, or one for each row.
const MAGNITUDES: u32 = 12;
/// The share of the invocations that are killed, while kills are left.
const KILLED: f64 = 0.5;
/// The share of the invocations that have only the time that every invocation takes.
const SHORT: f64 = 0.2;

pub(crate) struct Worker {
    pub(crate) context: TestContext,
    pub(crate) sqs: SimulatedSqs,
    pub(crate) random: StdRng,
    /// The kills that are left.
    pub(crate) kills: u32,
    /// The invocations so far, and how many of these were killed.
    pub(crate) invocations: u32,
    pub(crate) killed: u32,
}

impl Worker {
    /// Lets the function of the context send its tasks to queues in simulated time.
    pub(crate) async fn new(mut context: TestContext, seed: u64) -> Self {
        let sqs = SimulatedSqs::start(context.clock.clone()).await;
        let client = context.sqs_at(sqs.url()).await;
        let queue = |name: &str| Queue::new(client.clone(), format!("{}/{name}", sqs.url()), context.clock.clone());
        let (refreshes, backfills, frequent) = (queue("refreshes"), queue("backfills"), queue("frequent"));
        let dead_letters = queue(DEAD_LETTERS);
        context.deps.queues = Queues { refreshes, backfills, frequent, dead_letters, ..context.deps.queues };
        let random = StdRng::seed_from_u64(seed);
        Self { context, sqs, random, kills: 0, invocations: 0, killed: 0 }
    }

    /// Works on all messages, those that become visible within a day too, and calls `between` after each invocation.
    pub(crate) async fn work(&mut self, mut between: impl FnMut(&mut Self)) {
        let ends_at = self.now() + SignedDuration::from_hours(24);
        while let Some(next) = self.sqs.next_at() {
            assert!(next < ends_at, "a message waits for longer than a day");
            self.context.pass(next.duration_since(self.now()).max(SignedDuration::ZERO));
            let message = self.sqs.receive(&mut self.random).expect("a visible message");
            if self.invoke(&message).await {
                self.sqs.delete(&message);
            }
            self.context.pass(SignedDuration::from_millis(self.random.random_range(100..20_000)));
            between(self);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Invokes the function. Returns whether the message is to be deleted.
    async fn invoke(&mut self, message: &Message) -> bool {
        self.invocations += 1;
        let is_short = self.random.random_bool(SHORT);
        let time = if is_short { SignedDuration::from_millis(1) } else { SignedDuration::from_mins(15) };
        let event = json!({ "Records": [{ "messageId": "1", "body": message.body }] });
        let event: Event = serde_json::from_value(event).expect("an event");
        // A message is received four times before SQS moves it to the dead letters.
        let is_killed = self.kills > 0 && message.received <= 2 && self.random.random_bool(KILLED);
        let most = 1 << self.random.random_range(2..MAGNITUDES);
        let passes = if is_killed { self.random.random_range(0..most) } else { usize::MAX };
        let mut reply = None;
        // Pinned, because the futures of a debug build are too large for the stack of a test.
        let handling = Box::pin(handle(&self.context.deps, event, self.now() + time));
        let work = async { reply = Some(handling.await) };
        if !self.context.killed_at(passes, work).await {
            self.kills -= 1;
            self.killed += 1;
            // What an execution environment remembers.
            self.context.deps.fields = FieldCache::default();
            return false;
        }
        let Some(Ok(Reply::Tasks(report))) = reply else { panic!("{reply:?}") };
        report.failed.is_empty()
    }
}
