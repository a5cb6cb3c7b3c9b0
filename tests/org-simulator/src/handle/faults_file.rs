//! A file of faults: the JSON that `POST /_simulator/faults` accepts.

use serde_json::Value as Json;

use crate::model::faults::FaultRule;

/// Reads one fault or a list of faults. An error names the line or the member.
pub(super) fn parse(text: &str) -> Result<Vec<FaultRule>, String> {
    let given: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let read = match given {
        // Read from the text, so that an error has a line.
        Json::Array(_) => serde_json::from_str(text),
        _ => serde_json::from_str(text).map(|rule| vec![rule]),
    };
    let rules: Vec<FaultRule> = read.map_err(|error| error.to_string())?;
    let given = if let Json::Array(list) = given { list } else { vec![given] };
    for ((rule, given), number) in rules.iter().zip(&given).zip(1..) {
        if rule.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(format!("fault {number}: the probability is a number from 0 to 1"));
        }
        if let Some(member) = unknown_member(rule, given) {
            return Err(format!("fault {number}: the effect has no member `{member}`"));
        }
    }
    Ok(rules)
}

/// Returns a member of the effect that its kind does not have, which serde ignores.
fn unknown_member(rule: &FaultRule, given: &Json) -> Option<String> {
    let known = serde_json::to_value(&rule.effect).unwrap_or_default();
    let members = given.get("effect")?.as_object()?;
    members.keys().find(|member| known.get(member.as_str()).is_none()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effect;

    #[test]
    fn a_file_holds_one_fault_or_a_list() {
        let one = r#"{"effect": {"kind": "truncate"}, "times": 2}"#;
        assert_eq!(parse(one).unwrap()[0].effect, Effect::Truncate { keep_bytes: None });
        assert_eq!(parse(&format!("[{one}, {one}]")).unwrap().len(), 2);
        assert!(parse("[]").unwrap().is_empty());
    }

    #[test]
    fn an_error_names_the_line_or_the_member() {
        for (text, parts) in [
            ("[\n{\"effect\": {\"kind\": \"unavailable\"},\n \"tmes\": 1}]", ["`tmes`", "line 3"]),
            ("{\"effect\": {\"kind\": \"unavailible\"}}", ["`unavailible`", "line 1"]),
            ("[{\"effect\": {\"kind\": \"delay\", \"delay_ms\": 1, \"dely\": 2}}]", ["fault 1", "`dely`"]),
            ("{\"effect\": {\"kind\": \"unavailable\", \"status\": 1}}", ["fault 1", "`status`"]),
            ("{\"probability\": 2, \"effect\": {\"kind\": \"unavailable\"}}", ["fault 1", "probability"]),
            ("{\n", ["EOF", "line 2"]),
        ] {
            let error = parse(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
