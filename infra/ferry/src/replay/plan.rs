//! The records that a replay queues, and their cost.

use std::collections::BTreeMap;

use salesforce::{ObjectName, RecordId};
use serde::Serialize;
use store::{ChangeHint, Delivery};

/// Records that one API call reads.
const RECORDS_PER_CALL: usize = 2_000;

/// The newest delivery of each record: a few hundred bytes per record, independent of the number of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    newest: BTreeMap<RecordId, ChangeHint>,
    deliveries: BTreeMap<ObjectName, usize>,
    without_record: usize,
}

/// The work for one object.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ObjectPlan {
    pub(crate) object: ObjectName,
    pub(crate) deliveries: usize,
    pub(crate) records: usize,
    pub(crate) api_calls_at_least: usize,
}

impl Plan {
    /// Adds a delivery, in any order.
    pub(crate) fn add(&mut self, delivery: Delivery) {
        let Delivery { org_id, delivery_id, source, record, received_at, .. } = delivery;
        let Some(reference) = &record else {
            self.without_record += 1;
            return;
        };
        *self.deliveries.entry(reference.object.clone()).or_default() += 1;
        let record_id = reference.record_id;
        if self.newest.get(&record_id).is_none_or(|known| known.received_at <= received_at) {
            let hint =
                ChangeHint { org_id, delivery_id, source, record, received_at, deferrals: store::Deferrals::default() };
            self.newest.insert(record_id, hint);
        }
    }

    /// Returns the number of distinct records.
    pub(crate) fn records(&self) -> usize {
        self.newest.len()
    }

    /// Returns the number of deliveries that name no record.
    pub(crate) fn without_record(&self) -> usize {
        self.without_record
    }

    /// Returns the minimum number of API calls that read the records.
    pub(crate) fn api_calls(&self) -> usize {
        self.objects().iter().map(|object| object.api_calls_at_least).sum()
    }

    /// Returns the work by object.
    pub(crate) fn objects(&self) -> Vec<ObjectPlan> {
        let mut records: BTreeMap<&ObjectName, usize> = BTreeMap::new();
        for record in self.newest.values().filter_map(|hint| hint.record.as_ref()) {
            *records.entry(&record.object).or_default() += 1;
        }
        let plan = |(object, records): (&ObjectName, usize)| ObjectPlan {
            object: object.clone(),
            deliveries: self.deliveries.get(object).copied().unwrap_or_default(),
            records,
            api_calls_at_least: records.div_ceil(RECORDS_PER_CALL),
        };
        records.into_iter().map(plan).collect()
    }

    /// Returns the hints to queue, ordered by record id and so by object, so that a batch is read with few calls.
    pub(crate) fn hints(&self) -> Vec<ChangeHint> {
        self.newest.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use store::{DeliveryOutcome, RecordRef, Source};

    use super::*;

    fn delivery(number: usize, second: i64, record: Option<(&str, usize)>) -> Delivery {
        let record = record.map(|(object, number)| RecordRef {
            object: object.parse().unwrap(),
            record_id: format!("{}5e0000{number:06}", if object == "Account" { "001" } else { "003" }).parse().unwrap(),
        });
        let at = Timestamp::from_second(1_795_342_530 + second).unwrap();
        Delivery {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            delivery_id: format!("delivery-{number}").parse().unwrap(),
            source: Source::OutboundMessage,
            record,
            received_at: at,
            settled_at: at,
            outcome: DeliveryOutcome::Applied,
        }
    }

    fn plan(deliveries: impl IntoIterator<Item = Delivery>) -> Plan {
        let mut plan = Plan::default();
        deliveries.into_iter().for_each(|delivery| plan.add(delivery));
        plan
    }

    #[test]
    fn each_record_is_queued_once_as_its_newest_delivery() {
        let (older, newer) = (delivery(1, 10, Some(("Account", 1))), delivery(2, 20, Some(("Account", 1))));
        for order in [[older.clone(), newer.clone()], [newer, older]] {
            let hints = plan(order).hints();
            assert_eq!(hints.len(), 1);
            assert_eq!((hints[0].delivery_id.as_str(), hints[0].deferrals.count), ("delivery-2", 0));
            assert_eq!(hints[0].received_at.as_second(), 1_795_342_550);
        }
    }

    #[test]
    fn an_object_costs_one_call_per_two_thousand_records() {
        let accounts = (0..2_001).map(|number| delivery(number, 0, Some(("Account", number))));
        let contacts = (0..3).map(|number| delivery(number, 0, Some(("Contact", 7))));
        let plan = plan(accounts.chain(contacts).chain([delivery(9, 0, None)]));
        let object = |object: &str, deliveries, records, api_calls_at_least| ObjectPlan {
            object: object.parse().unwrap(),
            deliveries,
            records,
            api_calls_at_least,
        };
        assert_eq!(plan.objects(), [object("Account", 2_001, 2_001, 2), object("Contact", 3, 1, 1)]);
        assert_eq!((plan.records(), plan.without_record(), plan.api_calls()), (2_002, 1, 3));
    }

    proptest! {
        #[test]
        fn the_order_of_deliveries_does_not_matter(
            (ledger, shuffled) in prop::collection::vec((0..50_i64, 0..6_usize), 0..40).prop_flat_map(|rows| {
                let deliveries = rows.iter().enumerate().map(|(number, (second, record))| {
                    // Deliveries of one record have distinct times.
                    delivery(number, second * 1_000 + i64::try_from(number).unwrap(), Some(("Account", *record)))
                });
                let ledger: Vec<_> = deliveries.collect();
                (Just(ledger.clone()), Just(ledger).prop_shuffle())
            })
        ) {
            prop_assert_eq!(plan(ledger).hints(), plan(shuffled).hints());
        }
    }
}
