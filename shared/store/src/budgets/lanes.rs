//! Lanes: which calls may still be made when an org's daily budget runs low.

use serde::{Deserialize, Serialize};

/// A class of API calls, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Someone waits for the answer.
    Interactive,
    /// A changed record is read again.
    Webhook,
    /// The incremental sync.
    Incremental,
    /// The nightly audit.
    Audit,
    /// The first copy of an org.
    Backfill,
}
