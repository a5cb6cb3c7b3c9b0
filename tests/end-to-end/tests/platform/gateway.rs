//! The functions with platform routes, and the events with which API Gateway calls them.

use std::collections::BTreeMap;
use std::fmt;

use axum::Router;
use local::template::Template;
use local::workspace::Workspace;
use runtime::caller::CallerRules;
use runtime::{Env, Guard, http_event};
use serde_json::{Value, json};
use store::{ConnectionId, OrgState, UserMappings};

/// The id of a webhook endpoint, of which `acme` has none.
const ENDPOINT: &str = "we_5f0c2a1e7f534f0e9a540f3f1d0a2b11";

/// An operation of the contract.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    /// The path, with its parameters in braces.
    pub(crate) path: String,
    /// The scope that the contract requires.
    pub(crate) scope: String,
    /// A valid body, if the operation has one.
    pub(crate) body: Option<Value>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// The functions behind their guards, with an active org of the tenant `acme`.
pub(crate) struct Gateway {
    context: harness::TestContext,
    operations: Vec<Operation>,
    /// The function of each route, by its logical id in the template.
    functions: BTreeMap<String, String>,
    routers: BTreeMap<&'static str, Router>,
}

impl Gateway {
    pub(crate) async fn new() -> Self {
        let context = harness::TestContext::connected().await;
        let routers = routers(&context);
        let operations = operations();
        assert!(operations.len() > 20, "{} operations", operations.len());
        Self { context, operations, functions: functions(), routers }
    }

    /// Returns every operation of the platform.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Calls the function of the operation's route, for acme's org. Returns the status and the body.
    pub(crate) async fn send(&self, operation: &Operation, authorizer: &Value, query: &str) -> (u64, Value) {
        let function = &self.functions[&operation.to_string()];
        let router =
            self.routers.get(function.as_str()).unwrap_or_else(|| panic!("{operation} is served by {function}"));
        let path = self.path(&operation.path);
        let event = json!({
            "version": "2.0", "routeKey": operation.to_string(), "rawPath": path, "rawQueryString": query,
            "headers": { "content-type": "application/json", "host": "api.example.com", "idempotency-key": "key" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
                "authorizer": authorizer, "http": { "method": operation.method, "path": path }, "stage": "$default",
            },
            "body": operation.body.as_ref().map(Value::to_string), "isBase64Encoded": false,
        });
        let event = serde_json::value::to_raw_value(&event).unwrap();
        let response = serde_json::to_value(http_event::respond(router, &event).await.unwrap()).unwrap();
        let body = response["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
        (response["statusCode"].as_u64().unwrap(), body.unwrap_or_default())
    }

    /// Returns a path with ids for its parameters.
    fn path(&self, template: &str) -> String {
        let segments: Vec<&str> = template.split('/').collect();
        let filled =
            segments.iter().enumerate().map(|(n, segment)| match (*segment, n.checked_sub(1).map(|n| segments[n])) {
                ("{org}", _) => self.context.org.to_string(),
                ("{object}", _) => "Account".to_owned(),
                ("{id}", Some("connections")) => "team".to_owned(),
                ("{id}", Some("writes" | "erasures")) => "5f0c2a1e-7f53-4f0e-9a54-0f3f1d0a2b11".to_owned(),
                ("{id}", Some("webhook-endpoints")) => ENDPOINT.to_owned(),
                ("{platform_user}", _) => "rep-2".to_owned(),
                ("{field}", _) => "Ferry_External_Id__c".to_owned(),
                ("{id}", _) => "006000000000001AAA".to_owned(),
                ("{record}", _) => "001000000000001AAA".to_owned(),
                (literal, _) => {
                    assert!(!literal.contains('{'), "the test has no value for {literal} of {template}");
                    literal.to_owned()
                }
            });
        filled.collect::<Vec<_>>().join("/")
    }

    /// Checks that nothing was disconnected or written.
    pub(crate) async fn assert_untouched(&self) {
        let org = self.context.orgs.load(self.context.org).await.unwrap().unwrap();
        assert_eq!(org.state, OrgState::Active);
        let team = self.context.connections.load(self.context.org, &ConnectionId::team()).await.unwrap().unwrap();
        assert_eq!(team.state, store::ConnectionState::Active);
        let users = UserMappings::new(self.context.dynamodb(), self.context.table("users"));
        assert_eq!(users.list(self.context.org).await.unwrap(), []);
        assert_eq!(self.context.calls(), BTreeMap::new());
    }
}

/// Returns the authorizer's context for a JWT.
pub(crate) fn token(tenant: &str, scopes: &str) -> Value {
    let claims = json!({ "iss": "https://login.example.com", "aud": "ferry", "tenant": tenant, "scope": scopes });
    json!({ "jwt": { "claims": claims, "scopes": null } })
}

/// Returns the authorizer's context for a request that is signed with IAM.
pub(crate) fn iam() -> Value {
    json!({ "iam": { "accessKey": "AKIA", "accountId": "123456789012", "callerId": "id", "cognitoIdentity": null,
        "principalOrgId": null, "userArn": "arn:aws:iam::123456789012:user/platform", "userId": "id" } })
}

fn operations() -> Vec<Operation> {
    let openapi = Template::load(&Workspace::here().root().join("infra/openapi.yaml")).unwrap().to_json();
    let openapi: Value = serde_json::from_str(&openapi).unwrap();
    let mut operations = Vec::new();
    for (path, item) in openapi["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1")) {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let (method, path) = (method.to_uppercase(), path.clone());
            let scope = operation["security"][0]["jwt"][0].as_str().unwrap_or("none").to_owned();
            let body = operation.get("requestBody").map(|_| body(&method, &path));
            operations.push(Operation { method, path, scope, body });
        }
    }
    operations
}

