//! The policies of the functions in `infra/template.yaml`, compared with the calls that their code makes.

mod calls;
mod statements;
mod syntax;

use std::collections::BTreeMap;

use serde_json::Value;

use calls::Code;
use statements::{allowed, functions, of_triggers, resource, resources, template};

/// The actions of S3, `SecretsManager` and SQS that encrypt, so that they need a data key.
const ENCRYPTING: [&str; 5] = [
    "s3:PutObject",
    "secretsmanager:CreateSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecret",
    "sqs:SendMessage",
];

/// The variables of the tables of `OrgData`.
const ORG_DATA: [&str; 13] = [
    "AUDITS_TABLE",
    "AUTHORIZATIONS_TABLE",
    "BUDGETS_TABLE",
    "CURSORS_TABLE",
    "DELIVERIES_TABLE",
    "FRESHNESS_TABLE",
    "ORG_SETTINGS_TABLE",
    "ORIGINS_TABLE",
    "PIPELINES_TABLE",
    "RECORDS_TABLE",
    "USERS_TABLE",
    "WRITES_TABLE",
    "WRITE_ORDER_TABLE",
];
/// The actions with which `OrgData` finds rows: each table needs one of them, by the form of its key.
const FINDING: [&str; 2] = ["dynamodb:Query", "dynamodb:Scan"];

#[test]
fn functions_may_do_what_their_code_does_and_no_more() {
    let template = template();
    let code = Code::read();
    let mut wrong = Vec::new();
    let mut examined = 0;
    for (id, function) in functions(&template) {
        let needed = needed(&code, &template, id, function);
        let allowed = allowed(function);
        assert!(needed.len() > 2, "the calls of {id} were not found: correct the rule");
        for (action, resource) in needed.keys().filter(|permission| !allowed.contains(*permission)) {
            let way = &needed[&(action.clone(), resource.clone())];
            wrong.push(format!("{id} lacks {action} on {resource}, which it calls: {way}"));
        }
        for (action, resource) in allowed.iter().filter(|permission| !needed.contains_key(*permission)) {
            wrong.push(format!("{id} may {action} on {resource}, and no code of it does: remove the action"));
        }
        examined += 1;
    }
    assert!(examined > 10);
    assert!(
        wrong.is_empty(),
        "correct the statements in infra/template.yaml. If a call was not found, declare the type of its receiver in a field, a \
         parameter or a return type:\n{}\n",
        wrong.join("\n")
    );
}

#[test]
fn calls_to_aws_are_found_through_every_layer() {
    let code = Code::read();
    let calls = code.calls_from(code.functions_of("record-events"));
    let created = calls.keys().find(|(action, owner)| action == "dynamodb:PutItem" && owner == "Authorizations");
    assert!(created.is_some(), "a connect link is stored by `connecting`: {:?}", calls.keys());
    assert!(!calls.keys().any(|(action, _)| action == "dynamodb:DeleteItem"), "{:?}", calls.keys());
}

/// Returns the permissions that a function needs, with the way to the call of each.
fn needed(code: &Code, template: &Value, id: &str, function: &Value) -> BTreeMap<(String, String), String> {
    let variables = function["Environment"]["Variables"].as_object().expect("variables");
    let folder =
        function["CodeUri"].as_str().and_then(|uri| uri.trim_end_matches('/').rsplit('/').next()).expect("a folder");
    let starts = match variables.get("OPERATIONS") {
        Some(operations) => code.handlers(folder, operations.as_str().unwrap_or_default()),
        None => code.functions_of(folder),
    };
    let allowed = allowed(function);
    let mut needed = BTreeMap::new();
    for ((action, owner), way) in code.calls_from(starts) {
        let (owner, index) = owner.split_once('/').map_or((owner.as_str(), None), |(owner, rest)| (owner, Some(rest)));
        let values = variables.iter().filter(|(variable, _)| is_of(owner, variable)).map(|(_, value)| value);
        for resource in values.flat_map(resources) {
            let resource = index.map_or(resource.clone(), |index| format!("{resource}/{index}"));
            let is_of_objects = action.starts_with("s3:") && action != "s3:ListBucket";
            let resource = if is_of_objects { format!("{resource}/*") } else { resource };
            let may = |action: &str| allowed.contains(&(action.to_owned(), resource.clone()));
            let is_found_otherwise = owner == "OrgData"
                && FINDING.contains(&action.as_str())
                && !may(&action)
                && FINDING.into_iter().any(may);
            if !is_found_otherwise {
                needed.insert((action.clone(), resource), way.clone());
            }
        }
    }
    for (variable, value) in variables.iter().filter(|(variable, _)| variable.ends_with("_FUNCTION")) {
        needed.insert(("lambda:InvokeFunction".to_owned(), resource(value)), format!("it reads {variable}"));
    }
    needed.extend(of_triggers(template, id, function));
    let encrypts = needed.keys().any(|(action, _)| ENCRYPTING.contains(&action.as_str()));
    needed.insert(("kms:Decrypt".to_owned(), "KmsKey".to_owned()), "it reads encrypted data".to_owned());
    if encrypts {
        needed.insert(("kms:GenerateDataKey".to_owned(), "KmsKey".to_owned()), "it stores encrypted data".to_owned());
    }
    needed
}

/// Returns whether the variable names the resource of a type of the store.
fn is_of(owner: &str, variable: &str) -> bool {
    match owner {
        "Queue" => variable.ends_with("_QUEUE_URL"),
        "Apps" => variable == "APPS_SECRET_ARN",
        "TokenVault" => variable == "TOKEN_SECRET_PREFIX",
        "StagedFiles" => variable == "STAGED_FILES_BUCKET",
        "EventBus" => variable == "EVENT_BUS_NAME",
        "DeadLetters" => variable == "DEAD_LETTER_QUEUE_URLS",
        "OrgData" => ORG_DATA.contains(&variable),
        "UserMappings" => variable == "USERS_TABLE",
        "ClientKeys" => variable == "WRITE_ORDER_TABLE",
        "OrgSettingsTable" => variable == "ORG_SETTINGS_TABLE",
        table => variable.strip_suffix("_TABLE").is_some_and(|noun| noun.replace('_', "") == table.to_uppercase()),
    }
}
