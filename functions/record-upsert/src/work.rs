//! Groups a batch's hints by org, object and record.

use std::collections::BTreeMap;

use salesforce::{ObjectName, OrgId, RecordId};
use store::{ChangeHint, RecordRef};

/// One org's part of a batch. A hint is identified by its index in the batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OrgWork {
    /// The records to read, each once, with its hints.
    pub records: BTreeMap<ObjectName, BTreeMap<RecordId, Vec<usize>>>,
    /// The hints without a record: it was deleted before Salesforce sent the notification.
    pub without_record: Vec<usize>,
}

/// Groups hints by org.
#[must_use]
pub fn by_org(hints: &[&ChangeHint]) -> BTreeMap<OrgId, OrgWork> {
    let mut orgs: BTreeMap<OrgId, OrgWork> = BTreeMap::new();
    for (index, hint) in hints.iter().enumerate() {
        let work = orgs.entry(hint.org_id).or_default();
        match &hint.record {
            Some(RecordRef { object, record_id }) => {
                let records = work.records.entry(object.clone()).or_default();
                records.entry(*record_id).or_default().push(index);
            }
            None => work.without_record.push(index),
        }
    }
    orgs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORGS: [&str; 2] = ["00D5e000000KQ2eEAG", "00D5e000000KQ2f"];
    const OBJECTS: [&str; 2] = ["Account", "Opportunity"];

    fn hint((org, object, record): (usize, usize, Option<usize>)) -> ChangeHint {
        let record_id = |record| format!("0065e00000{record:05}").parse().unwrap();
        ChangeHint {
            org_id: ORGS[org].parse().unwrap(),
            delivery_id: "04l5e00000Gx7QzAAJ".parse().unwrap(),
            source: store::Source::OutboundMessage,
            record: record
                .map(|record| RecordRef { object: OBJECTS[object].parse().unwrap(), record_id: record_id(record) }),
            received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            deferrals: store::Deferrals::default(),
        }
    }

    proptest! {
        #[test]
        fn every_hint_belongs_to_exactly_one_read_of_its_record(
            hints in prop::collection::vec((0..2_usize, 0..2_usize, prop::option::of(0..5_usize)).prop_map(hint), 0..60),
        ) {
            let mut reads = vec![0; hints.len()];
            for (org, work) in by_org(&hints.iter().collect::<Vec<_>>()) {
                for index in work.without_record {
                    reads[index] += 1;
                    prop_assert_eq!((hints[index].org_id, &hints[index].record), (org, &None));
                }
                for (object, records) in work.records {
                    for (record, indexes) in records {
                        for index in indexes {
                            reads[index] += 1;
                            let hint = &hints[index];
                            let expected = RecordRef { object: object.clone(), record_id: record };
                            prop_assert_eq!((hint.org_id, hint.record.as_ref()), (org, Some(&expected)));
                        }
                    }
                }
            }
            prop_assert!(reads.iter().all(|times| *times == 1));
        }
    }
}
