//! The refresh protocol as a pure state machine: events go in, steps come out.
//!
//! Refresh token rotation is on: Salesforce accepts a refresh token once, and a second use revokes the grant.
//! So one broker at a time calls the token endpoint (the lease), new tokens are stored before anyone uses them, and a
//! response that was lost makes the connection `uncertain`, not revoked.
//! A refresh that fails for a reason which is not the grant's leaves a condition, which the next refresh that works removes.
//! The machine reads no clock, no table and no network: the module `refresh` executes its steps.

use jiff::{SignedDuration, Timestamp};
use salesforce::Condition;

mod steps;

pub use steps::{
    ConnectionStatus, Event, Limits, Outcome, Pause, ReauthReason, RefreshFailure, Refusal, Row, Settlement, Snapshot,
    Step, TokenNeed,
};

/// The state machine of one caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    need: TokenNeed,
    wait_until: Timestamp,
    lease_expires_at: Option<Timestamp>,
    /// True once a response with a newer refresh token may have been lost.
    maybe_rotated: bool,
    /// True once Salesforce returned `invalid_grant`; the vault is read once more, because the token may have been replaced.
    is_grant_invalid: bool,
    /// True if the reason was that the user is inactive.
    is_user_inactive: bool,
    /// True once Salesforce responded that another request is being processed.
    is_already_processing: bool,
    /// True while new tokens are in memory only.
    has_unstored_tokens: bool,
    store_attempts: u32,
    /// The result once the settlement is written.
    outcome: Outcome,
}

impl Protocol {
    /// Creates the machine of a caller that arrived at `now`. Its first step is [`Step::LoadRow`].
    #[must_use]
    pub fn new(need: TokenNeed, now: Timestamp, limits: &Limits) -> Self {
        Self {
            need,
            wait_until: after(now, limits.max_wait),
            lease_expires_at: None,
            maybe_rotated: false,
            is_grant_invalid: false,
            is_user_inactive: false,
            is_already_processing: false,
            has_unstored_tokens: false,
            store_attempts: 0,
            outcome: Outcome::Refuse(Refusal::Unavailable(limits.retry_delay)),
        }
    }

    /// Returns the next step after `event`, which happened at `now`.
    pub fn step(&mut self, event: Event, now: Timestamp, limits: &Limits) -> Step {
        match event {
            Event::RowLoaded(row) => self.row_loaded(row, now, limits),
            Event::TokensLoaded(snapshot) => self.tokens_loaded(snapshot, now, limits),
            Event::LeaseGranted(expires_at) => {
                self.lease_expires_at = Some(expires_at);
                Step::LoadRow
            }
            Event::LeaseDenied => self.wait(now, limits),
            Event::Refreshed => {
                self.has_unstored_tokens = true;
                Step::StoreTokens
            }
            Event::RefreshFailed(failure) => self.refresh_failed(failure, limits),
            Event::TokensStored => self.settle(Settlement::Active, Outcome::Serve),
            Event::StoreConflict => {
                self.has_unstored_tokens = false;
                Step::LoadRow
            }
            Event::StoreFailed => self.store_failed(now, limits),
            Event::Settled => Step::Done(self.outcome),
            Event::Waited if self.has_unstored_tokens => Step::StoreTokens,
            Event::Waited => Step::LoadRow,
        }
    }

    /// Skips the vault for a connection that has no usable grant, and while another broker refreshes. When the wait is over,
    /// the vault is read once: the holder may have stored tokens and crashed before it released the lease.
    fn row_loaded(&mut self, row: Row, now: Timestamp, limits: &Limits) -> Step {
        let has_no_lease = self.lease_expires_at.is_none();
        match row.status {
            ConnectionStatus::Revoked => self.finish(Outcome::Refuse(Refusal::Revoked)),
            ConnectionStatus::ReauthRequired => self.finish(Outcome::Refuse(Refusal::ReauthRequired)),
            _ if has_no_lease && self.need == TokenNeed::Newer && is_leased(row, now) && now < self.wait_until => {
                Step::Wait(limits.retry_delay)
            }
            _ => Step::LoadTokens,
        }
    }

    fn tokens_loaded(&mut self, snapshot: Snapshot, now: Timestamp, limits: &Limits) -> Step {
        match self.lease_expires_at {
            _ if snapshot.is_stale => self.wait_for_vault(now, limits),
            None => self.loaded_without_lease(snapshot, now, limits),
            Some(until) => self.loaded_under_lease(snapshot, until, now, limits),
        }
    }

    /// Waits until the vault returns the version that the row names.
    fn wait_for_vault(&mut self, now: Timestamp, limits: &Limits) -> Step {
        if now < self.wait_until {
            return Step::Wait(limits.retry_delay);
        }
        self.finish(Outcome::Refuse(Refusal::Busy(limits.retry_delay)))
    }

