//! Records that duplicate rules of the org found: what a request wants done about them, and which of them is adopted. Pure
//! functions.

use salesforce::external_id::order_key;
use salesforce::{FieldName, ObjectName, Record, RecordId, SaveError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use writes::Defect;

use crate::batch::find_field;

/// The code of Salesforce's refusal by a duplicate rule.
pub(crate) const DUPLICATES_DETECTED: &str = "DUPLICATES_DETECTED";
/// The code of the additional error of a record that was to be adopted, and was not.
pub(crate) const NOT_ADOPTED: &str = "NOT_ADOPTED";

/// The effect of a duplicate rule on a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// A record that a rule refuses is not written. The outcome names the records that are there.
    #[default]
    Block,
    /// A record is written although a rule alerts.
    Allow,
    /// The only record that is there is updated instead, and gets the external id.
    Adopt,
}

impl Duplicates {
    /// Parses the member `duplicates` of a body.
    pub(crate) fn parse(value: Option<Value>) -> Result<Self, Defect> {
        let Some(value) = value else { return Ok(Self::default()) };
        Self::deserialize(value).map_err(|_| Defect::field("duplicates", "must be `block`, `allow` or `adopt`"))
    }

    /// Returns whether it is what a request without the member wants. Such a request is stored without it.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether records are saved although a rule alerts.
    pub(crate) fn allows(self) -> bool {
        self == Self::Allow
    }
}

/// Returns whether only a duplicate rule refused the record.
pub(crate) fn is_duplicate(errors: &[SaveError]) -> bool {
    !errors.is_empty() && errors.iter().all(|error| error.code == DUPLICATES_DETECTED)
}

/// Returns whether a duplicate rule refused the record, and Salesforce did not name what it found, as in a collection.
pub(crate) fn lacks_matches(errors: &[SaveError]) -> bool {
    is_duplicate(errors) && errors.iter().all(|error| error.duplicates.is_none())
}

/// Returns the only record of the object that the duplicate rules found; the reason if there is not exactly one.
pub(crate) fn only_match(object: &ObjectName, errors: &[SaveError]) -> Result<RecordId, &'static str> {
    let found = errors.iter().filter_map(|error| error.duplicates.as_ref()).flat_map(|found| &found.matches);
    let mut ids: Vec<RecordId> =
        found.filter(|found| found.object.as_ref() == Some(object)).map(|found| found.id).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [id] => Ok(*id),
        [] => Err("Salesforce named no record of the object"),
        _ => Err("several records of the object are there"),
    }
}

/// Checks whether a record that is there may get the external id. `found` is the record as the connection's user sees it.
pub(crate) fn require_free(found: Option<&Record>, key: &FieldName, external_id: &Value) -> Result<(), &'static str> {
    let found = found.ok_or("the connection's user does not see the record that is there")?;
    match find_field(&found.fields, key.as_str()) {
        None | Some(Value::Null) => Ok(()),
        Some(theirs) if order_key(theirs) == order_key(external_id) => Ok(()),
        Some(_) => Err("the record that is there has another external id"),
    }
}

/// Returns the errors of a record that was not adopted, with the reason.
pub(crate) fn not_adopted(mut errors: Vec<SaveError>, reason: &str) -> Vec<SaveError> {
    errors.retain(|error| error.code != NOT_ADOPTED);
    errors.push(SaveError { code: NOT_ADOPTED.to_owned(), message: reason.to_owned(), ..SaveError::default() });
    errors
}

#[cfg(test)]
mod tests {
    use salesforce::{DuplicateMatch, DuplicateResult};
    use serde_json::json;

    use super::*;

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");
    const KEY: FieldName = FieldName::from_static("Key__c");
    const ACME: &str = "001D000000IRFmaIAH";
    const BOLT: &str = "001D000000IRFmbIAH";

    fn found(records: &[(&str, &str)]) -> Vec<SaveError> {
        let matched = |(object, id): &(&str, &str)| DuplicateMatch {
            object: object.parse().ok(),
            id: id.parse().unwrap(),
            matching_rule: None,
            confidence: None,
        };
        let duplicates =
            DuplicateResult { matches: records.iter().map(matched).collect(), ..DuplicateResult::default() };
        let code = DUPLICATES_DETECTED.to_owned();
        vec![SaveError { code, duplicates: Some(duplicates), ..SaveError::default() }]
    }

    #[test]
    fn only_one_record_of_the_object_is_adopted() {
        let id = |text: &str| text.parse::<RecordId>().unwrap();
        assert_eq!(only_match(&ACCOUNT, &found(&[("Account", ACME)])), Ok(id(ACME)));
        assert_eq!(only_match(&ACCOUNT, &found(&[("account", ACME), ("Account", ACME), ("Lead", BOLT)])), Ok(id(ACME)));
        assert!(only_match(&ACCOUNT, &found(&[("Account", ACME), ("Account", BOLT)])).is_err());
        assert!(only_match(&ACCOUNT, &found(&[("Lead", ACME)])).is_err());
        assert!(only_match(&ACCOUNT, &[]).is_err());
    }

    #[test]
    fn a_record_with_another_external_id_is_not_adopted() {
        let record = |key: Value| Record {
            object: ACCOUNT,
            id: ACME.parse().unwrap(),
            fields: json!({"Key__c": key}).as_object().unwrap().clone(),
        };
        let free = |key: Value| require_free(Some(&record(key)), &KEY, &json!("A-1"));
        assert_eq!((free(json!(null)), free(json!("a-1"))), (Ok(()), Ok(())));
        assert!(free(json!("A-2")).is_err());
        assert!(require_free(None, &KEY, &json!("A-1")).is_err());
    }

    #[test]
    fn another_error_beside_a_duplicate_is_no_duplicate() {
        let mut errors = found(&[("Account", ACME)]);
        assert!(is_duplicate(&errors) && !lacks_matches(&errors) && !is_duplicate(&[]));
        errors[0].duplicates = None;
        assert!(lacks_matches(&errors));
        let refused = not_adopted(not_adopted(errors, "a"), "b");
        assert_eq!((refused.len(), refused[1].message.as_str(), is_duplicate(&refused)), (2, "b", false));
    }

    #[test]
    fn the_member_has_three_values() {
        assert_eq!(Duplicates::parse(None), Ok(Duplicates::Block));
        assert_eq!(Duplicates::parse(Some(json!("adopt"))), Ok(Duplicates::Adopt));
        assert!(Duplicates::parse(Some(json!("merge"))).is_err() && Duplicates::parse(Some(json!(null))).is_err());
    }
}
