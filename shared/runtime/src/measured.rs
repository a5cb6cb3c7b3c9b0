//! Storing how fresh the mirror is.

use salesforce::Clock;
use store::{Freshness, Measured, VisibleIn};

use crate::Chain;

/// Adds the latencies of a batch to the table. A failure is logged and fails nothing: the changes themselves are stored.
pub async fn record_freshness(freshness: &Freshness, place: VisibleIn, measured: &Measured, clock: &Clock) {
    if measured.is_empty() {
        return;
    }
    if let Err(error) = freshness.add(place, measured, clock.now()).await {
        tracing::warn!("could not store how fresh the changes are: {}", Chain(&error));
    }
}
