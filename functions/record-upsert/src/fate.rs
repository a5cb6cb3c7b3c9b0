//! What becomes of a record that was asked for, and of the messages that asked for it.

use std::collections::BTreeMap;
use std::time::Duration;

use salesforce::{Classify, Record, RecordId, Retry};
use store::{ApplyOutcome, Change, DeliveryOutcome, Tombstone};

use crate::Error;

/// What Salesforce says about a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is there, or it is deleted: the mirror can be told.
    Known(Change),
    /// Neither the record nor its deletion can be seen by the connection.
    NotVisible,
    /// It was not there a moment ago and now it is: it has to be read once more.
    Wavering,
}

/// What becomes of a record, and so of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The messages have done their work.
    Settled(DeliveryOutcome),
    /// Only a person can help; the messages go, and the refresh catches up afterwards.
    Parked(String),
    /// Their hints come again later, as new messages.
    PutOff {
        /// Why, as a stable code.
        reason: String,
        /// For how long at least.
        pause: Duration,
    },
    /// No retry can help: they are dead letters.
    Poison(String),
    /// What became of them could not be written down or sent: the queue hands them out again.
    Returned(&'static str),
}

impl Fate {
    /// By what may be done about the failure.
    #[must_use]
    pub fn of_failure(error: &Error) -> Self {
        let reason = error.reason();
        match error.retry() {
            Retry::Never => Self::Poison(reason),
            Retry::NeedsHuman => Self::Parked(reason),
            Retry::After(pause) | Retry::Unknown(pause) => Self::PutOff { reason, pause },
        }
    }

    /// By what the mirror made of the change.
    #[must_use]
    pub fn of_applied(applied: ApplyOutcome, deleted: bool) -> Self {
        Self::Settled(match (applied, deleted) {
            (ApplyOutcome::Applied | ApplyOutcome::Unchanged, true) => DeliveryOutcome::Deleted,
            (ApplyOutcome::Applied, false) => DeliveryOutcome::Applied,
            (ApplyOutcome::Unchanged, false) => DeliveryOutcome::Unchanged,
            (ApplyOutcome::Stale, _) => DeliveryOutcome::Stale,
        })
    }

    /// What the ledger says; nothing, where the messages are returned as they were.
    #[must_use]
    pub fn outcome(&self) -> Option<DeliveryOutcome> {
        match self {
            Self::Settled(outcome) => Some(outcome.clone()),
            Self::PutOff { reason, .. } => Some(DeliveryOutcome::Deferred { reason: reason.clone() }),
            Self::Parked(reason) | Self::Poison(reason) => Some(DeliveryOutcome::Failed { reason: reason.clone() }),
            Self::Returned(_) => None,
        }
    }
}

/// How often each fate befell a message, for the closing line.
pub fn counts<'a>(fates: impl Iterator<Item = &'a Fate>) -> Vec<(&'static str, u64)> {
    let mut counts = BTreeMap::new();
    for fate in fates {
        let name = match fate {
            Fate::Settled(DeliveryOutcome::Applied) => "messages.applied",
            Fate::Settled(DeliveryOutcome::Unchanged) => "messages.unchanged",
            Fate::Settled(DeliveryOutcome::Stale) => "messages.stale",
            Fate::Settled(DeliveryOutcome::NotVisible) => "messages.not_visible",
            Fate::Settled(DeliveryOutcome::Deleted) => "messages.deleted",
            Fate::Settled(DeliveryOutcome::Failed { .. } | DeliveryOutcome::ObjectRefresh) | Fate::Parked(_) => {
                "messages.parked"
            }
            Fate::Settled(DeliveryOutcome::Deferred { .. }) | Fate::PutOff { .. } => "messages.put_off",
            Fate::Poison(_) => "messages.poison",
            Fate::Returned(_) => "messages.returned",
        };
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// What `queryAll` says about a record that `retrieve` did not find.
#[must_use]
pub fn missing(row: Option<&Record>, read_at: jiff::Timestamp) -> Found {
    let Some(row) = row else { return Found::NotVisible };
    let deleted = row.fields.get("IsDeleted").and_then(serde_json::Value::as_bool);
    match (deleted, row.system_modstamp()) {
        (Some(true), Some(system_modstamp)) => Found::Known(Change::Tombstone(Tombstone {
            record_id: row.id,
            system_modstamp,
            read_at,
            master_record_id: master_of(row),
        })),
        _ => Found::Wavering,
    }
}

/// The record that a merge kept instead of this one.
#[must_use]
pub fn master_of(row: &Record) -> Option<RecordId> {
    row.text("MasterRecordId")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("an object is wanted") };
        Record { object: "Account".parse().unwrap(), id: "0015e00000ZkM3hAAF".parse().unwrap(), fields }
    }

    fn now() -> jiff::Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_record_is_deleted_only_when_query_all_says_so() {
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
    fn a_record_that_came_back_in_between_is_read_again() {
        let back = row(json!({"IsDeleted": false, "SystemModstamp": "2026-11-22T09:59:00.000+0000"}));
        assert_eq!(missing(Some(&back), now()), Found::Wavering);
    }

    #[test]
    fn a_repeated_delete_is_still_a_delete() {
        assert_eq!(Fate::of_applied(ApplyOutcome::Unchanged, true), Fate::Settled(DeliveryOutcome::Deleted));
        assert_eq!(Fate::of_applied(ApplyOutcome::Stale, true), Fate::Settled(DeliveryOutcome::Stale));
    }

    #[test]
    fn what_a_person_must_mend_is_parked_and_does_not_come_again() {
        let error = Error::Salesforce(salesforce::Error::SessionRefused { operation: "retrieve" });
        let fate = Fate::of_failure(&error);

        assert_eq!(fate, Fate::Parked("reconnect_required".to_owned()));
        assert!(matches!(fate.outcome(), Some(DeliveryOutcome::Failed { .. })));
    }

    #[test]
    fn what_did_not_take_effect_comes_later_and_not_before_it_may() {
        let error = Error::Salesforce(salesforce::Error::DailyLimit { operation: "retrieve" });
        let pause = Duration::from_mins(15);
        assert_eq!(Fate::of_failure(&error), Fate::PutOff { reason: "daily_limit".to_owned(), pause });
        assert!(matches!(Fate::of_failure(&Error::OverBudget), Fate::PutOff { reason, .. } if reason == "over_budget"));
    }

    #[test]
    fn what_no_retry_can_help_is_poison() {
        let error = Error::Salesforce(salesforce::Error::TooLarge { operation: "retrieve", what: "answer" });
        assert_eq!(Fate::of_failure(&error), Fate::Poison("salesforce_refused".to_owned()));
        let too_large =
            store::Error::TooLarge { operation: "store the record", size_bytes: 500_000, limit: store::ITEM_LIMIT };
        assert_eq!(Fate::of_failure(&Error::Mirror(too_large)), Fate::Poison("too_large".to_owned()));
    }

    #[test]
    fn what_a_deployment_got_wrong_does_not_make_dead_letters_at_once() {
        let code = "AccessDeniedException".to_owned();
        let refused = store::Error::Refused { operation: "apply the change", code, source: "denied".into() };
        assert!(matches!(Fate::of_failure(&Error::Mirror(refused)), Fate::PutOff { .. }));
    }
}
