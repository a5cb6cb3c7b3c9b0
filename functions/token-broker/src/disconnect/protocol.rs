//! Disconnecting as a pure state machine: events go in, steps come out.
//!
//! The lease is held from before the connection is marked as revoked until its tokens are deleted. A refresh in progress is
//! waited for, and a consent waits for the disconnection ([`store::Connections::reserve`]): otherwise the disconnection could
//! delete the tokens of a consent that arrives in between, and leave an active connection without tokens.
//! The connection is marked first, so that no caller gets a token any more. The tokens stay until Salesforce has revoked the
//! grant, so that a repetition can still revoke it.
//!
//! A step that fails because AWS is unavailable ends the disconnection, and the lease is left to expire: the step may still
//! take effect until then.

use std::time::Duration;

use jiff::Timestamp;

use crate::protocol::Limits;

/// An input of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// This caller holds the lease.
    LeaseGranted,
    /// A refresh, a consent or another disconnection holds the lease.
    LeaseDenied,
    /// The connection is marked as revoked, under the lease.
    MarkedRevoked,
    /// A consent took the lease before the connection was marked.
    LeaseLost,
    /// The vault has tokens of the connection.
    TokensLoaded,
    /// The vault has none.
    NoTokens,
    /// Salesforce revoked the grant.
    GrantRevoked,
    /// Salesforce did not confirm the revocation.
    RevocationFailed,
    /// The tokens are deleted, or others are in the vault.
    TokensDeleted,
    /// The lease is released.
    Released,
    /// The pause is over.
    Waited,
}

/// An output of the state machine: the next step of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Claim the lease, unless it is held.
    ClaimLease,
    /// Mark the connection as revoked, if this caller still holds the lease.
    MarkRevoked,
    /// Read the vault.
    LoadTokens,
    /// Revoke the grant of the loaded tokens at Salesforce.
    RevokeGrant,
    /// Delete the loaded tokens, and no others.
    DeleteTokens,
    /// Release the lease.
    Release,
    /// Wait.
    Wait(Duration),
    /// Return.
    Done(Outcome),
}

/// The outcome of a disconnection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection is revoked, and it has no tokens.
    Disconnected,
    /// The connection is revoked, but its grant may be alive: a repetition revokes it.
    NotRevoked,
    /// The lease was held for the whole [`Limits::max_wait`]. Nothing was done.
    Busy,
}

/// The state of one disconnection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnection {
    wait_until: Timestamp,
    outcome: Outcome,
}

impl Disconnection {
    /// Begins a disconnection. Returns it with its first step.
    pub(crate) fn begin(now: Timestamp, limits: &Limits) -> (Self, Step) {
        let wait_until = now.saturating_add(limits.max_wait).unwrap_or(now);
        (Self { wait_until, outcome: Outcome::Disconnected }, Step::ClaimLease)
    }

    /// Returns the step after an event.
    pub(crate) fn step(&mut self, event: Event, now: Timestamp, limits: &Limits) -> Step {
        match event {
            Event::LeaseGranted => Step::MarkRevoked,
            Event::LeaseDenied | Event::LeaseLost if now < self.wait_until => Step::Wait(limits.retry_delay),
            Event::LeaseDenied | Event::LeaseLost => Step::Done(Outcome::Busy),
            Event::Waited => Step::ClaimLease,
            Event::MarkedRevoked => Step::LoadTokens,
            Event::TokensLoaded => Step::RevokeGrant,
            Event::GrantRevoked => Step::DeleteTokens,
            Event::RevocationFailed => {
                self.outcome = Outcome::NotRevoked;
                Step::Release
            }
            Event::NoTokens | Event::TokensDeleted => Step::Release,
            Event::Released => Step::Done(self.outcome),
        }
    }
}

#[cfg(test)]
mod tests;