/// Returns a valid body of the tenant `acme`.
fn body(method: &str, path: &str) -> Value {
    match (method, path) {
        ("POST", "/v1/connect-links") => json!({ "tenant": "acme", "kind": "team", "environment": "sandbox" }),
        ("POST", "/v1/admin-links") => json!({ "tenant": "acme" }),
        ("POST", "/v1/orgs/{org}/records/{object}") => {
            json!({ "external_id_field": "Ferry_External_Id__c", "records": [{ "Ferry_External_Id__c": "A-1" }] })
        }
        ("POST", "/v1/orgs/{org}/records/{object}/{id}/merge") => json!({ "merged_ids": ["001000000000001AAA"] }),
        ("POST", "/v1/orgs/{org}/leads/{id}/convert") => json!({ "opportunity": null }),
        ("POST", "/v1/orgs/{org}/records") => {
            json!({ "records": [{ "object": "Account", "client_key": "a", "fields": { "Name": "Acme" } }] })
        }
        ("POST", "/v1/orgs/{org}/matches") => json!({ "email": "ingrid@fjordglass.example" }),
        ("POST", "/v1/orgs/{org}/audits" | "/v1/orgs/{org}/backfills") => json!({ "object": "Account" }),
        ("PUT", "/v1/orgs/{org}/settings") => json!({ "poll_minutes": 30 }),
        ("POST", "/v1/orgs/{org}/erasures") => json!({ "record_id": "003000000000001AAA" }),
        ("POST", "/v1/orgs/{org}/notes") => json!({ "title": "Call", "text": "Hi", "links": ["001000000000001AAA"] }),
        ("POST", "/v1/orgs/{org}/files") => {
            json!({ "title": "Deck", "file_name": "deck.pdf", "content_base64": "aGVsbG8=", "links": ["001000000000001AAA"] })
        }
        ("POST", "/v1/orgs/{org}/file-uploads") => {
            json!({ "file_name": "call.mp4", "content_type": "video/mp4", "size": 20_971_520 })
        }
        ("PATCH", "/v1/orgs/{org}/notes/{id}") => json!({ "title": "Call" }),
        ("PUT", "/v1/orgs/{org}/notes/{id}/links/{record}") => json!({ "share_type": "viewer" }),
        // An address, so that no name has to be resolved.
        ("POST" | "PATCH", "/v1/webhook-endpoints" | "/v1/webhook-endpoints/{id}") => {
            json!({ "url": "https://1.1.1.1/ferry" })
        }
        ("PUT", "/v1/orgs/{org}/users/{platform_user}") => json!({ "user_id": "005000000000001AAA" }),
        _ => panic!("the test has no body for {method} {path}"),
    }
}

