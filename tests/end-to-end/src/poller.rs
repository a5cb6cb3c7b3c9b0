//! What hands the queue's messages to a worker, as Lambda does, and kills it now and then.

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

/// When a worker is killed, at the latest: most batches take longer.
const KILLED_WITHIN_MS: u64 = 400;

/// How a poller goes about it.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// How many messages a batch has at most: for each a random number of these.
    pub(crate) batches: RangeInclusive<usize>,
    /// The share of batches under which the worker is killed.
    pub(crate) kills: f64,
    /// Where the random numbers begin.
    pub(crate) seed: u64,
}

/// What a poller did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) batches: usize,
    pub(crate) killed: usize,
    pub(crate) received: usize,
    pub(crate) failed: usize,
}

/// One reader of the queue, with a worker of its own.
pub(crate) struct Poller<'a> {
    function: &'a Binary,
    queue: &'a Messages,
    habits: Habits,
    random: Mutex<StdRng>,
    ended: &'a AtomicBool,
    tally: Mutex<Tally>,
}

impl<'a> Poller<'a> {
    pub(crate) fn new(function: &'a Binary, queue: &'a Messages, habits: Habits, ended: &'a AtomicBool) -> Self {
        let (random, tally) = (Mutex::new(StdRng::seed_from_u64(habits.seed)), Mutex::new(Tally::default()));
        Self { function, queue, habits, random, ended, tally }
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until it is told that all is over.
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

    /// How large the next batch is, and when the worker is killed under it.
    fn roll(&self) -> (usize, Option<Duration>) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let kill = random
            .random_bool(self.habits.kills)
            .then(|| Duration::from_millis(random.random_range(0..KILLED_WITHIN_MS)));
        (random.random_range(self.habits.batches.clone()), kill)
    }

    /// Whether the worker lives on.
    async fn work(&self, worker: &RuntimeApi, batch: &[Value], kill: Option<Duration>) -> Result<bool> {
        let event = json!({ "Records": batch });
        let killer = async {
            match kill {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            answer = worker.invoke(&event) => answer?.outcome,
            () = killer => {
                worker.kill().await;
                Outcome::Exited("killed".to_owned())
            }
        };
        let failed: HashSet<&str> = match &outcome {
            Outcome::Response(answer) => {
                let failures = answer["batchItemFailures"].as_array();
                failures.into_iter().flatten().filter_map(|failure| failure["itemIdentifier"].as_str()).collect()
            }
            _ => batch.iter().filter_map(|record| record["messageId"].as_str()).collect(),
        };
        let done = |record: &&Value| record["messageId"].as_str().is_some_and(|id| !failed.contains(id));
        self.queue.delete(&batch.iter().filter(done).collect::<Vec<_>>()).await?;
        let lives = matches!(outcome, Outcome::Response(_) | Outcome::Error(_));
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.batches += 1;
        tally.received += batch.len();
        tally.killed += usize::from(!lives);
        tally.failed += if lives { failed.len() } else { 0 };
        Ok(lives)
    }
}
