//! What a batch of hints asks for: distinct records, by org and object.

use std::collections::BTreeMap;

use salesforce::{ObjectName, OrgId, RecordId};
use store::{ChangeHint, RecordRef};

/// What is asked of one org. Hints are named by their index.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The records that somebody says have changed, each once, with the hints that say so.
    pub records: BTreeMap<ObjectName, BTreeMap<RecordId, Vec<usize>>>,
    /// The hints that name no record: it was deleted before Salesforce could send it.
    pub nameless: Vec<usize>,
}

/// What is asked for, by org: any number of hints about one record ask for it once.
#[must_use]
pub fn by_org(hints: &[&ChangeHint]) -> BTreeMap<OrgId, Asked> {
    let mut orgs: BTreeMap<OrgId, Asked> = BTreeMap::new();
    for (index, hint) in hints.iter().enumerate() {
        let asked = orgs.entry(hint.org_id).or_default();
        match &hint.record {
            Some(RecordRef { object, record_id }) => {
                let records = asked.records.entry(object.clone()).or_default();
                records.entry(*record_id).or_default().push(index);
            }
            None => asked.nameless.push(index),
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
            deferrals: 0,
        }
    }

    proptest! {
        #[test]
        fn every_hint_is_answered_by_exactly_one_reading_of_its_own_record(
            hints in prop::collection::vec((0..2_usize, 0..2_usize, prop::option::of(0..5_usize)).prop_map(hint), 0..60),
        ) {
            let mut answered = vec![0; hints.len()];
            for (org, asked) in by_org(&hints.iter().collect::<Vec<_>>()) {
                for index in asked.nameless {
                    answered[index] += 1;
                    prop_assert_eq!((hints[index].org_id, &hints[index].record), (org, &None));
                }
                for (object, records) in asked.records {
                    for (record, indexes) in records {
                        for index in indexes {
                            answered[index] += 1;
                            let hint = &hints[index];
                            let asked_for = RecordRef { object: object.clone(), record_id: record };
                            prop_assert_eq!((hint.org_id, hint.record.as_ref()), (org, Some(&asked_for)));
                        }
                    }
                }
            }
            prop_assert!(answered.iter().all(|times| *times == 1));
        }
    }
}
