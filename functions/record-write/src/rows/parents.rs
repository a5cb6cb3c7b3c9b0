//! The order in which a batch's records are sent: records of one parent follow each other.
//!
//! A write of a child record locks its parents (FACTS.md 8.2). In one order everywhere, two writes that lock the same parents
//! wait for each other instead of each holding what the other one needs.

use salesforce::RecordId;
use salesforce::external_id::order_key;
use serde_json::{Map, Value};

/// Lookups whose targets are not locked by a write of the record.
const NO_PARENTS: [&str; 2] = ["owner", "recordtype"];

/// A parent that a record names. Accounts are before the others, which are in the order of the lookups' names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parent {
    is_other_than_account: bool,
    /// The name of the lookup, in lower case and without its suffix.
    lookup: String,
    /// The record id, or the external id in its one form.
    key: String,
}

/// Returns the positions of the records, sorted by their parents; those without one are first. Records of the same parents
/// stay in the order of the request.
pub(crate) fn by_parent(records: &[Map<String, Value>]) -> Vec<usize> {
    let mut keyed: Vec<_> = records.iter().map(parents).zip(0..).collect();
    keyed.sort();
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// Returns the parents that a record names, in their order.
fn parents(record: &Map<String, Value>) -> Vec<Parent> {
    let mut parents: Vec<_> = record.iter().filter_map(|(name, value)| parent(name, value)).collect();
    parents.sort();
    parents
}

/// Returns the parent that a field names: a relationship with an external id, or a lookup field with a record id.
fn parent(name: &str, value: &Value) -> Option<Parent> {
    let name = name.to_ascii_lowercase();
    let (lookup, key) = match value {
        Value::Object(reference) => {
            let key =
                reference.iter().find(|(name, _)| *name != "attributes").and_then(|(_, value)| order_key(value))?;
            (name.strip_suffix("__r").unwrap_or(&name), key)
        }
        Value::String(id) if name.ends_with("id") || name.ends_with("__c") => {
            let id: RecordId = id.trim().parse().ok()?;
            (name.strip_suffix("__c").or(name.strip_suffix("id"))?, id.to_string())
        }
        _ => return None,
    };
    let names_parent = !lookup.is_empty() && !NO_PARENTS.contains(&lookup);
    names_parent.then(|| Parent { is_other_than_account: lookup != "account", lookup: lookup.to_owned(), key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ACME: &str = "001D000000IRFmaIAH";
    const BOLT: &str = "001D000000IRFmbIAH";

    fn records(records: Value) -> Vec<Map<String, Value>> {
        records.as_array().unwrap().iter().map(|record| record.as_object().unwrap().clone()).collect()
    }

    #[test]
    fn records_of_one_parent_follow_each_other() {
        let contacts = records(json!([
            {"K__c": "1", "AccountId": BOLT},
            {"K__c": "2", "AccountId": ACME},
            {"K__c": "3"},
            {"K__c": "4", "accountid": &ACME[..15]},
            {"K__c": "5", "AccountId": BOLT, "OwnerId": "005D0000001aaaaIAA"},
        ]));
        assert_eq!(by_parent(&contacts), [2, 1, 3, 0, 4]);
        let contacts = records(json!([
            {"K__c": "1", "Account": {"K__c": "b"}},
            {"K__c": "2", "Account": {"K__c": "a"}, "Region__r": {"Code__c": 2}},
            {"K__c": "3", "Account": {"K__c": "A"}, "Region__r": {"Code__c": "1.0"}},
        ]));
        assert_eq!(by_parent(&contacts), [2, 1, 0]);
    }

    #[test]
    fn owners_texts_and_own_ids_are_not_parents() {
        let record = json!({"OwnerId": ACME, "RecordTypeId": ACME, "Id": ACME, "Name": ACME, "Code__c": "A-1", "Owner": {"E__c": "7"}});
        assert_eq!(parents(record.as_object().unwrap()), []);
    }

    proptest! {
        #[test]
        fn every_record_is_sent_once(parents in prop::collection::vec(prop::option::of(0u8..4), 0..30)) {
            let record = |parent: &Option<u8>| match parent {
                Some(parent) => json!({"Account": {"K__c": parent}}),
                None => json!({}),
            };
            let records = records(Value::from_iter(parents.iter().map(record)));
            let order = by_parent(&records);
            let sorted: Vec<Option<u8>> = order.iter().map(|index| parents[*index]).collect();
            prop_assert!(sorted.is_sorted(), "{sorted:?}");
            let mut positions = order.clone();
            positions.sort_unstable();
            prop_assert!(positions.into_iter().eq(0..parents.len()));
        }
    }
}
