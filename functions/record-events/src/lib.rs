//! Publishes what changed in the mirror, so that the platform hears of every applied change at least once.
//!
//! | | |
//! |---|---|
//! | trigger | the stream of the `records` table, in batches, in order per record |
//! | input | rows before and after |
//! | output | `record.changed`, `record.deleted` and `record.restored` on the bus, as CloudEvents |
//! | failures | the first row that did not get through is reported; the stream goes on from there |
//!
//! The events come from the table and not from whoever wrote to it: a writer that is killed right after its write is told
//! of all the same (invariant 12 of `ARCHITECTURE.md`).

pub mod batch;
pub mod change;
mod error;

use aws_lambda_events::dynamodb::Event;
use runtime::{Chain, Env, EnvError};
use store::{BusEvent, EventBus};
use tracing::{error, warn};

use crate::batch::{Answer, Batch, resume_at};
pub use error::Error;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `EVENT_BUS_NAME`: the bus that the platform listens to.
    pub event_bus_name: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self { event_bus_name: env.required("EVENT_BUS_NAME")? })
    }
}

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The bus.
    pub bus: EventBus,
}

/// Publishes the events of a batch and answers where the stream must go on, if anything did not get through.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: Event) -> Result<Answer, Error> {
    let batch = Batch::read(event.records);
    let published = publish(deps, &batch).await;
    if let Some((sequence_number, error)) = &batch.unreadable {
        error!(retry = "never", "stream record {sequence_number} stops the stream: {}", Chain(error));
    }
    Ok(Answer {
        resume_at: resume_at(&batch, &published).map(str::to_owned),
        published: published.iter().filter(|published| **published).count() as u64,
        silent: batch.silent,
    })
}

async fn publish(deps: &Deps, batch: &Batch) -> Vec<bool> {
    let events: Vec<BusEvent> = batch.events.iter().map(|(_, event)| event.clone()).collect();
    let results = deps.bus.publish(&events).await;
    let published: Vec<bool> = results.iter().map(Result::is_ok).collect();
    if let Some(Err(source)) = results.into_iter().find(Result::is_err) {
        let lost = published.iter().filter(|published| !**published).count();
        let error = Error::NotPublished { lost, total: events.len(), source };
        warn!(retry = "transient", "{}", Chain(&error));
    }
    published
}
