//! Advice about a record that Salesforce refused, by its error code (REST API Developer Guide, "Status Codes and Error
//! Responses"; Object Reference, `StatusCode`).

use salesforce::SaveError;

use super::RowOutcome;
use crate::duplicates::{DUPLICATES_DETECTED, NOT_ADOPTED};

/// The end of the advice about a record that has to be changed: its write is over.
const NEW_KEY: &str = "Then send the record again with a new Idempotency-Key.";
/// The advice about a record that may be sent again as it is.
pub(super) const LATER: &str = "Send the record again later, unchanged, with a new Idempotency-Key.";

/// Returns the advice about a record that was not written, in plain English.
pub(super) fn next(row: &RowOutcome) -> String {
    let error = row.errors.iter().find(|error| !error.is_rollback()).or(row.errors.first());
    let code = error.map(|error| error.code.as_str());
    match error.map(|error| if error.code == DUPLICATES_DETECTED { duplicate(error, row) } else { change(&error.code) })
    {
        _ if row.retryable && code != Some("ENTITY_IS_LOCKED") => LATER.to_owned(),
        Some(change) => format!("{change} {NEW_KEY}"),
        None => format!("Salesforce named no reason. Look at the record in Salesforce. {NEW_KEY}"),
    }
}

/// Returns what to change in a record that a duplicate rule refused.
fn duplicate(error: &SaveError, row: &RowOutcome) -> &'static str {
    let blocks = error.duplicates.as_ref().is_some_and(|found| found.allow_save == Some(false));
    if row.errors.iter().any(|error| error.code == NOT_ADOPTED) {
        "A duplicate rule of the org found records like this one (`existing_ids`), and none of them was updated instead, for the reason in the `message` of `NOT_ADOPTED`. Update the right one by its id, or have an administrator of the org merge them."
    } else if blocks {
        "A duplicate rule of the org found records like this one (`existing_ids`), and blocks it: `allow` does not change that. Update one of those instead (with `duplicates` as `adopt`, the only one is), or have an administrator of the org change the rule."
    } else {
        "A duplicate rule of the org found records like this one (`existing_ids`, where Salesforce names them). Update one of those instead (with `duplicates` as `adopt`, the only one is), or write the record nevertheless with `duplicates` as `allow`."
    }
}

/// Returns what to change, by an error code.
fn change(code: &str) -> &'static str {
    match code {
        "REQUIRED_FIELD_MISSING" => "Set the fields that `fields` names.",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" => {
            "A validation rule of the org refused the record. Change what `message` says."
        }
        "STRING_TOO_LONG" => "Shorten the value of the field that `fields` names.",
        "FIELD_INTEGRITY_EXCEPTION"
        | "INVALID_EMAIL_ADDRESS"
        | "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        | "INVALID_TYPE_ON_FIELD_IN_RECORD"
        | "JSON_PARSER_ERROR"
        | "NUMBER_OUTSIDE_VALID_RANGE" => "Correct the value of the field that `fields` or `message` names.",
        "INVALID_FIELD_FOR_INSERT_UPDATE" => {
            "Leave out the fields that `fields` names, or have an administrator of the org allow the connection's user to set them."
        }
        "INVALID_CROSS_REFERENCE_KEY" | "INVALID_FIELD" | "MALFORMED_ID" => {
            "Correct the reference that `message` names: the other record does not exist, or the connection's user does not see it."
        }
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => {
            "Have an administrator of the org give the connection's user access to the record that this one refers to."
        }
        "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY" => {
            "Have an administrator of the org allow the connection's user to change the record."
        }
        "DUPLICATE_VALUE" => {
            "Another record (`existing_ids`, where Salesforce names it) has the same value in a unique field. Change the value, or update that record."
        }
        "DUPLICATE_EXTERNAL_ID" => {
            "Several records have this external id. Have an administrator of the org merge them, or correct their external ids."
        }
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" | "APEX_ERROR" => {
            "An Apex trigger or a flow of the org refused the record. Change what `message` says, or show the message to an administrator of the org."
        }
        "INACTIVE_OWNER_OR_USER" | "OPERATION_WITH_INACTIVE_USER" => "Name an active user as the owner.",
        "ENTITY_IS_DELETED" => {
            "The record is in the recycle bin. Have it restored in Salesforce, or use another external id."
        }
        "ENTITY_IS_LOCKED" => {
            "An approval process has locked the record. Wait until it is approved, rejected or unlocked."
        }
        "STORAGE_LIMIT_EXCEEDED" => "The org's storage is full. Have an administrator of the org free or buy storage.",
        "REQUEST_LIMIT_EXCEEDED" => {
            "The org has used up its API requests. Wait, or have an administrator of the org look up the usage in Setup, Company Information."
        }
        "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "PROCESSING_HALTED" => {
            "Nothing of the request was written, because another of its records was refused. Correct that record."
        }
        "NOT_FOUND_AGAIN" => {
            "Look in Salesforce for the record, and change it there; send only this record again, if it is not there."
        }
        code if code.starts_with("TXN_SECURITY_") => {
            "A transaction security policy of the org blocked the record. Ask an administrator of the org."
        }
        _ => "Change what `code` and `message` say.",
    }
}

#[cfg(test)]
mod tests {
    use salesforce::{DuplicateResult, SaveOutcome};

    use super::super::decided;
    use super::*;

    fn row(code: &str, retryable: bool) -> RowOutcome {
        let error = SaveError { code: code.to_owned(), ..SaveError::default() };
        let outcome = SaveOutcome { id: None, success: false, created: false, errors: vec![error] };
        RowOutcome { retryable, ..decided(outcome) }
    }

    #[test]
    fn a_record_to_correct_needs_a_new_key() {
        let text = next(&row("REQUIRED_FIELD_MISSING", false));
        assert_eq!(text, "Set the fields that `fields` names. Then send the record again with a new Idempotency-Key.");
        assert!(next(&row("SOMETHING_NEW", false)).starts_with("Change what `code` and `message` say."));
    }

    #[test]
    fn a_duplicate_is_told_whether_it_can_be_allowed() {
        let next_of = |allow_save: Option<bool>, reason: Option<&str>| {
            let mut row = row(DUPLICATES_DETECTED, false);
            row.errors[0].duplicates = Some(DuplicateResult { allow_save, ..DuplicateResult::default() });
            row.errors.extend(reason.map(|code| SaveError { code: code.to_owned(), ..SaveError::default() }));
            next(&row)
        };
        assert!(next_of(Some(true), None).contains("nevertheless with `duplicates` as `allow`"));
        assert!(next_of(Some(false), None).contains("`allow` does not change that"));
        assert!(next_of(Some(true), Some(NOT_ADOPTED)).contains("for the reason in the `message` of `NOT_ADOPTED`"));
    }

    #[test]
    fn a_record_that_may_be_repeated_is_sent_unchanged() {
        assert_eq!(next(&row("UNABLE_TO_LOCK_ROW", true)), LATER);
        assert!(next(&row("ENTITY_IS_LOCKED", true)).starts_with("An approval process"));
    }
}
