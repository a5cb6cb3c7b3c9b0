//! The dependencies of functions: as the template permits them, and silent.

use std::collections::BTreeSet;
use std::net::TcpListener;

use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

/// A service that functions call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dependency {
    DynamoDb,
    EventBridge,
    Lambda,
    Salesforce,
    SecretsManager,
    Sqs,
    S3,
}

impl Dependency {
    /// Returns the variable with the address of an AWS service. `None` for Salesforce, whose addresses come with its tokens.
    pub(crate) fn endpoint_variable(self) -> Option<&'static str> {
        match self {
            Self::DynamoDb => Some("AWS_ENDPOINT_URL_DYNAMODB"),
            Self::EventBridge => Some("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            Self::Lambda => Some("AWS_ENDPOINT_URL_LAMBDA"),
            Self::SecretsManager => Some("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            Self::Sqs => Some("AWS_ENDPOINT_URL_SQS"),
            Self::S3 => Some("AWS_ENDPOINT_URL_S3"),
            Self::Salesforce => None,
        }
    }

    /// Returns the service that a function calls with this action. Lambda itself receives and deletes messages of queues that
    /// trigger a function.
    fn of_action(action: &str) -> Option<Self> {
        match action.split_once(':')? {
            ("dynamodb", _) => Some(Self::DynamoDb),
            ("events", _) => Some(Self::EventBridge),
            ("lambda", _) => Some(Self::Lambda),
            ("secretsmanager", _) => Some(Self::SecretsManager),
            ("sqs", "SendMessage") => Some(Self::Sqs),
            ("s3", "GetObject" | "DeleteObject") => Some(Self::S3),
            // Lambda itself stores the failed batches of a stream.
            ("kms" | "ec2" | "sqs" | "s3", _) => None,
            (service, _) => panic!("no case knows how to silence {service}"),
        }
    }
}

/// Returns the last part of each function's name with each of its dependencies: the services of its policies, and Salesforce if
/// it has a version of its API.
pub(crate) fn of_template() -> BTreeSet<(String, Dependency)> {
    let template = Template::load(&Workspace::here().template()).unwrap();
    let mut found = BTreeSet::new();
    for (_, function) in template.resources("AWS::Serverless::Function") {
        let name = function["FunctionName"]["Fn::Sub"].as_str().unwrap().trim_start_matches("${AWS::StackName}-");
        let mut actions = Vec::new();
        collect_actions(&function["Policies"], &mut actions);
        let variables = function["Environment"]["Variables"].as_object().unwrap();
        let mut needed: BTreeSet<_> = actions.iter().filter_map(|action| Dependency::of_action(action)).collect();
        // The queue of a trigger's failures is written by Lambda; one that the function writes is in a variable.
        if !variables.keys().any(|name| name.ends_with("QUEUE_URL")) {
            needed.remove(&Dependency::Sqs);
        }
        if variables.contains_key("SALESFORCE_API_VERSION") {
            needed.insert(Dependency::Salesforce);
        }
        found.extend(needed.into_iter().map(|dependency| (name.to_owned(), dependency)));
    }
    assert!(found.len() > 30, "the functions were not found");
    found
}

fn collect_actions(policies: &Value, actions: &mut Vec<String>) {
    match policies {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(action) if name == "Action" => actions.push(action.clone()),
                    Value::Array(list) if name == "Action" => {
                        actions.extend(list.iter().filter_map(|action| action.as_str().map(str::to_owned)));
                    }
                    other => collect_actions(other, actions),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect_actions(value, actions)),
        _ => {}
    }
}

/// A service that accepts connections and never answers: the kernel accepts them, and nobody reads from them.
pub(crate) struct Silent {
    listener: TcpListener,
}

impl Silent {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Returns whether anyone has connected since the last call.
    pub(crate) fn was_called(&self) -> bool {
        self.listener.accept().is_ok()
    }
}
