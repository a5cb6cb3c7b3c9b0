//! Requests as values, and the one file that sends them.

use std::time::Duration;

use crate::{Clock, Error, HostPolicy};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one attempt, from connecting to the last byte of the answer.
    pub attempt: Duration,
    /// For all attempts together: after it no further one begins.
    pub total: Duration,
}

/// A connection pool with Ferry's rules: bounded answers, no redirects, few retries.
#[derive(Clone, Debug)]
pub struct Http {
    pool: reqwest::Client,
    policy: HostPolicy,
    clock: Clock,
    patience: Patience,
}

impl Http {
    /// A pool that talks to the hosts that `policy` allows.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the machine has no usable TLS set-up.
    pub fn new(policy: HostPolicy, clock: Clock) -> Result<Self, Error> {
        todo!()
    }

    /// The same pool with other time limits.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Which hosts it may talk to.
    pub fn policy(&self) -> HostPolicy {
        self.policy
    }

    /// The clock that it counts its deadlines with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
