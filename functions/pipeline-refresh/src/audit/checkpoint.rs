//! The checkpoint that the workers of one audit share: each stores its progress only if it is the one that the worker has seen.

use std::time::Duration;

use salesforce::ObjectName;
use store::cursors::ScanState;
use store::{CursorName, Deferrals, RefreshKind};

use super::progress::Progress;
use crate::error::Error;
use crate::object::Outcome;
use crate::run::Run;

/// The time after which a worker that another one was ahead of looks at the audit again.
const LATER: Duration = Duration::from_mins(5);

/// The stored checkpoint of an object's audit.
pub(super) struct Checkpoint<'a> {
    run: &'a Run<'a>,
    object: &'a ObjectName,
    name: CursorName,
    /// As this worker has last read or stored it.
    seen: Option<String>,
}

impl<'a> Checkpoint<'a> {
    /// Creates the checkpoint that was loaded with the cursor.
    pub(super) fn new(run: &'a Run<'a>, object: &'a ObjectName, cursor: Option<&store::Cursor>) -> Self {
        let seen = cursor.and_then(|cursor| cursor.checkpoint.clone());
        Self { run, object, name: CursorName::audit(object), seen }
    }

    /// Returns whether no other worker has stored anything since.
    pub(super) async fn is_current(&self) -> Result<bool, Error> {
        let cursor = self.run.deps.cursors.load(self.run.org(), &self.name).await?;
        Ok(cursor.and_then(|cursor| cursor.checkpoint) == self.seen)
    }

    /// Stores the state of the audit. Returns `false`, and changes nothing, if another worker was ahead.
    pub(super) async fn store(&mut self, state: ScanState) -> Result<bool, Error> {
        let (deps, place) = (self.run.deps, (self.run.org(), &self.name));
        let is_stored = deps.cursors.replace(place, self.seen.as_deref(), &state, deps.clock.now()).await?;
        if is_stored {
            self.seen = match state {
                ScanState::Running(checkpoint) => Some(checkpoint),
                ScanState::Complete(_) => None,
            };
        }
        Ok(is_stored)
    }

    /// Ends a worker that another one was ahead of. Its task looks again later: it may ask for more than the other one does, or the
    /// other one may be an attempt of the same request whose response was lost.
    pub(super) async fn give_way(&self) -> Result<Outcome, Error> {
        self.send(LATER).await
    }

    /// Ends a task that comes before the query job is asked again. The message of that poll is in the queue, so that only a task
    /// which this audit does not answer is queued again.
    pub(super) async fn wait_for_poll(&self, progress: &Progress, delay: Duration) -> Result<Outcome, Error> {
        let task = self.run.task;
        let is_answered = task.kind != RefreshKind::ConfirmedAudit && progress.started_at >= task.requested_at;
        if is_answered { Ok(Outcome::Busy) } else { self.send(delay).await }
    }

    /// Queues the audit again.
    pub(super) async fn send(&self, delay: Duration) -> Result<Outcome, Error> {
        let rest = self.run.task.for_object(self.object.clone()).with_deferrals(Deferrals::default());
        self.run.deps.queues.send(&rest, false, delay).await?;
        Ok(Outcome::Busy)
    }
}
