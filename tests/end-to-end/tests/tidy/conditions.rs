//! The conditions of the policies in `infra/template.yaml`, and the roles of its schedules.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use local::workspace::Workspace;
use serde_json::{Value, json};
use store::orgs::attributes;

/// The functions that write only some attributes of orgs.
const LIMITED: [(&str, &[&str]); 3] = [
    ("DataErasure", attributes::ERASED),
    ("OauthCallback", attributes::CLOSED),
    ("OutboundMessage", attributes::NOTED_COPY),
];
/// The actions that write items.
const WRITES: [&str; 3] = ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];

fn template() -> Template {
    Template::load(&Workspace::here().template()).expect("the template")
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Returns the statements of a function or role that permit something on a table.
fn on_table<'a>(properties: &'a Value, table: &str) -> Vec<&'a Value> {
    let policies = list(&properties["Policies"]).into_iter();
    let statements = policies.flat_map(|policy| list(&policy["Statement"]));
    let table = json!({ "Fn::GetAtt": [table, "Arn"] });
    statements.filter(|statement| list(&statement["Resource"]).contains(&&table)).collect()
}

fn writes(statement: &Value) -> bool {
    list(&statement["Action"]).into_iter().any(|action| WRITES.iter().any(|write| action == write))
}

#[test]
fn only_onboarding_may_change_every_attribute_of_an_org() {
    let template = template();
    let limited: BTreeMap<&str, &[&str]> = LIMITED.into();
    let mut writers = BTreeSet::new();
    for (id, function) in template.resources("AWS::Serverless::Function") {
        for statement in on_table(function, "OrgsTable").into_iter().filter(|statement| writes(statement)) {
            writers.insert(id);
            assert_eq!(list(&statement["Action"]), [&json!("dynamodb:UpdateItem")], "{id} replaces whole items");
            let condition = &statement["Condition"];
            assert_eq!(condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "00D*", "{id}");
            assert_eq!(condition["Null"]["dynamodb:LeadingKeys"], "false", "{id}: a request without keys");
            if id == "Onboarding" {
                continue;
            }
            let attributes = limited.get(id).unwrap_or_else(|| panic!("{id} writes orgs: limit its attributes"));
            let mut expected: Vec<_> = attributes.iter().map(|name| json!(name)).chain([json!("org_id")]).collect();
            expected.sort_by_key(ToString::to_string);
            assert_eq!(condition["ForAllValues:StringEquals"]["dynamodb:Attributes"], json!(expected), "{id}");
            assert_eq!(condition["Null"]["dynamodb:Attributes"], "false", "{id}: a request without attributes");
            let returned = &condition["StringEqualsIfExists"]["dynamodb:ReturnValues"];
            assert_eq!(*returned, json!(["NONE", "UPDATED_OLD", "UPDATED_NEW"]), "{id} reads other attributes");
        }
    }
    let expected: BTreeSet<_> = limited.into_keys().chain(["Onboarding"]).collect();
    assert_eq!(writers, expected);
}

#[test]
fn only_oauth_callback_may_store_sessions_of_admins() {
    let mut examined = 0;
    for (id, function) in template().resources("AWS::Serverless::Function") {
        let statements = on_table(function, "AuthorizationsTable");
        for statement in statements.into_iter().filter(|statement| writes(statement) && id != "OauthCallback") {
            let condition = &statement["Condition"];
            let keys = list(&condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
            let permitted = |key: &&Value| ["ticket#*", "state#*"].iter().any(|prefix| *key == prefix);
            assert!(!keys.is_empty() && keys.iter().all(permitted), "{id} may write {keys:?}");
            assert_eq!(condition["Null"]["dynamodb:LeadingKeys"], "false", "{id}: a request without keys");
            examined += 1;
        }
    }
    assert_eq!(examined, 2, "record-events and data-erasure write links");
}

#[test]
fn every_schedule_may_invoke_its_function_only() {
    let template = template();
    let roles: BTreeMap<&str, &Value> = template.resources("AWS::IAM::Role").collect();
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (id, schedule) in template.resources("AWS::Scheduler::Schedule") {
        let target = &schedule["Target"];
        let role = target["RoleArn"]["Fn::GetAtt"][0].as_str().unwrap_or_else(|| panic!("{id} has no role"));
        let permitted = needed.entry(role).or_default();
        permitted.insert(format!("lambda:InvokeFunction {}", target["Arn"]));
        permitted.insert(format!("sqs:SendMessage {}", target["DeadLetterConfig"]["Arn"]));
    }
    assert!(!needed.is_empty(), "no schedule was found");
    for (role, needed) in needed {
        let statements =
            list(&roles[role]["Policies"]).into_iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        let plain = statements.filter(|statement| statement.get("Fn::If").is_none());
        let permitted: BTreeSet<String> = plain
            .flat_map(|statement| {
                let resources = list(&statement["Resource"]);
                let actions = list(&statement["Action"]).into_iter().filter_map(Value::as_str);
                actions.flat_map(move |action| {
                    resources.clone().into_iter().map(move |resource| format!("{action} {resource}"))
                })
            })
            .collect();
        assert_eq!(permitted, needed, "{role}");
        let trusted = &roles[role]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(list(trusted).len(), 1, "{role}");
        assert_eq!(trusted[0]["Principal"], json!({ "Service": "scheduler.amazonaws.com" }), "{role}");
        let account = &trusted[0]["Condition"]["StringEquals"]["aws:SourceAccount"];
        assert_eq!(
            *account,
            json!({ "Ref": "AWS::AccountId" }),
            "{role} can be assumed for another account's schedule"
        );
    }
}