    fn loaded_without_lease(&mut self, snapshot: Snapshot, now: Timestamp, limits: &Limits) -> Step {
        if !snapshot.is_unusable {
            return Step::Done(Outcome::Serve);
        }
        if is_leased(snapshot.row, now) {
            return self.wait(now, limits);
        }
        if let Some(Pause { condition, left, is_recorded: true }) = pause(&snapshot) {
            return Step::Done(Outcome::Refuse(Refusal::Paused(condition, left)));
        }
        // The holder of an expired lease never released it: it may have used the refresh token.
        let lease_expired = snapshot.row.lease_expires_at.is_some();
        self.maybe_rotated = snapshot.row.status == ConnectionStatus::Uncertain || lease_expired;
        Step::ClaimLease
    }

    fn loaded_under_lease(&mut self, snapshot: Snapshot, until: Timestamp, now: Timestamp, limits: &Limits) -> Step {
        if !snapshot.is_unusable {
            return self.settle(Settlement::Active, Outcome::Serve);
        }
        self.maybe_rotated |= snapshot.row.status == ConnectionStatus::Uncertain;
        if self.is_grant_invalid {
            let reason = match (self.is_user_inactive, self.maybe_rotated) {
                (true, _) => ReauthReason::UserInactive,
                (false, true) => ReauthReason::ResponseLost,
                (false, false) => ReauthReason::GrantEnded,
            };
            return self.settle(Settlement::ReauthRequired(reason), Outcome::Refuse(Refusal::ReauthRequired));
        }
        if let Some(Pause { condition, left, .. }) = pause(&snapshot).filter(|_| !self.maybe_rotated) {
            return self.fail(condition, Refusal::Paused(condition, left));
        }
        let lease_is_too_short = after(now, limits.call) > until;
        if lease_is_too_short || (self.is_already_processing && now >= self.wait_until) {
            return self.abandon(Refusal::Busy(limits.retry_delay));
        }
        Step::Refresh
    }

    fn refresh_failed(&mut self, failure: RefreshFailure, limits: &Limits) -> Step {
        match failure {
            RefreshFailure::NotProcessed(delay) => self.fail(Condition::Unavailable, Refusal::Unavailable(delay)),
            RefreshFailure::Blocked(condition) => self.fail(condition, Refusal::Blocked(condition)),
            RefreshFailure::AppSunset => {
                let settlement = Settlement::ReauthRequired(ReauthReason::AppSunset);
                self.settle(settlement, Outcome::Refuse(Refusal::ReauthRequired))
            }
            RefreshFailure::OutcomeUnknown(delay) => {
                self.maybe_rotated = true;
                self.fail(Condition::Unavailable, Refusal::Unavailable(delay))
            }
            RefreshFailure::AlreadyProcessing => {
                self.maybe_rotated = true;
                self.is_already_processing = true;
                Step::Wait(limits.busy_delay)
            }
            RefreshFailure::InvalidGrant | RefreshFailure::UserInactive => {
                self.is_grant_invalid = true;
                self.is_user_inactive = failure == RefreshFailure::UserInactive;
                Step::LoadRow
            }
        }
    }

    fn store_failed(&mut self, now: Timestamp, limits: &Limits) -> Step {
        self.store_attempts += 1;
        let is_leased = self.lease_expires_at.is_some_and(|expires_at| now < expires_at);
        if is_leased && self.store_attempts < limits.store_attempts {
            return Step::Wait(limits.retry_delay);
        }
        self.maybe_rotated = true;
        self.abandon(Refusal::Unavailable(limits.retry_delay))
    }

    /// Waits for another broker, until the caller's time is over.
    fn wait(&self, now: Timestamp, limits: &Limits) -> Step {
        if now < self.wait_until {
            Step::Wait(limits.retry_delay)
        } else {
            Step::Done(Outcome::Refuse(Refusal::Busy(limits.retry_delay)))
        }
    }

    /// Releases the lease without new tokens, and records why there are none.
    fn fail(&mut self, condition: Condition, refusal: Refusal) -> Step {
        let is_uncertain = self.maybe_rotated;
        self.settle(Settlement::Failed { is_uncertain, condition }, Outcome::Refuse(refusal))
    }

    /// Releases the lease without new tokens, for a reason of Ferry's own.
    fn abandon(&mut self, refusal: Refusal) -> Step {
        let settlement = if self.maybe_rotated { Settlement::Uncertain } else { Settlement::Unchanged };
        self.settle(settlement, Outcome::Refuse(refusal))
    }

    /// Ends without a change of state, and releases the lease if it is held.
    fn finish(&mut self, outcome: Outcome) -> Step {
        match self.lease_expires_at {
            Some(_) => self.settle(Settlement::Unchanged, outcome),
            None => Step::Done(outcome),
        }
    }

    fn settle(&mut self, settlement: Settlement, outcome: Outcome) -> Step {
        self.outcome = outcome;
        Step::Settle(settlement)
    }
}

/// Returns the pause before newer tokens may be requested. Tokens of an uncertain connection may be old, so they are refreshed.
fn pause(snapshot: &Snapshot) -> Option<Pause> {
    snapshot.pause.filter(|_| snapshot.row.status == ConnectionStatus::Active)
}

/// Returns whether any broker holds the lease.
fn is_leased(row: Row, now: Timestamp) -> bool {
    row.lease_expires_at.is_some_and(|expires_at| now < expires_at)
}

/// Returns `now + span`, capped at the largest timestamp.
fn after(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
