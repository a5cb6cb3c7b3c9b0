//! A poller that sends the queue's messages to a worker, as Lambda does, and sometimes kills it.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use bench::{Outcome, RuntimeApi};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::Binary;
use crate::queue::Messages;

/// The latest time of a kill after the start of a batch. Most batches take longer.
const KILLED_WITHIN_MS: u64 = 400;

/// The settings of a poller.
#[derive(Clone, Debug)]
pub(crate) struct PollerOptions {
    /// The range from which the largest size of each batch is chosen.
    pub(crate) batches: RangeInclusive<usize>,
    /// The share of batches during which the worker is killed.
    pub(crate) kills: f64,
    /// The seed of the random numbers.
    pub(crate) seed: u64,
}

/// The counts of a poller.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) batches: usize,
    pub(crate) killed: usize,
    pub(crate) received: usize,
    pub(crate) failed: usize,
}

/// A reader of the queue with its own worker.
pub(crate) struct Poller<'a> {
    function: &'a Binary,
    queue: Messages,
    options: PollerOptions,
    random: Mutex<StdRng>,
    ended: &'a AtomicBool,
    calm: Option<&'a AtomicBool>,
    tally: Mutex<Tally>,
}

impl<'a> Poller<'a> {
    pub(crate) fn new(function: &'a Binary, queue: Messages, options: PollerOptions, ended: &'a AtomicBool) -> Self {
        let (random, tally) = (Mutex::new(StdRng::seed_from_u64(options.seed)), Mutex::new(Tally::default()));
        Self { function, queue, options, random, ended, calm: None, tally }
    }

    /// Returns the poller so that it kills nothing once `calm` is set.
    pub(crate) fn without_kills_once(self, calm: &'a AtomicBool) -> Self {
        Self { calm: Some(calm), ..self }
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until `ended` is set.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut worker = self.function.start()?;
        while !self.ended.load(Ordering::Acquire) {
            let (most, kill) = self.roll();
            let batch = self.queue.at_most(most).await?;
            if batch.is_empty() {
                continue;
            }
            if !self.work(&worker, &batch, kill).await? {
                worker = self.function.start()?;
            }
        }
        Ok(())
    }

    /// Returns the largest size of the next batch, and the time after which the worker is killed, if it is.
    fn roll(&self) -> (usize, Option<Duration>) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let is_calm = self.calm.is_some_and(|calm| calm.load(Ordering::Acquire));
        let kill = random
            .random_bool(if is_calm { 0.0 } else { self.options.kills })
            .then(|| Duration::from_millis(random.random_range(0..KILLED_WITHIN_MS)));
        (random.random_range(self.options.batches.clone()), kill)
    }

    /// Sends a batch to the worker, and deletes the messages that did not fail. Returns whether the worker still runs.
    async fn work(&self, worker: &RuntimeApi, batch: &[Value], kill: Option<Duration>) -> Result<bool> {
        let event = json!({ "Records": batch });
        let killer = async {
            match kill {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            result = worker.invoke(&event) => result?.outcome,
            () = killer => {
                worker.kill().await;
                Outcome::Exited("killed".to_owned())
            }
        };
        let failed: HashSet<&str> = match &outcome {
            Outcome::Response(response) => {
                let failures = response["batchItemFailures"].as_array();
                failures.into_iter().flatten().filter_map(|failure| failure["itemIdentifier"].as_str()).collect()
            }
            _ => batch.iter().filter_map(|record| record["messageId"].as_str()).collect(),
        };
        let done = |record: &&Value| record["messageId"].as_str().is_some_and(|id| !failed.contains(id));
        self.queue.delete(&batch.iter().filter(done).collect::<Vec<_>>()).await?;
        let runs = matches!(outcome, Outcome::Response(_) | Outcome::Error(_));
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.batches += 1;
        tally.received += batch.len();
        tally.killed += usize::from(!runs);
        tally.failed += if runs { failed.len() } else { 0 };
        Ok(runs)
    }
}
