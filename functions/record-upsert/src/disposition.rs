//! The result of reading a record, and how its messages are disposed of.

use std::collections::BTreeMap;
use std::time::Duration;

use salesforce::{Classify, Record, Retry};
use store::{ApplyOutcome, Change, DeliveryOutcome, Tombstone};

use crate::Error;

/// The result of reading one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The record or its deletion, to be applied to the mirror.
    Known(Change),
    /// Neither the record nor its deletion is visible to the connection.
    NotVisible,
    /// `retrieve` missed the record and `queryAll` found it live: read it again.
    Changing,
}

/// The handling of a record's messages: deleted, re-queued or dead-lettered. Each reason is a stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The record was processed. The messages are deleted.
    Settled(DeliveryOutcome),
    /// A person has to act first. The messages are deleted; the nightly refresh picks the change up.
    Blocked(String),
    /// Re-queued with a delay, as new messages.
    Deferred {
        /// The reason.
        reason: String,
        /// The shortest delay.
        pause: Duration,
    },
    /// No retry can help. The messages move to the dead-letter queue.
    DeadLettered(String),
    /// The org is not active. The messages are deleted, and nothing is recorded of them.
    Dropped,
    /// The outcome could not be recorded, so the messages stay in the queue.
    Retained(&'static str),
}

impl Disposition {
    /// Chooses the disposition of a failure by [`Retry`].
    #[must_use]
    pub fn from_failure(error: &Error) -> Self {
        let reason = error.reason();
        match error.retry() {
            Retry::Never => Self::DeadLettered(reason),
            Retry::NeedsHuman => Self::Blocked(reason),
            Retry::After(pause) | Retry::Unknown(pause) => Self::Deferred { reason, pause },
        }
    }

    /// Settles a change that was applied to the mirror, or found there already.
    #[must_use]
    pub fn from_applied(applied: ApplyOutcome, deleted: bool) -> Self {
        Self::Settled(match (applied, deleted) {
            (ApplyOutcome::Applied | ApplyOutcome::Unchanged, true) => DeliveryOutcome::Deleted,
            (ApplyOutcome::Applied, false) => DeliveryOutcome::Applied,
            (ApplyOutcome::Unchanged, false) => DeliveryOutcome::Unchanged,
            (ApplyOutcome::Stale, _) => DeliveryOutcome::Stale,
        })
    }

    /// Returns the outcome for the ledger, or `None` when the messages stay in the queue.
    #[must_use]
    pub fn outcome(&self) -> Option<DeliveryOutcome> {
        match self {
            Self::Settled(outcome) => Some(outcome.clone()),
            Self::Deferred { reason, .. } => Some(DeliveryOutcome::Deferred { reason: reason.clone() }),
            Self::Blocked(reason) | Self::DeadLettered(reason) => {
                Some(DeliveryOutcome::Failed { reason: reason.clone() })
            }
            Self::Dropped | Self::Retained(_) => None,
        }
    }
}

