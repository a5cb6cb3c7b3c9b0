//! The origin of a change, for the events about the change: the fields that a write set, its user and its time.

use jiff::Timestamp;
use salesforce::{RecordId, SaveOutcome};
use serde_json::{Map, Value};
use store::WriteId;
use store::origins::Origin;

/// A call to Salesforce that saves records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The write's id.
    pub(crate) write_id: WriteId,
    /// The Salesforce user who saves the records.
    pub(crate) user_id: RecordId,
    /// The time before the call.
    pub(crate) from: Timestamp,
    /// The time after the response.
    pub(crate) to: Timestamp,
}

/// Returns the created and updated records, each with its origin.
pub(crate) fn from_outcomes(
    call: Call,
    records: &[Map<String, Value>],
    outcomes: &[SaveOutcome],
) -> Vec<(RecordId, Origin)> {
    let saved = records.iter().zip(outcomes).filter(|(_, outcome)| outcome.success);
    let changed = saved.filter_map(|(record, outcome)| Some((outcome.id?, fields(record))));
    let Call { write_id, user_id, from, to } = call;
    changed.map(|(record, fields)| (record, Origin { write_id, user_id, from, to, fields })).collect()
}

/// Returns the names of the fields that a record sets. A related record, named by its external id, sets the lookup field.
fn fields(record: &Map<String, Value>) -> Vec<String> {
    let names = record.iter().map(|(name, value)| if value.is_object() { lookup(name) } else { name.clone() });
    names.collect()
}

/// Returns the lookup field of a relationship: `Region__c` of `Region__r`, `AccountId` of `Account`.
pub(crate) fn lookup(relationship: &str) -> String {
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
    fn only_saved_records_get_an_origin_with_their_fields() {
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
        let refusal = SaveError { code: "X".to_owned(), message: "no".to_owned(), ..SaveError::default() };
        let outcomes = [
            SaveOutcome { id: Some(id), success: true, created: false, errors: Vec::new() },
            SaveOutcome { id: None, success: false, created: false, errors: vec![refusal] },
        ];

        let origins = from_outcomes(call, &records, &outcomes);

        let Call { write_id, user_id, from, to } = call;
        let mut fields = origins[0].1.fields.clone();
        fields.sort_unstable();
        assert_eq!(fields, ["AccountId", "Amount", "Key__c", "Region__c"]);
        assert_eq!(origins, [(id, Origin { write_id, user_id, from, to, fields: origins[0].1.fields.clone() })]);
    }
}
