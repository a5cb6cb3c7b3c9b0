//! Who may refresh a connection: at most one at a time, over all processes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
