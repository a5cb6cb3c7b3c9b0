//! The end of an attempt: the write is finished, failed, queued or left as it is.
//!
//! A queued write's task is sent before the write is stored as queued, so an accepted write has a task at every moment: one
//! whose number of deferrals is at least the write's. Tasks with a smaller number are superseded.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runtime::{Chain, Problem};
use salesforce::{Classify, Retry};
use serde_json::{Value, json};
use store::deferral::MAX_DELAY;
use store::deferral::jitter;
use store::owner_policy::WriteRoute;
use store::writes::is_queueable;
use store::{Deferrals, Obstacle, QueuedState, RecordKey, WaitingFor, Write};

use crate::attempt::Made;
use crate::order::{self, Earlier};
use crate::{Attempted, Deps, Error};

/// The remedy of a write that was given up although its failure passes by itself.
const SEND_AGAIN: &str = "Send the same records again with a new Idempotency-Key.";

/// The remedy of a write that was given up while it was unknown whether it took effect, and that is not safe to repeat.
const LOOK_FIRST: &str =
    "Look in Salesforce whether it was written. If it was not, send it again with a new Idempotency-Key.";

/// The end of the remedy of a write that has failed for another reason: its key returns the failure from now on.
const NEW_KEY: &str = "A failed write can be sent again only with a new Idempotency-Key.";

/// The remedy of a write that was made, and whose outcome is too large to be stored.
const OUTCOME_NOT_STORED: &str =
    "The write was sent, but its outcome is too large to be stored. Read the records in Salesforce.";

/// The effect of a failed attempt on the write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The write is queued, with these deferrals and this delay.
    Defer(Deferrals, Duration),
    /// The write had no effect and is deleted. Once a person has acted, the same key may be used again.
    Abandon,
    /// The problem is the outcome of the write, for every later request with the same key. `retryable` says that the failure
    /// would pass by itself, was tried again for as long as a write is, and that the same request is safe to repeat.
    Fail {
        /// See above.
        retryable: bool,
    },
    /// Nothing is recorded. Another attempt may begin after the deadline of this one.
    Leave,
}

/// Decides the effect of a failed attempt. Pure. `needs_lookup` says that an earlier attempt may have created something: then
/// the write must not be deleted, because the next attempt has to look for it.
///
/// Until a write is accepted, its caller hears of the failure. An accepted one waits for Salesforce, or for the person who has
/// to act, until it ends as finished or failed.
pub(crate) fn verdict(write: &Write, error: &Error, needs_lookup: bool, now: Timestamp) -> Verdict {
    let accepted = write.accepted_at().is_some();
    let retry = if accepted { error.retry_of_accepted() } else { error.retry() };
    match (error, retry) {
        (Error::Store(_) | Error::InProgress | Error::TooManyWaiting, _) => Verdict::Leave,
        (_, Retry::Never) => Verdict::Fail { retryable: false },
        (_, Retry::NeedsHuman) if !accepted && needs_lookup => Verdict::Leave,
        (_, Retry::NeedsHuman) if !accepted => Verdict::Abandon,
        _ => match deferred(write, retry, now) {
            Some((deferrals, delay)) => Verdict::Defer(deferrals, delay),
            None => Verdict::Fail { retryable: !needs_lookup && !may_take_effect(error) },
        },
    }
}

/// Returns whether a request of the attempt may have taken effect, or may still do so.
fn may_take_effect(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown(_) | Error::MayTakeEffect { .. })
}

fn deferred(write: &Write, retry: Retry, now: Timestamp) -> Option<(Deferrals, Duration)> {
    write.deferrals.after(retry, now, jitter(&(write.write_id, write.deferrals.count)))
}

/// An attempt at a write.
pub(crate) struct Attempt<'a> {
    pub(crate) write: &'a Write,
    pub(crate) stored_request: &'a Value,
    pub(crate) records: &'a [RecordKey],
    pub(crate) needs_lookup: bool,
    /// Returns the request of what an outcome leaves to be made ([`crate::WriteOperation::remaining`]).
    pub(crate) remaining: &'a (dyn Fn(&Value) -> Option<Value> + Sync),
}

