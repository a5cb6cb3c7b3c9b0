//! The filter of the event source mapping of the table `cursors`, whose rows change with every page of a scan.

use local::template::Template;
use local::workspace::Workspace;
use salesforce::ObjectName;
use serde_json::{Value, json};
use store::cursors::fields::FieldTypes;
use store::{CursorName, SeenFields};

use crate::ORG;

/// Returns whether a pattern matches a record of a stream, by the rules of Lambda's event filters that the template uses.
fn is_match(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(members) => {
            members.iter().all(|(name, pattern)| is_match(pattern, value.and_then(|value| value.get(name))))
        }
        Value::Array(rules) => rules.iter().any(|rule| {
            let prefix = rule["prefix"].as_str().unwrap_or_else(|| panic!("the test does not know the rule {rule}"));
            value.and_then(Value::as_str).is_some_and(|value| value.starts_with(prefix))
        }),
        other => panic!("{other} is no pattern"),
    }
}

#[test]
fn the_progress_of_scans_does_not_invoke_the_function() {
    let template = Template::load(&Workspace::here().template()).unwrap();
    let mappings = template.resources("AWS::Lambda::EventSourceMapping");
    let (_, mapping) = mappings.into_iter().find(|(name, _)| *name == "FieldEventsFromStream").unwrap();
    let pattern = mapping["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    let pattern: Value = serde_json::from_str(pattern).unwrap();
    let invokes = |name: &str| {
        is_match(
            &pattern,
            Some(&json!({ "dynamodb": { "Keys": { "org_id": { "S": ORG }, "cursor_name": { "S": name } } } })),
        )
    };

    let (account, now) = (ObjectName::from_static("Account"), "2026-11-22T10:15:30Z".parse().unwrap());
    let fields = SeenFields::first(ORG.parse().unwrap(), &account, FieldTypes::new(), now);
    assert!(invokes(serde_json::to_value(fields).unwrap()["cursor_name"].as_str().unwrap()));
    for name in [
        CursorName::backfill(&account),
        CursorName::incremental(&account),
        CursorName::audit(&account),
        CursorName::deletions(&account),
        CursorName::poll(),
        CursorName::pipelines(),
    ] {
        assert!(!invokes(&name.to_string()), "{name}");
    }
    assert!(!invokes("left_out/Account/0015e00000ZkM3hAAF"));
}
