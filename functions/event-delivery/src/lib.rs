//! Delivers the events of the bus to the platform's endpoints, as webhooks that are signed as Standard Webhooks describes.
//!
//! | | |
//! |---|---|
//! | trigger | SQS: the events of the bus, and a task for each event that waits; HTTP API: the routes below `/v1/webhook-endpoints` |
//! | input | events in the envelope of EventBridge; tasks |
//! | output | a signed request for each event and endpoint; `webhook_endpoint.paused` on the bus |
//! | failures | a failed request is sent again with growing delays for three days; a message that cannot be worked on becomes a dead letter |
//!
//! An event is stored once for each endpoint that wants it, and then gets a task. [`store::event_deliveries::rule`] has the
//! rule of a task; [`store::event_endpoints::health`] that of an endpoint that fails. Every step is safe to repeat, so a killed
//! function loses nothing: SQS delivers its message again.

mod accept;
mod address;
mod config;
mod deliver;
mod error;
#[cfg(test)]
mod error_texts;
mod http;
mod request;
mod sender;
mod views;

use aws_lambda_events::sqs::SqsEvent;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use runtime::sqs::{Batch, BatchReport};
use serde::Deserialize;
use store::{BusEvent, EventDeliveryTask};

pub use address::is_public;
pub use config::{Config, Deps};
pub use error::Error;
pub use http::router;
pub use sender::Sender;

/// A message of the queue.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    /// A task of this function.
    Task(EventDeliveryTask),
    /// An event in the envelope of EventBridge.
    Event {
        /// The event.
        detail: Box<BusEvent>,
    },
}

/// The messages that are worked on at the same time.
const AT_ONCE: usize = 10;
/// The time of an invocation in which no further request is begun: that of a request and of the records of its outcome.
const RESERVE: SignedDuration = SignedDuration::from_secs(25);

/// Works on messages until shortly before `deadline`, when the invocation ends.
///
/// # Errors
/// None. Failures of a message are in the report.
pub async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> Result<BatchReport, Error> {
    let Batch { messages, unreadable } = Batch::<Message>::parse(event);
    let now = deps.clock.now();
    let reserve = RESERVE.min(deadline.duration_since(now) / 2);
    let stop_at = deadline.saturating_sub(reserve).unwrap_or(now);
    let work = stream::iter(messages).map(async |message| {
        let mut counts = Counts::default();
        let outcome = match message.body {
            Message::Task(task) => deliver::work(deps, &task, stop_at, &mut counts).await,
            Message::Event { detail } => accept::accept(deps, &detail).await,
        };
        let failed = outcome.err().map(|error| {
            tracing::warn!(message.id = %message.id, error = %Chain(&error), "could not work on a message");
            message.id
        });
        (failed, counts)
    });
    let done: Vec<_> = work.buffer_unordered(AT_ONCE).collect().await;
    let mut failed: Vec<String> = unreadable.into_iter().map(|message| message.id).collect();
    let mut total = Counts::default();
    for (id, counts) in done {
        failed.extend(id);
        total.add(&counts);
    }
    Ok(BatchReport { failed, counts: total.of_report(), ..BatchReport::default() })
}

/// The counts of the closing log line.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    delivered: u64,
    failed: u64,
    given_up: u64,
    paused: u64,
    /// The age of the oldest event that is tried again, in seconds.
    oldest_s: Option<u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.given_up += other.given_up;
        self.paused += other.paused;
        self.oldest_s = self.oldest_s.max(other.oldest_s);
    }

    fn of_report(self) -> Vec<(&'static str, u64)> {
        let mut counts = vec![
            ("events.delivered", self.delivered),
            ("events.failed", self.failed),
            ("events.given_up", self.given_up),
            ("endpoints.paused", self.paused),
        ];
        counts.extend(self.oldest_s.map(|age| ("deferred.oldest_s", age)));
        counts
    }
}