impl Attempt<'_> {
    /// Records the result. Returns the write as finished, failed or queued.
    ///
    /// # Errors
    /// The failure, if nothing was recorded, or the write was abandoned.
    pub(crate) async fn settle(&self, deps: &Deps, result: Result<Made, Error>) -> Result<Write, Error> {
        match result {
            Ok(Made { write_route, attempted: Attempted::Completed(outcome) }) => {
                let connection = &write_route.connection_id;
                tracing::info!(org.id = %self.write.org_id, %connection, kind = ?self.write.kind,
                    write.id = %self.write.write_id, "a write was carried out");
                self.finish(deps, Some(&write_route), &outcome).await
            }
            Ok(Made { write_route, attempted: Attempted::Partial { outcome, retry } }) => {
                // A write that does not fit into the ledger with its outcome so far ends with it.
                let fits = is_queueable(self.stored_request, Some(&outcome));
                match deferred(self.write, retry, deps.clock.now()).filter(|_| fits) {
                    Some(deferred) => {
                        let obstacle = Obstacle { waiting_for: waiting_for(retry), ..salesforce_obstacle() };
                        self.queue(deps, deferred, &obstacle, Some(&outcome)).await
                    }
                    None => self.finish(deps, Some(&write_route), &outcome).await,
                }
            }
            Err(error) => self.settle_failure(deps, error).await,
        }
    }

    async fn settle_failure(&self, deps: &Deps, error: Error) -> Result<Write, Error> {
        match verdict(self.write, &error, self.needs_lookup, deps.clock.now()) {
            Verdict::Defer(deferrals, delay) if is_queueable(self.stored_request, None) => {
                let since = deferrals.since.map(tracing::field::display);
                tracing::warn!(org.id = %self.write.org_id, kind = ?self.write.kind, write.id = %self.write.write_id, since,
                    error = %Chain(&error), "a write was deferred");
                self.queue(deps, (deferrals, delay), &obstacle(&error, self.write), None).await
            }
            // A write that is too large for the queue is returned as failed, unless its outcome is unknown.
            Verdict::Defer(..) if may_take_effect(&error) => Err(error),
            Verdict::Defer(..) | Verdict::Abandon => {
                self.abandon(deps).await?;
                Err(error)
            }
            Verdict::Fail { retryable } => {
                let accepted = self.write.accepted_at().is_some();
                tracing::warn!(org.id = %self.write.org_id, kind = ?self.write.kind, write.id = %self.write.write_id, accepted,
                    error = %Chain(&error), "a write failed");
                match &self.write.response {
                    // Some records are decided: the outcome so far has the others as failed.
                    Some(so_far) => self.finish(deps, None, so_far).await,
                    None => {
                        let is_unsure = self.is_unsure(&error);
                        let outcome = failed(&error, retryable, is_unsure);
                        let may_succeed = retryable || (error.retry() == Retry::NeedsHuman && !is_unsure);
                        let retry_request = may_succeed.then(|| (self.remaining)(&outcome)).flatten();
                        self.fail(deps, &outcome, retry_request).await
                    }
                }
            }
            Verdict::Leave => Err(error),
        }
    }

    /// Returns whether an earlier attempt may have made the write, and this one ended before it could look. Salesforce's own
    /// refusal comes after the look.
    fn is_unsure(&self, error: &Error) -> bool {
        self.needs_lookup && !matches!(error, Error::Salesforce(_))
    }

    /// Queues the write behind earlier ones of its records.
    ///
    /// # Errors
    /// [`Error::InProgress`] if it is too large for the queue: it was abandoned.
    pub(crate) async fn wait(&self, deps: &Deps, earlier: Earlier) -> Result<Write, Error> {
        let now = deps.clock.now();
        // An earlier write ends, so there is no limit to waiting for it.
        let deferred = deferred(self.write, Retry::NeedsHuman, now);
        let Some((deferrals, delay)) = deferred.filter(|_| is_queueable(self.stored_request, None)) else {
            self.abandon(deps).await?;
            return Err(Error::InProgress);
        };
        let settled_in =
            earlier.settled_at.map(|time| Duration::try_from(time.duration_since(now)).unwrap_or_default());
        let deferred = (deferrals, settled_in.unwrap_or(delay).min(MAX_DELAY));
        tracing::info!(org.id = %self.write.org_id, kind = ?self.write.kind, write.id = %self.write.write_id,
            earlier = earlier.writes.len(), "a write waits for earlier ones of its records");
        let waits_for = earlier.writes.into_iter().collect();
        let obstacle = Obstacle { waiting_for: WaitingFor::EarlierWrite, reason: None, next: None, waits_for };
        self.queue(deps, deferred, &obstacle, None).await
    }

    /// Deletes the write and its places, unless another attempt took over or a request may take effect late.
    pub(crate) async fn abandon(&self, deps: &Deps) -> Result<(), Error> {
        if deps.writes.abandon(self.write, deps.clock.now()).await? {
            order::leave(deps, self.write, self.records).await;
        }
        Ok(())
    }

    async fn queue(
        &self,
        deps: &Deps,
        (deferrals, delay): (Deferrals, Duration),
        obstacle: &Obstacle,
        outcome: Option<&Value>,
    ) -> Result<Write, Error> {
        order::send(deps, self.write, deferrals.count, delay).await?;
        let now = deps.clock.now();
        let next_attempt_at = SignedDuration::try_from(delay).ok().and_then(|delay| now.checked_add(delay).ok());
        let queued = QueuedState {
            request: self.stored_request,
            deferrals,
            obstacle,
            next_attempt_at: next_attempt_at.unwrap_or(now),
            outcome,
        };
        Ok(deps.writes.queue(self.write, &queued, now).await?)
    }

    /// Stores the outcome. One that is too large for the ledger ends as failed, or else the write would be made for ever.
    async fn finish(&self, deps: &Deps, route: Option<&WriteRoute>, outcome: &Value) -> Result<Write, Error> {
        let ended = Write { retry_request: (self.remaining)(outcome), ..self.write.clone() };
        match deps.writes.finish(&ended, route, outcome, deps.clock.now()).await {
            Err(error @ store::Error::TooLarge { .. }) => {
                tracing::error!(org.id = %self.write.org_id, write.id = %self.write.write_id, error = %Chain(&error),
                    "a write was made, but its outcome is too large to be stored");
                let problem = Problem::from(&Error::Store(error)).next(OUTCOME_NOT_STORED);
                self.fail(deps, &json!({ "problem": problem }), None).await
            }
            finished => self.end(deps, finished?).await,
        }
    }

    /// Stores the problem, and the request for a retry.
    async fn fail(&self, deps: &Deps, response: &Value, retry_request: Option<Value>) -> Result<Write, Error> {
        let ended = Write { retry_request, ..self.write.clone() };
        let failed = deps.writes.fail(&ended, response, deps.clock.now()).await?;
        self.end(deps, failed).await
    }

    async fn end(&self, deps: &Deps, ended: Write) -> Result<Write, Error> {
        order::leave(deps, &ended, self.records).await;
        Ok(ended)
    }
}

