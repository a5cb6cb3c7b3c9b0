//! The lease on refreshing a connection: at most one refresh at a time, over all processes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ConditionState, ConnectionState};
use crate::ids::TokenVersion;
use crate::token_vault::TokenGrant;

/// A lease. The fencing token grows with every grant, so that a write by an earlier holder is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The holder.
    pub owner: String,
    /// The time at which the lease expires.
    pub deadline: Timestamp,
    /// The fencing token.
    pub fence: u64,
}

/// The lease attributes of a connection. A lease that expired without being released stays stored: its holder may have
/// failed during a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseSlot {
    /// The last holder; `None` after a release.
    #[serde(default, rename = "lease_owner", skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The time at which the lease expires; `None` after a release.
    #[serde(
        default,
        rename = "lease_deadline",
        with = "crate::time::millis_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deadline: Option<Timestamp>,
    /// The fencing token of the last grant.
    #[serde(default, rename = "lease_fence")]
    pub fence: u64,
}

/// The outcome of the work under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The connection is unchanged.
    Unchanged,
    /// New tokens are in the vault. The connection becomes active.
    Refreshed {
        /// The base URL of API calls.
        instance_url: String,
        /// The version of the secret.
        token_version: TokenVersion,
        /// The grant of the tokens, if known: after a failure, the row may still name the grant before.
        grant: Option<TokenGrant>,
        /// The condition that a refresh does not end; `None` for a connection that works.
        condition: Option<ConditionState>,
        /// The time of the outcome.
        now: Timestamp,
    },
    /// There are no new tokens, and the grant has not ended as far as is known.
    Failed {
        /// `true` if a response with new tokens may have been lost.
        is_uncertain: bool,
        /// The reason.
        condition: ConditionState,
        /// The time of the outcome.
        now: Timestamp,
    },
    /// The connection has a new state.
    StateChanged {
        /// The state.
        state: ConnectionState,
        /// The time of the outcome.
        now: Timestamp,
    },
}

/// A lease request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The caller. Every invocation uses a new name.
    pub owner: String,
    /// The current time.
    pub now: Timestamp,
    /// The length of the lease.
    pub length: SignedDuration,
    /// The fencing token that the caller has read. The lease is granted only if no other owner has held it since. `None`
    /// accepts any.
    pub seen_fence: Option<u64>,
}

impl LeaseRequest {
    pub(super) fn deadline(&self) -> Timestamp {
        self.now.saturating_add(self.length).unwrap_or(self.now)
    }
}

/// The response to a lease request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseClaim {
    /// The caller holds the lease until its deadline.
    Granted(Lease),
    /// Another caller holds the lease, or has held it since `seen_fence`.
    Held(LeaseSlot),
}

/// The connection exists and its lease is free.
pub(super) const IS_FREE: &str =
    "attribute_exists(#org_id) AND (attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// [`IS_FREE`], and no other owner has held the lease since the caller read it.
pub(super) const IS_FREE_AS_SEEN: &str = "attribute_exists(#org_id) AND #lease_fence = :seen_fence AND \
     (attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// The caller's lease is the one granted last. A holder whose deadline has passed keeps it until another caller claims
/// it, so that tokens which arrive late are not lost.
pub(super) const IS_HOLDER: &str = "#lease_owner = :holder AND #lease_fence = :fence";

impl LeaseSlot {
    /// Returns the lease granted last, expired or not; `None` after a release.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        Some(Lease { owner: self.owner.clone()?, deadline: self.deadline?, fence: self.fence })
    }

    /// Returns the attributes after a grant.
    #[must_use]
    pub fn granted(&self, owner: &str, deadline: Timestamp) -> Self {
        Self { owner: Some(owner.to_owned()), deadline: Some(deadline), fence: self.fence.saturating_add(1) }
    }
}
