//! The result of reading a record, and how its messages are disposed of.

use std::collections::BTreeMap;

use salesforce::{Classify, Record, Retry};
use store::{ApplyOutcome, Change, DeliveryOutcome, Tombstone};

use crate::Error;

/// The result of reading one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The record or its deletion, to be applied to the mirror.
    Known(Change),
    /// Neither the record nor its deletion is visible to the connection: `retrieve` returned null, and `queryAll` did not
    /// find it.
    NotVisible,
    /// `retrieve` missed the record and `queryAll` found it live: read it again.
    Changing,
    /// Salesforce cannot return the record, not even alone and in parts.
    Unreadable,
}

/// The handling of a record's messages: deleted, re-queued or dead-lettered. Each reason is a stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The record was processed. The messages are deleted.
    Settled(DeliveryOutcome),
    /// Re-queued with a delay, as new messages: for three days, and without limit while a person has to act and no refresh
    /// reads the record.
    Deferred {
        /// The reason.
        reason: String,
        /// The retry that the failure allows; not [`Retry::Never`].
        retry: Retry,
    },
    /// Salesforce refused the read. Re-queued a few times, because one odd answer decides little; then dead-lettered.
    Unconfirmed {
        /// The reason.
        reason: String,
    },
    /// No retry can help this very record. The messages move to the dead-letter queue.
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
            _ if matches!(error, Error::Hidden) => Self::Settled(DeliveryOutcome::NotVisible),
            Retry::Never if error.is_about_the_record() => Self::DeadLettered(reason),
            Retry::Never => Self::Unconfirmed { reason },
            retry => Self::Deferred { reason, retry },
        }
    }

    /// Returns the disposition of a refusal that is confirmed, or of a failure that lasts too long.
    #[must_use]
    pub fn given_up(self) -> Self {
        match self {
            Self::Deferred { reason, .. } => Self::DeadLettered(format!("deferred_too_long:{reason}")),
            Self::Unconfirmed { reason } => Self::DeadLettered(reason),
            other => other,
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

    /// Returns whether the messages are re-queued, and wait for no person.
    #[must_use]
    pub fn is_late(&self) -> bool {
        match self {
            Self::Deferred { retry, .. } => *retry != Retry::NeedsHuman,
            Self::Unconfirmed { .. } => true,
            Self::Settled(_) | Self::DeadLettered(_) | Self::Dropped | Self::Retained(_) => false,
        }
    }

    /// Returns the outcome for the ledger, or `None` when the messages stay in the queue.
    #[must_use]
    pub fn outcome(&self) -> Option<DeliveryOutcome> {
        match self {
            Self::Settled(outcome) => Some(outcome.clone()),
            Self::Deferred { reason, .. } | Self::Unconfirmed { reason } => {
                Some(DeliveryOutcome::Deferred { reason: reason.clone() })
            }
            Self::DeadLettered(reason) => Some(DeliveryOutcome::Failed { reason: reason.clone() }),
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
            Disposition::Settled(DeliveryOutcome::LeftToRefresh { .. }) => "messages.left_to_refresh",
            Disposition::Deferred { retry: Retry::NeedsHuman, .. } => "messages.blocked",
            Disposition::Unconfirmed { .. } => "messages.unconfirmed",
            Disposition::Settled(
                DeliveryOutcome::Failed { .. } | DeliveryOutcome::ObjectRefresh | DeliveryOutcome::Deferred { .. },
            )
            | Disposition::Deferred { .. } => "messages.deferred",
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
    use std::time::Duration;

    use salesforce::Problem;
    use serde_json::{Value, json};

    use super::*;

    fn rejected(status: u16, code: &str) -> Error {
        let problems = vec![Problem { code: code.to_owned(), fields: Vec::new() }];
        Error::Salesforce(salesforce::Error::Rejected { operation: "retrieve", status, problems })
    }

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
    fn a_failure_that_needs_a_person_defers_the_record() {
        let ended = salesforce::Error::GrantEnded { code: "invalid_grant".to_owned(), reason: "expired" };
        let error = Error::Salesforce(ended);
        let disposition = Disposition::from_failure(&error);

        let reason = "reconnect_required".to_owned();
        assert_eq!(disposition, Disposition::Deferred { reason: reason.clone(), retry: Retry::NeedsHuman });
        assert_eq!(disposition.outcome(), Some(DeliveryOutcome::Deferred { reason }));
    }

    #[test]
    fn a_transient_failure_defers_for_at_least_its_pause() {
        let error = Error::Salesforce(salesforce::Error::DailyLimit { operation: "retrieve" });
        let pause = Duration::from_mins(15);
        assert_eq!(
            Disposition::from_failure(&error),
            Disposition::Deferred { reason: "daily_limit".to_owned(), retry: Retry::After(pause) }
        );
        assert!(
            matches!(Disposition::from_failure(&Error::OverBudget), Disposition::Deferred { reason, .. } if reason == "over_budget")
        );
    }

    #[test]
    fn a_refusal_is_sent_again_until_it_is_confirmed() {
        let refused = Disposition::from_failure(&rejected(400, "SOMETHING_NEW"));
        let reason = "SOMETHING_NEW".to_owned();
        assert_eq!(refused, Disposition::Unconfirmed { reason: reason.clone() });
        assert_eq!(refused.given_up(), Disposition::DeadLettered(reason));
    }

    #[test]
    fn only_a_confirmed_hidden_object_is_not_visible() {
        assert!(matches!(Disposition::from_failure(&rejected(404, "NOT_FOUND")), Disposition::Deferred { .. }));
        assert!(matches!(Disposition::from_failure(&rejected(400, "INVALID_TYPE")), Disposition::Unconfirmed { .. }));
        assert_eq!(Disposition::from_failure(&Error::Hidden), Disposition::Settled(DeliveryOutcome::NotVisible));
    }

    #[test]
    fn what_no_retry_can_help_a_record_is_dead_lettered() {
        let dead = Disposition::DeadLettered("record_unreadable".to_owned());
        assert_eq!(Disposition::from_failure(&Error::Unreadable), dead);
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
