//! The newest deliveries and a count of all, in bounded memory.

use std::collections::{BTreeMap, VecDeque};

use salesforce::RecordId;
use store::{Delivery, DeliveryOutcome};

/// An extract of the ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    record: Option<RecordId>,
    limit: usize,
    newest: VecDeque<Delivery>,
    counts: BTreeMap<&'static str, usize>,
}

impl Ledger {
    /// Creates an extract of the newest `limit` deliveries, of one record or of all.
    pub(crate) fn new(record: Option<RecordId>, limit: usize) -> Self {
        Self { record, limit, newest: VecDeque::new(), counts: BTreeMap::new() }
    }

    /// Adds the next delivery, in order of arrival.
    pub(crate) fn add(&mut self, delivery: Delivery) {
        let record = delivery.record.as_ref().map(|record| record.record_id);
        if self.record.is_some() && self.record != record {
            return;
        }
        *self.counts.entry(code(&delivery.outcome)).or_default() += 1;
        self.newest.push_back(delivery);
        if self.newest.len() > self.limit {
            self.newest.pop_front();
        }
    }

    /// Returns the newest deliveries, oldest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Delivery> {
        self.newest.iter()
    }

    /// Returns the number of deliveries by outcome, dropped ones included.
    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    pub(crate) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    pub(crate) fn left_out(&self) -> usize {
        self.total() - self.newest.len()
    }
}

/// Returns the outcome as it is stored.
pub(crate) fn code(outcome: &DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Applied => "applied",
        DeliveryOutcome::Unchanged => "unchanged",
        DeliveryOutcome::Stale => "stale",
        DeliveryOutcome::LeftToRefresh { .. } => "left_to_refresh",
        DeliveryOutcome::NotVisible => "not_visible",
        DeliveryOutcome::Deleted => "deleted",
        DeliveryOutcome::Deferred { .. } => "deferred",
        DeliveryOutcome::Failed { .. } => "failed",
        DeliveryOutcome::ObjectRefresh => "object_refresh",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, to_value};
    use store::{RecordRef, Source};

    use super::*;

    fn delivery(second: i64, record: &str, outcome: DeliveryOutcome) -> Delivery {
        let at = Timestamp::from_second(1_795_342_530 + second).unwrap();
        Delivery {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            delivery_id: format!("delivery-{second}").parse().unwrap(),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: "Account".parse().unwrap(), record_id: record.parse().unwrap() }),
            received_at: at,
            settled_at: at,
            outcome,
        }
    }

    #[test]
    fn the_newest_are_kept_and_all_are_counted() {
        let mut ledger = Ledger::new(None, 2);
        for second in 0..5 {
            let outcome = if second == 1 { DeliveryOutcome::Stale } else { DeliveryOutcome::Applied };
            ledger.add(delivery(second, "0015e00000ZkM3hAAF", outcome));
        }
        let kept: Vec<&str> = ledger.newest().map(|delivery| delivery.delivery_id.as_str()).collect();
        assert_eq!(kept, ["delivery-3", "delivery-4"]);
        assert_eq!(ledger.counts(), &[("applied", 4), ("stale", 1)].into());
        assert_eq!((ledger.total(), ledger.left_out()), (5, 3));
    }

    #[test]
    fn a_record_matches_both_forms_of_its_id() {
        let mut ledger = Ledger::new(Some("0015e00000ZkM3h".parse().unwrap()), 10);
        ledger.add(delivery(0, "0015e00000ZkM3hAAF", DeliveryOutcome::Applied));
        ledger.add(delivery(1, "0015e00000ZkM3iAAF", DeliveryOutcome::Applied));
        ledger.add(Delivery { record: None, ..delivery(2, "0015e00000ZkM3hAAF", DeliveryOutcome::Deleted) });
        assert_eq!(ledger.total(), 1);
    }

    #[test]
    fn codes_are_those_that_are_stored() {
        let reason = || "a_reason".to_owned();
        for outcome in [
            DeliveryOutcome::Applied,
            DeliveryOutcome::Unchanged,
            DeliveryOutcome::Stale,
            DeliveryOutcome::NotVisible,
            DeliveryOutcome::Deleted,
            DeliveryOutcome::Deferred { reason: reason() },
            DeliveryOutcome::Failed { reason: reason() },
            DeliveryOutcome::LeftToRefresh { reason: reason() },
            DeliveryOutcome::ObjectRefresh,
        ] {
            assert_eq!(to_value(&outcome).unwrap()["outcome"], Value::from(code(&outcome)));
        }
    }
}