/// Returns the outcome of a failed write, as the ledger stores it. `is_unsure` says that the write may have been made.
fn failed(error: &Error, retryable: bool, is_unsure: bool) -> Value {
    let problem = Problem::from(error);
    match error.retry_of_accepted() {
        _ if retryable => json!({ "problem": problem.next(SEND_AGAIN), "retryable": true }),
        Retry::Never | Retry::NeedsHuman if !is_unsure => {
            let next = format!("{} {NEW_KEY}", problem.next);
            json!({ "problem": problem.next(next) })
        }
        _ => json!({ "problem": problem.next(LOOK_FIRST) }),
    }
}

fn obstacle(error: &Error, write: &Write) -> Obstacle {
    if matches!(error, Error::ForQueue) {
        return salesforce_obstacle();
    }
    let problem = Problem::from(error);
    let retry = if write.accepted_at().is_some() { error.retry_of_accepted() } else { error.retry() };
    Obstacle {
        waiting_for: waiting_for(retry),
        reason: Some(problem.code.as_str().to_owned()),
        next: Some(problem.next.into_owned()),
        waits_for: Vec::new(),
    }
}

fn salesforce_obstacle() -> Obstacle {
    Obstacle { waiting_for: WaitingFor::Salesforce, reason: None, next: None, waits_for: Vec::new() }
}

fn waiting_for(retry: Retry) -> WaitingFor {
    match retry {
        Retry::NeedsHuman => WaitingFor::Person,
        Retry::Never | Retry::After(_) | Retry::Unknown(_) => WaitingFor::Salesforce,
    }
}

#[cfg(test)]
mod tests;
