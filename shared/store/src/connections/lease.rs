//! Who may refresh a connection: at most one at a time, over all processes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ConnectionState;
use crate::ids::TokenVersion;
use crate::token_vault::TokenGrant;

/// A right with an end. The fence grows with every grant, so that a write by an earlier holder can be told and refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who has it.
    pub owner: String,
    /// Until when.
    pub deadline: Timestamp,
    /// Which grant it is.
    pub fence: u64,
}

/// Where a connection keeps its lease. One that has ended without being given back stays visible: its holder may have died
/// in the middle of a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseSlot {
    /// Who took it last; `None` when it was given back.
    #[serde(default, rename = "lease_owner", skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when; `None` when it was given back.
    #[serde(
        default,
        rename = "lease_deadline",
        with = "crate::time::millis_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deadline: Option<Timestamp>,
    /// How often it was taken.
    #[serde(default, rename = "lease_fence")]
    pub fence: u64,
}

/// What came of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// Nothing: the connection stays as it is.
    Unchanged,
    /// New tokens, which are in the vault. The connection is active.
    Refreshed {
        /// Where API calls go now.
        instance_url: String,
        /// The version of the secret.
        token_version: TokenVersion,
        /// The grant that the tokens are of, where it is known: after a crash, the row may name the one before.
        grant: Option<TokenGrant>,
        /// When.
        now: Timestamp,
    },
    /// Another state.
    StateChanged {
        /// Which one.
        state: ConnectionState,
        /// When.
        now: Timestamp,
    },
}

/// A wish for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Who wants it; the same for no two invocations.
    pub owner: String,
    /// When.
    pub now: Timestamp,
    /// For how long.
    pub length: SignedDuration,
    /// The fence that the caller saw: the lease is granted only if nobody has had it since. `None` takes it from whoever
    /// had it last.
    pub seen_fence: Option<u64>,
}

impl LeaseRequest {
    pub(super) fn deadline(&self) -> Timestamp {
        self.now.saturating_add(self.length).unwrap_or(self.now)
    }
}

/// What an attempt to take a lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseClaim {
    /// It is the caller's until its deadline.
    Granted(Lease),
    /// Someone else has it, or has had it since the caller looked.
    Held(LeaseSlot),
}

/// [`LeaseSlot::is_free`] and the row's existence, as a condition.
pub(super) const IS_FREE: &str =
    "attribute_exists(#org_id) AND (attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// [`IS_FREE`], and nobody has had it since the caller looked.
pub(super) const IS_FREE_AS_SEEN: &str = "attribute_exists(#org_id) AND #lease_fence = :seen_fence AND \
     (attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// [`LeaseSlot::is_held_by`] as a condition.
pub(super) const IS_HOLDER: &str = "#lease_owner = :holder AND #lease_fence = :fence";

impl LeaseSlot {
    /// The lease that was taken last, ended or not; `None` when it was given back.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        Some(Lease { owner: self.owner.clone()?, deadline: self.deadline?, fence: self.fence })
    }

    /// The slot after a grant.
    #[must_use]
    pub fn granted(&self, owner: &str, deadline: Timestamp) -> Self {
        Self { owner: Some(owner.to_owned()), deadline: Some(deadline), fence: self.fence.saturating_add(1) }
    }
}
