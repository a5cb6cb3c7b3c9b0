//! What a write leaves behind for the events about its records: which fields of which records it set, as whom, and when.

use jiff::Timestamp;
use salesforce::{RecordId, SaveOutcome};
use serde_json::{Map, Value};
use store::WriteId;
use store::origins::Origin;

/// One call of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Of which write.
    pub(crate) write_id: WriteId,
    /// As which Salesforce user.
    pub(crate) user_id: RecordId,
    /// When it was sent.
    pub(crate) from: Timestamp,
    /// When it was answered.
    pub(crate) to: Timestamp,
}

/// The records that were created or updated, each with where its change comes from.
pub(crate) fn of(call: Call, records: &[Map<String, Value>], outcomes: &[SaveOutcome]) -> Vec<(RecordId, Origin)> {
    let saved = records.iter().zip(outcomes).filter(|(_, outcome)| outcome.success);
    let changed = saved.filter_map(|(record, outcome)| Some((outcome.id?, fields(record))));
    let Call { write_id, user_id, from, to } = call;
    changed.map(|(record, fields)| (record, Origin { write_id, user_id, from, to, fields })).collect()
}

/// The names of the fields that a record sets. A related record that is named by its external id sets the lookup.
fn fields(record: &Map<String, Value>) -> Vec<String> {
    let names = record.iter().map(|(name, value)| if value.is_object() { lookup(name) } else { name.clone() });
    names.collect()
}

/// The field behind a relationship: `Region__r` is `Region__c`, `Account` is `AccountId`.
fn lookup(relationship: &str) -> String {
    match relationship.len().checked_sub(3).and_then(|at| relationship.split_at_checked(at)) {
        Some((custom, suffix)) if suffix.eq_ignore_ascii_case("__r") => format!("{custom}__c"),
        _ => format!("{relationship}Id"),
    }
}

#[cfg(test)]
mod tests {
    use salesforce::SaveError;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_saved_is_noted_with_its_fields_and_what_was_refused_is_not() {
        let call = Call {
            write_id: "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap(),
            user_id: "0055e000001mKpCAAU".parse().unwrap(),
            from: "2026-11-22T10:00:05Z".parse().unwrap(),
            to: "2026-11-22T10:00:06Z".parse().unwrap(),
        };
        let records = [
            json!({"Key__c": "O-1", "Amount": null, "Account": {"Key__c": "A-1"}, "Region__r": {"Code__c": 7}}),
            json!({"Key__c": "O-2", "Name": "B"}),
        ];
        let records = records.map(|record| record.as_object().unwrap().clone());
        let id: RecordId = "0065e00000AbCdEAAV".parse().unwrap();
        let refusal = SaveError { code: "X".to_owned(), message: "no".to_owned(), fields: Vec::new() };
        let outcomes = [
            SaveOutcome { id: Some(id), success: true, created: false, errors: Vec::new() },
            SaveOutcome { id: None, success: false, created: false, errors: vec![refusal] },
        ];

        let noted = of(call, &records, &outcomes);

        let Call { write_id, user_id, from, to } = call;
        let mut fields = noted[0].1.fields.clone();
        fields.sort_unstable();
        assert_eq!(fields, ["AccountId", "Amount", "Key__c", "Region__c"]);
        assert_eq!(noted, [(id, Origin { write_id, user_id, from, to, fields: noted[0].1.fields.clone() })]);
    }
}