/// Returns message counts by disposition, for the summary log line.
pub fn counts<'a>(dispositions: impl Iterator<Item = &'a Disposition>) -> Vec<(&'static str, u64)> {
    let mut counts = BTreeMap::new();
    for disposition in dispositions {
        let name = match disposition {
            Disposition::Settled(DeliveryOutcome::Applied) => "messages.applied",
            Disposition::Settled(DeliveryOutcome::Unchanged) => "messages.unchanged",
            Disposition::Settled(DeliveryOutcome::Stale) => "messages.stale",
            Disposition::Settled(DeliveryOutcome::NotVisible) => "messages.not_visible",
            Disposition::Settled(DeliveryOutcome::Deleted) => "messages.deleted",
            Disposition::Settled(DeliveryOutcome::Failed { .. } | DeliveryOutcome::ObjectRefresh)
            | Disposition::Blocked(_) => "messages.blocked",
            Disposition::Settled(DeliveryOutcome::Deferred { .. }) | Disposition::Deferred { .. } => {
                "messages.deferred"
            }
            Disposition::DeadLettered(_) => "messages.dead_lettered",
            Disposition::Dropped => "messages.dropped",
            Disposition::Retained(_) => "messages.retained",
        };
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Interprets the `queryAll` row of a record that `retrieve` did not find. `None`: `queryAll` did not find it either.
#[must_use]
pub fn missing(row: Option<&Record>, read_at: jiff::Timestamp) -> Found {
    let Some(row) = row else { return Found::NotVisible };
    Tombstone::from_row(row, read_at).map_or(Found::Changing, |tombstone| Found::Known(Change::Tombstone(tombstone)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("not a JSON object") };
        Record { object: "Account".parse().unwrap(), id: "0015e00000ZkM3hAAF".parse().unwrap(), fields }
    }

    fn now() -> jiff::Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn only_query_all_proves_a_deletion() {
        let gone = row(json!({"IsDeleted": true, "SystemModstamp": "2026-11-22T09:59:00.000+0000"}));

        let Found::Known(Change::Tombstone(tombstone)) = missing(Some(&gone), now()) else { panic!("not deleted") };
        assert_eq!(tombstone.record_id, gone.id);
        assert_eq!(missing(None, now()), Found::NotVisible);
    }

    #[test]
    fn a_merged_record_names_its_master() {
        let gone = row(json!({
            "IsDeleted": true, "SystemModstamp": "2026-11-22T09:59:00.000+0000", "MasterRecordId": "0015e00000ZkM3iAAF",
        }));
        let Found::Known(Change::Tombstone(tombstone)) = missing(Some(&gone), now()) else { panic!("not deleted") };
        assert_eq!(tombstone.master_record_id.unwrap().as_str(), "0015e00000ZkM3iAAF");
    }

    #[test]
    fn a_record_restored_while_read_is_read_again() {
        let back = row(json!({"IsDeleted": false, "SystemModstamp": "2026-11-22T09:59:00.000+0000"}));
        assert_eq!(missing(Some(&back), now()), Found::Changing);
    }

    #[test]
    fn a_repeated_delete_is_still_a_delete() {
        assert_eq!(
            Disposition::from_applied(ApplyOutcome::Unchanged, true),
            Disposition::Settled(DeliveryOutcome::Deleted)
        );
        assert_eq!(Disposition::from_applied(ApplyOutcome::Stale, true), Disposition::Settled(DeliveryOutcome::Stale));
    }

    #[test]
    fn a_failure_that_needs_a_person_blocks_the_record() {
        let ended = salesforce::Error::GrantEnded { code: "invalid_grant".to_owned(), reason: "expired" };
        let error = Error::Salesforce(ended);
        let disposition = Disposition::from_failure(&error);

        assert_eq!(disposition, Disposition::Blocked("reconnect_required".to_owned()));
        assert!(matches!(disposition.outcome(), Some(DeliveryOutcome::Failed { .. })));
    }

    #[test]
    fn a_transient_failure_defers_for_at_least_its_pause() {
        let error = Error::Salesforce(salesforce::Error::DailyLimit { operation: "retrieve" });
        let pause = Duration::from_mins(15);
        assert_eq!(
            Disposition::from_failure(&error),
            Disposition::Deferred { reason: "daily_limit".to_owned(), pause }
        );
        assert!(
            matches!(Disposition::from_failure(&Error::OverBudget), Disposition::Deferred { reason, .. } if reason == "over_budget")
        );
    }

    #[test]
    fn a_permanent_failure_is_dead_lettered() {
        let error = Error::Salesforce(salesforce::Error::TooLarge { operation: "retrieve", what: "response" });
        assert_eq!(Disposition::from_failure(&error), Disposition::DeadLettered("salesforce_refused".to_owned()));
        let too_large =
            store::Error::TooLarge { operation: "store the record", size_bytes: 500_000, limit: store::ITEM_LIMIT };
        assert_eq!(
            Disposition::from_failure(&Error::Mirror(too_large)),
            Disposition::DeadLettered("too_large".to_owned())
        );
    }

    #[test]
    fn a_missing_permission_of_the_function_defers() {
        let code = "AccessDeniedException".to_owned();
        let refused = store::Error::Refused { operation: "apply the change", code, source: "denied".into() };
        assert!(matches!(Disposition::from_failure(&Error::Mirror(refused)), Disposition::Deferred { .. }));
    }
}
