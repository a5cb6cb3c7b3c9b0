//! `@{reference.path}`: values that a later subrequest takes from the result of an earlier one.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use crate::model::errors::ApiError;

/// The results of earlier subrequests, by reference.
pub(super) type Known = HashMap<String, Json>;

/// Returns the JSON with its references replaced.
pub(super) fn filled_in(json: &Json, known: &Known) -> Result<Json, ApiError> {
    match json {
        Json::String(text) => filled(text, known).map(Json::from),
        Json::Array(items) => items.iter().map(|item| filled_in(item, known)).collect(),
        Json::Object(map) => map
            .iter()
            .map(|(k, v)| Ok((k.clone(), filled_in(v, known)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Json::Object),
        other => Ok(other.clone()),
    }
}

/// Replaces every `@{reference.path}` by the value in the result of that subrequest.
pub(super) fn filled(text: &str, known: &Known) -> Result<String, ApiError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (expression, after) = after.split_once('}').ok_or_else(|| invalid_reference(rest))?;
        out.push_str(before);
        out.push_str(&looked_up(expression, known).ok_or_else(|| invalid_reference(expression))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns the references that a subrequest uses.
pub(super) fn named(json: &Json) -> Vec<String> {
    match json {
        Json::String(text) => {
            text.split("@{").skip(1).filter_map(|rest| rest.split(['.', '[', '}']).next()).map(str::to_owned).collect()
        }
        Json::Array(items) => items.iter().flat_map(named).collect(),
        Json::Object(map) => map.values().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

/// Returns the error for an invalid reference, with the recorded text.
fn invalid_reference(expression: &str) -> ApiError {
    let reference = expression.split(['.', '[']).next().unwrap_or_default();
    let message = format!("Invalid reference specified. No value for {expression} found in {reference}");
    ApiError::new("PROCESSING_HALTED", message)
}

/// Looks up an expression such as `note.id` or `found.records[0].Id`.
fn looked_up(expression: &str, known: &Known) -> Option<String> {
    let mut steps = expression.split('.');
    let (reference, indexes) = split_indexes(steps.next()?);
    let mut at = indexed(known.get(reference)?, indexes)?;
    for step in steps {
        let (name, indexes) = split_indexes(step);
        at = indexed(at.get(name)?, indexes)?;
    }
    (!at.is_null() && !at.is_object() && !at.is_array()).then(|| crate::model::value::plain(at))
}

fn split_indexes(step: &str) -> (&str, &str) {
    step.find('[').map_or((step, ""), |at| step.split_at(at))
}

/// Follows indexes such as `[0][1]`.
fn indexed<'a>(mut at: &'a Json, indexes: &str) -> Option<&'a Json> {
    for index in indexes.split('[').filter(|index| !index.is_empty()) {
        at = at.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        Known::from([
            ("note".to_owned(), json!({"id": "069"})),
            ("found".to_owned(), json!({"records": [{"Id": "001", "Owner": {"Id": "005"}}]})),
            ("many".to_owned(), json!([{"id": "003"}])),
        ])
    }

    #[test]
    fn references_select_values_of_results() {
        let known = known();
        assert_eq!(filled("/x/@{note.id}/y", &known).unwrap(), "/x/069/y");
        assert_eq!(filled("@{found.records[0].Owner.Id}", &known).unwrap(), "005");
        assert_eq!(filled("@{many[0].id}@{note.id}", &known).unwrap(), "003069");
        assert_eq!(filled("a@b.example", &known).unwrap(), "a@b.example");
    }

    #[test]
    fn a_reference_without_a_value_names_itself() {
        for expression in ["missing.id", "found.records[1].Id", "found.records", "many[0", "note"] {
            let error = filled(&format!("@{{{expression}}}"), &known()).unwrap_err();
            let reference = expression.split(['.', '[']).next().unwrap();
            assert_eq!(error.code, "PROCESSING_HALTED");
            assert_eq!(
                error.message,
                format!("Invalid reference specified. No value for {expression} found in {reference}")
            );
        }
    }

    #[test]
    fn a_part_lists_the_references_it_uses() {
        let part = json!({"url": "/x/@{a.id}", "body": {"X": "@{b[0].id}", "Y": ["@{c.records[0].Id}"], "Z": 1}});
        assert_eq!(named(&part), ["a", "b", "c"]);
    }
}
