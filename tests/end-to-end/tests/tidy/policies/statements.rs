//! The statements of the functions in the template, and what the triggers of a function need.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

/// Actions by resource: a logical id, or another name that [`resource`] returns.
type Permissions = BTreeSet<(String, String)>;

pub(super) fn template() -> Value {
    let template = Template::load(&Workspace::here().template()).expect("the template");
    serde_json::from_str(&template.to_json()).expect("JSON")
}

pub(super) fn functions(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template["Resources"].as_object().expect("resources").iter();
    let functions = resources.filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

/// Returns the permissions of a function's statements. Conditions are not compared.
pub(super) fn allowed(function: &Value) -> Permissions {
    let mut found = Permissions::new();
    for statement in function["Policies"].as_array().into_iter().flatten().flat_map(|policy| list(&policy["Statement"]))
    {
        let statement = statement.get("Fn::If").map_or(statement, |branches| &branches[1]);
        if statement["Effect"] == "Allow" {
            for action in list(&statement["Action"]) {
                let resources = list(&statement["Resource"]).into_iter().map(resource);
                found.extend(resources.map(|resource| (action.as_str().unwrap_or_default().to_owned(), resource)));
            }
        }
    }
    found
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Returns the name of a resource: its logical id, with what follows it in an ARN.
pub(super) fn resource(value: &Value) -> String {
    if let (Some(id), attribute) = (value["Fn::GetAtt"][0].as_str(), &value["Fn::GetAtt"][1]) {
        return if attribute == "StreamArn" { format!("{id}.StreamArn") } else { id.to_owned() };
    }
    match (value["Ref"].as_str(), value["Fn::Sub"].as_str(), value.get("Fn::If")) {
        (Some(id), _, _) => id.to_owned(),
        (_, Some(text), _) if text.contains("/tokens") => "the token secrets".to_owned(),
        (_, Some(text), _) => text.replace("${", "").replace(".Arn}", ""),
        (_, _, Some(branches)) => resource(&branches[2]),
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// Returns the names of the resources of a variable.
pub(super) fn resources(value: &Value) -> Vec<String> {
    match value["Fn::Join"][1].as_array() {
        Some(joined) => joined.iter().map(resource).collect(),
        None => vec![resource(value)],
    }
}

/// Returns the permissions with which Lambda reads a function's sources and sends what failed.
pub(super) fn of_triggers(template: &Value, id: &str, function: &Value) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let mut add = |action: &str, resource: String| {
        found.insert((action.to_owned(), resource), "Lambda calls it for a trigger".to_owned());
    };
    let mut failures = vec![&function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]];
    let resources = template["Resources"].as_object().expect("resources").values();
    let mappings = resources.filter(|resource| resource["Type"] == "AWS::Lambda::EventSourceMapping");
    for mapping in mappings.map(|mapping| &mapping["Properties"]).filter(|mapping| mapping["FunctionName"]["Ref"] == id)
    {
        let source = resource(&mapping["EventSourceArn"]);
        let actions: &[&str] = if source.ends_with(".StreamArn") {
            add("dynamodb:ListStreams", "*".to_owned());
            &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        } else {
            &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        };
        actions.iter().for_each(|action| add(action, source.clone()));
        failures.push(&mapping["DestinationConfig"]["OnFailure"]["Destination"]);
    }
    for destination in failures.into_iter().filter(|destination| !destination.is_null()).map(resource) {
        if template["Resources"][&destination]["Type"] == "AWS::S3::Bucket" {
            add("s3:PutObject", format!("{destination}/*"));
            add("s3:ListBucket", destination);
        } else {
            add("sqs:SendMessage", destination);
        }
    }
    found
}