/// Returns the function of each route of the template: `GET /v1/orgs` is `RecordRead`'s.
fn functions() -> BTreeMap<String, String> {
    let template = Template::load(&Workspace::here().template()).unwrap();
    let routes = template.resources("AWS::ApiGatewayV2::Route").map(|(_, route)| {
        let target = route["Target"]["Fn::Sub"].as_str().unwrap();
        let integration = target.trim_start_matches("integrations/${").trim_end_matches('}');
        (route["RouteKey"].as_str().unwrap().to_owned(), integration.trim_end_matches("Integration").to_owned())
    });
    routes.collect()
}

fn routers(context: &harness::TestContext) -> BTreeMap<&'static str, Router> {
    let env = |queue: &str| {
        let tables = ["orgs", "connections", "cursors", "records", "pipelines", "budgets", "writes", "origins"];
        let tables = tables.into_iter().chain([
            "audits",
            "authorizations",
            "deliveries",
            "erasures",
            "freshness",
            "org_settings",
            "users",
            "write_order",
            "event_endpoints",
            "event_deliveries",
        ]);
        let table = |noun: &'static str| (format!("{}_TABLE", noun.to_uppercase()), context.table(noun));
        let mut variables: BTreeMap<String, String> = tables.map(table).collect();
        let others = [
            ("TOKEN_BROKER_FUNCTION", "token-broker"),
            ("CONNECTION_MANAGER_FUNCTION", "connection-manager"),
            ("ONBOARDING_FUNCTION", "onboarding"),
            ("PUBLIC_URL", "https://ferry.example.com"),
        ];
        variables.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables.insert("WRITE_QUEUE_URL".to_owned(), context.queue_url(queue));
        variables.insert("RECORD_UPSERT_QUEUE_URL".to_owned(), context.queue_url("RecordUpsertQueue"));
        variables.insert("STAGED_FILES_BUCKET".to_owned(), context.bucket("StagedFiles").to_owned());
        variables.insert("EVENT_DELIVERY_QUEUE_URL".to_owned(), context.queue_url("EventDeliveryQueue"));
        variables.insert("EVENT_BUS_NAME".to_owned(), context.bus_name());
        for (name, queue) in [("BACKFILL", "BackfillQueue"), ("PIPELINE_REFRESH", "PipelineRefreshQueue")] {
            variables.insert(format!("{name}_QUEUE_URL"), context.queue_url(queue));
        }
        variables.insert("DATA_ERASURE_QUEUE_URL".to_owned(), context.queue_url("DataErasureQueue"));
        Env::new(move |name| variables.get(name).cloned())
    };
    let aws = context.aws();
    let read = record_read::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let write = record_write::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let note = note_write::Config::from_env(&env("NoteWriteQueue")).unwrap();
    let file = file_write::Config::from_env(&env("FileWriteQueue")).unwrap();
    let erasure = data_erasure::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let admin = org_admin::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let delivery = event_delivery::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let callback = oauth_callback::Config::from_env(&env("RecordWriteQueue")).unwrap();
    let routers = [
        ("RecordRead", record_read::router(record_read::Deps::new(&aws, read).unwrap())),
        ("RecordWrite", record_write::router(record_write::Deps::new(&aws, write).unwrap())),
        ("NoteWrite", note_write::router(note_write::Deps::new(&aws, note).unwrap())),
        ("FileWrite", file_write::router(file_write::Deps::new(&aws, file).unwrap())),
        ("DataErasure", data_erasure::router(data_erasure::Deps::new(&aws, erasure))),
        ("OrgAdmin", org_admin::router(org_admin::Deps::new(&aws, admin).unwrap())),
        ("EventDelivery", event_delivery::router(event_delivery::Deps::new(&aws, delivery).unwrap())),
        ("OauthCallback", oauth_callback::router(oauth_callback::Deps::new(&aws, callback))),
    ];
    let guard = Guard::new(context.orgs.clone(), CallerRules::default());
    routers.into_iter().map(|(name, router)| (name, guard.clone().protect(router).into_router())).collect()
}
