//! The removal of one record from the outcomes of finished writes. The outcomes of other records stay, and so does the
//! idempotency key, so that a repeated request makes no second write.

use salesforce::{OrgId, RecordId};
use serde_json::{Map, Value};

use super::{KEYS, Writes, bounded, row_key};
use crate::Error;
use crate::ids::WriteId;
use crate::table::{Conditional, Expression, Place, Rows, Update, text};

impl Writes {
    /// Removes a record from the outcome of a write that has ended, and the request that is kept for a retry. Returns whether the
    /// write has ended. The call is idempotent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn erase_record(&self, org: OrgId, write: WriteId, record: RecordId) -> Result<bool, Error> {
        let operation = "remove the record from the write";
        let Some(stored) = self.load(org, write).await?.filter(|stored| stored.state.is_final()) else {
            return Ok(false);
        };
        let response = stored.response.map(|response| bounded(operation, &without_record(&response, record)));
        let update = Update {
            set: response.transpose()?.map(|response| ("answer", text(response))).into_iter().collect(),
            // Version 0.1.0 kept the request.
            remove: vec!["request", "retry_request"],
            when: "#state IN (:finished, :failed)",
            values: vec![(":finished", text("finished")), (":failed", text("failed"))],
            ..Update::default()
        };
        let updated = self.table.update(operation, row_key(org, write), update).await?;
        Ok(matches!(updated, Conditional::Done(_)))
    }
}

/// Returns the writes of an org that have ended and name a record: in the outcome, or in a request that version 0.1.0 kept. A
/// request that is kept for a retry may name the record by an external id, so every write with one is among them. A write that has
/// not ended was accepted, and may be about other records too.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    let only = "#state IN (:finished, :failed) AND (contains(#request, :record) OR contains(#answer, :record) \
                OR attribute_exists(#retry_request))";
    let values = vec![(":record", text(prefix(&record))), (":finished", text("finished")), (":failed", text("failed"))];
    let only = Some(Expression { text: only, values });
    Rows { keys: &KEYS, place: Place::Partition { attribute: "org_id", value: org.to_string(), only } }
}

/// Returns the beginning that both forms of an id share.
fn prefix(record: &RecordId) -> &str {
    record.as_str().get(..15).unwrap_or_default()
}

/// Returns a response in which nothing names the record: of its outcome what happened is left, without id, values and
/// messages; elsewhere every text with the id is removed.
fn without_record(response: &Value, record: RecordId) -> Value {
    let id = prefix(&record);
    let Some(members) = response.as_object() else { return Value::Null };
    let of = |(name, member): (&String, &Value)| {
        let kept = match (name.as_str(), member) {
            ("records", Value::Array(outcomes)) => {
                let outcome = |outcome: &Value| if names(outcome, id) { erased(outcome) } else { outcome.clone() };
                Some(Value::Array(outcomes.iter().map(outcome).collect()))
            }
            _ => without_texts(member, id),
        };
        kept.map(|kept| (name.clone(), kept))
    };
    Value::Object(members.iter().filter(|(name, _)| !name.contains(id)).filter_map(of).collect())
}

/// Returns what is left of the outcome of an erased record.
fn erased(outcome: &Value) -> Value {
    let kept =
        ["success", "created"].into_iter().filter_map(|name| Some((name.to_owned(), outcome.get(name)?.clone())));
    let emptied = [("id", Value::Null), ("errors", Value::Array(Vec::new())), ("erased", Value::Bool(true))];
    Value::Object(kept.chain(emptied.map(|(name, value)| (name.to_owned(), value))).collect())
}

fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text.contains(id),
        Value::Array(items) => items.iter().any(|item| names(item, id)),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains(id) || names(member, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the value without the texts that contain the id; `None` if it is such a text.
fn without_texts(value: &Value, id: &str) -> Option<Value> {
    match value {
        Value::String(text) => (!text.contains(id)).then(|| value.clone()),
        Value::Array(items) => Some(items.iter().filter_map(|item| without_texts(item, id)).collect()),
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !name.contains(id));
            let kept: Map<_, _> =
                kept.filter_map(|(name, member)| Some((name.clone(), without_texts(member, id)?))).collect();
            Some(Value::Object(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ERASED: &str = "0035e00000ZkM3hAAF";

    fn without(response: &Value) -> Value {
        without_record(response, ERASED.parse().unwrap())
    }

    #[test]
    fn the_outcomes_of_other_records_stay() {
        let other = json!({"id": "0035e00000ZkM3iAAF", "success": true, "created": true, "errors": []});
        let duplicate =
            json!([{"code": "DUPLICATES_DETECTED", "message": "Ada", "fields": [], "existing_ids": [ERASED]}]);
        let response = json!({"records": [
            {"id": ERASED, "success": true, "created": false, "errors": []},
            other,
            {"id": null, "success": false, "created": false, "errors": duplicate, "next": "Use 0035e00000ZkM3h."},
        ]});
        let left = |success| json!({"id": null, "success": success, "created": false, "errors": [], "erased": true});
        assert_eq!(without(&response), json!({"records": [left(true), other, left(false)]}));
    }

    #[test]
    fn a_note_loses_the_link_and_a_problem_its_detail() {
        let note = json!({"note_id": "0695e0000004xYzAAI", "links": ["0035e00000ZkM3h", "0015e00000AbCdEAAV"]});
        let expected = json!({"note_id": "0695e0000004xYzAAI", "links": ["0015e00000AbCdEAAV"]});
        assert_eq!(without(&note), expected);
        let problem = json!({"problem": {"status": 422, "code": "rejected", "detail": format!("{ERASED} is locked")}});
        assert_eq!(without(&problem), json!({"problem": {"status": 422, "code": "rejected"}}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z]{0,4}", Just(ERASED.to_owned()), Just(format!("see {ERASED}."))];
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), text.prop_map(Value::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof![Just("records".to_owned()), Just(ERASED.to_owned()), "[a-z]{1,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_that_is_left_names_the_record(response in any_json()) {
            let left = without(&response);
            prop_assert!(!left.to_string().contains(&ERASED[..15]), "{}", left);
            prop_assert_eq!(&without(&left), &left);
        }
    }
}
