use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use axum::Json;
use axum::extract::Path;
use axum::routing::{self, get, post};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Environment, OrgState};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::http_event;

const ACME: &str = "00D5e000000KQ2eEAG";
const GLOBEX: &str = "00DdM00000vfgTuUAI";
const CLAIMED: &str = "00D000000000001EAA";
const UNKNOWN: &str = "00D000000000002EAA";

/// Returns a value as DynamoDB's JSON.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(flag) => json!({ "BOOL": flag }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(items) => json!({ "L": items.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(_) => json!({ "M": item(value) }),
    }
}

fn item(value: &Value) -> Value {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// An `orgs` table on loopback with an org of each tenant, and one that no tenant has. Counts its reads.
async fn orgs(reads: Arc<AtomicUsize>) -> (Orgs, JoinSet<()>) {
    let org = |id: &str, tenant: Option<&str>| {
        let claimed = Org::claimed(id.parse().unwrap(), Environment::Production, Timestamp::UNIX_EPOCH);
        let state = if tenant.is_some() { OrgState::Active } else { OrgState::Claimed };
        Org { state, tenant: tenant.map(|tenant| tenant.parse().unwrap()), ..claimed }
    };
    let stored = [org(ACME, Some("acme")), org(GLOBEX, Some("globex")), org(CLAIMED, None)];
    let answer = post(move |body: String| async move {
        reads.fetch_add(1, Ordering::Relaxed);
        let request: Value = serde_json::from_str(&body).unwrap();
        let id = request["Key"]["org_id"]["S"].as_str().unwrap();
        let found = stored.iter().find(|org| org.org_id.as_str() == id);
        Json(found.map_or(json!({}), |org| json!({ "Item": item(&serde_json::to_value(org).unwrap()) })))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async { axum::serve(listener, Router::new().route("/", answer)).await.unwrap() });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .endpoint_url(url);
    (Orgs::new(aws_sdk_dynamodb::Client::from_conf(config.build()), "orgs"), server)
}

/// A function with routes of every kind. A handler returns the org that it sees, twice: from the guard and from the path.
struct Function {
    router: Router,
    reads: Arc<AtomicUsize>,
    _table: JoinSet<()>,
}

impl Function {
    async fn new(rules: CallerRules) -> Self {
        let reads = Arc::default();
        let (orgs, table) = orgs(Arc::clone(&reads)).await;
        Self { reads, _table: table, ..Self::of(Guard::new(orgs, rules).protect(routes()).into_router()) }
    }

    /// Returns a function without a table.
    fn of(router: Router) -> Self {
        Self { router, reads: Arc::default(), _table: JoinSet::new() }
    }

    async fn send(&self, event: &Value) -> (u64, Value) {
        let event = serde_json::value::to_raw_value(event).unwrap();
        let response = http_event::respond(&self.router, &event).await.unwrap();
        let response = serde_json::to_value(response).unwrap();
        let body = response["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
        (response["statusCode"].as_u64().unwrap(), body.unwrap_or_default())
    }

    async fn status(&self, method: &str, path: &str, authorizer: Value) -> u64 {
        self.send(&event(method, path, authorizer)).await.0
    }
}

fn routes() -> Router {
    let of_org = |TenantOrg(org): TenantOrg, Path(path): Path<Vec<(String, String)>>| async move {
        let in_path = path.iter().find(|(name, _)| name == "org").unwrap().1.parse::<OrgId>().unwrap();
        Json(json!({ "reached": true, "org": org.org_id, "tenant": org.tenant, "in_path": in_path }))
    };
    let of_tenant = |caller: crate::Caller| async move { Json(json!({ "reached": true, "tenant": caller.tenant })) };
    let unchecked = || async { Json(json!({ "reached": true })) };
    Router::new()
        .route("/v1/orgs", get(of_tenant))
        .route("/v1/admin-links", post(of_tenant))
        .route("/v1/orgs/{org}", get(of_org).delete(of_org))
        .route("/v1/orgs/{org}/records/{object}", get(of_org).post(of_org))
        .route("/v1/things/{id}", get(unchecked))
        .route("/{version}/orgs/{org}/new", get(unchecked))
        .route("/v1/rest/{*rest}", get(unchecked))
        .route("/other/{id}", get(unchecked))
        .route("/webhooks/salesforce/{org_id}/{secret}", routing::any(|| async { Json(json!({ "open": true })) }))
        .route("/connections", get(|| async { Json(json!({ "open": true })) }))
        .fallback(unchecked)
}

/// Returns an event of API Gateway: an HTTP API, payload format 2.0.
fn event(method: &str, path: &str, authorizer: Value) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "host": "api.example.com" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
            "authorizer": authorizer, "http": { "method": method, "path": path }, "stage": "$default",
        },
        "isBase64Encoded": false,
    })
}

fn token(tenant: &str, scope: &str) -> Value {
    json!({ "jwt": { "claims": { "iss": "https://login.example.com", "tenant": tenant, "scope": scope }, "scopes": null } })
}

fn iam() -> Value {
    json!({ "iam": { "accessKey": "AKIA", "accountId": "123456789012", "callerId": "id", "cognitoIdentity": null,
        "principalOrgId": null, "userArn": "arn:aws:iam::123456789012:user/platform", "userId": "id" } })
}

const ALL_SCOPES: &str = "ferry/read ferry/write ferry/admin";

#[tokio::test]
async fn a_handler_gets_the_org_that_the_guard_read_once() {
    let function = Function::new(CallerRules::default()).await;
    let path = format!("/v1/orgs/{ACME}");
    let (status, body) = function.send(&event("GET", &path, token("acme", "ferry/read"))).await;
    assert_eq!((status, &body["org"], &body["in_path"]), (200, &json!(ACME), &json!(ACME)));
    assert_eq!(function.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn another_tenants_org_is_as_unknown_as_an_unknown_org() {
    let function = Function::new(CallerRules::default()).await;
    let mut bodies = Vec::new();
    for org in [GLOBEX, CLAIMED, UNKNOWN] {
        let (status, body) = function.send(&event("GET", &format!("/v1/orgs/{org}"), token("acme", ALL_SCOPES))).await;
        assert_eq!(status, 404);
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["type"], "urn:ferry:problem:not_found");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_not_found() {
    let function = Function::new(CallerRules::default()).await;
    let (status, body) = function.send(&event("PATCH", "/v1/orgs", token("acme", ALL_SCOPES))).await;
    assert_eq!((status, &body["type"]), (404, &json!("urn:ferry:problem:not_found")));
}

#[tokio::test]
async fn a_route_requires_its_scope() {
    let function = Function::new(CallerRules::default()).await;
    let (org, records) = (format!("/v1/orgs/{ACME}"), format!("/v1/orgs/{ACME}/records/Account"));
    for (method, path, scope) in [
        ("GET", "/v1/orgs", "ferry/read"),
        ("GET", &org, "ferry/read"),
        ("POST", &records, "ferry/write"),
        ("DELETE", &org, "ferry/admin"),
        ("POST", "/v1/admin-links", "ferry/admin"),
    ] {
        assert_eq!(function.status(method, path, token("acme", scope)).await, 200, "{method} {path}");
        let others = ALL_SCOPES.replace(scope, "");
        let (status, body) = function.send(&event(method, path, token("acme", &others))).await;
        assert_eq!((status, &body["type"]), (403, &json!("urn:ferry:problem:insufficient_scope")));
        assert!(body["detail"].as_str().unwrap().ends_with(scope), "{body}");
    }
}

#[tokio::test]
async fn identity_comes_from_api_gateway_and_not_from_headers() {
    let function = Function::new(CallerRules::default()).await;
    let mut forged = event("GET", "/v1/orgs", json!(null));
    let claims = json!({ "jwt": { "claims": { "tenant": "acme", "scope": ALL_SCOPES } } }).to_string();
    for name in ["x-amzn-request-context", "x-amz-authorizer", "x-ferry-claims", "tenant", "scope"] {
        forged["headers"][name] = json!(claims);
    }
    forged["headers"]["authorization"] = json!("Bearer eyJhbGciOiJub25lIn0.eyJ0ZW5hbnQiOiJhY21lIn0.");
    forged["headers"]["ferry-tenant"] = json!("acme");
    let (status, body) = function.send(&forged).await;
    assert_eq!((status, &body["type"]), (401, &json!("urn:ferry:problem:unauthorized")));

    let mut other = event("GET", "/v1/orgs", token("acme", ALL_SCOPES));
    other["headers"]["Ferry-Tenant"] = json!("globex");
    assert_eq!(function.send(&other).await.1["type"], "urn:ferry:problem:other_tenant");
}

#[tokio::test]
async fn a_lambda_authorizers_context_is_no_identity() {
    let function = Function::new(CallerRules::default()).await;
    for authorizer in [json!({}), json!({ "lambda": { "tenant": "acme", "scope": ALL_SCOPES } })] {
        assert_eq!(function.status("GET", "/v1/orgs", authorizer).await, 401);
    }
}

#[tokio::test]
async fn an_iam_caller_names_the_tenant_of_each_call() {
    let rules = CallerRules { iam: crate::caller::IamCallers::AllTenants, ..CallerRules::default() };
    let function = Function::new(rules).await;
    let mut call = event("DELETE", &format!("/v1/orgs/{GLOBEX}"), iam());
    assert_eq!(function.send(&call).await.0, 403);
    call["headers"]["Ferry-Tenant"] = json!("acme");
    assert_eq!(function.send(&call).await.0, 404);
    call["headers"]["Ferry-Tenant"] = json!("globex");
    assert_eq!(function.send(&call).await.0, 200);

    let refusing = Function::new(CallerRules::default()).await;
    assert_eq!(refusing.send(&call).await.1["type"], "urn:ferry:problem:iam_refused");
}

#[tokio::test]
async fn a_route_that_cannot_be_checked_serves_nothing() {
    let function = Function::new(CallerRules::default()).await;
    for (path, expected) in [
        ("/v1/things/1", 500),
        (&format!("/v1/orgs/{ACME}/new") as &str, 500),
        ("/v1/rest/anything", 500),
        ("/other/1", 500),
        ("/v1/absent", 404),
        ("/", 404),
    ] {
        let (status, body) = function.send(&event("GET", path, token("acme", ALL_SCOPES))).await;
        assert_eq!((status, &body["reached"]), (expected, &Value::Null), "{path}");
    }
}

#[tokio::test]
async fn open_routes_need_no_caller() {
    let function = Function::new(CallerRules::default()).await;
    for path in ["/connections", "/webhooks/salesforce/any/secret"] {
        assert_eq!(function.status("GET", path, json!(null)).await, 200);
    }
    let open = Function::of(Guard::open_only().protect(routes()).into_router());
    assert_eq!(open.status("GET", "/connections", json!(null)).await, 200);
    assert_eq!(open.status("GET", "/v1/orgs", token("acme", ALL_SCOPES)).await, 404);
}

#[tokio::test]
async fn a_handler_without_the_guard_serves_nothing() {
    let unguarded = Function::of(routes());
    for path in ["/v1/orgs", &format!("/v1/orgs/{ACME}")] {
        assert_eq!(unguarded.status("GET", path, token("acme", ALL_SCOPES)).await, 500);
    }
}

/// Returns paths that resemble those of routes: other spellings of their segments, with other separators.
fn paths() -> impl Strategy<Value = String> {
    let short = |id: &str| id[..15].to_owned();
    let encoded = |id: &str| id.replace('0', "%30");
    let orgs = [ACME, GLOBEX, CLAIMED, UNKNOWN];
    let mut segments: Vec<String> = orgs.iter().flat_map(|id| [(*id).to_owned(), short(id), encoded(id)]).collect();
    segments.extend(orgs.iter().map(|id| id.to_lowercase()));
    let other = ["v1", "V1", "%76%31", "orgs", "Orgs", "%6Frgs", "records", "Account", "admin-links", "connections"];
    let dots =
        ["", ".", "..", "%2e%2e", "%2F", "%2f..", "%00", "%FF", "a;b", "?x", "#x", "\\", "new", "rest", "things"];
    segments.extend(other.iter().chain(&dots).map(|text| (*text).to_owned()));
    let plain = prop_oneof![Just("/v1/orgs".to_owned()), Just(String::new()), Just("/connections/..".to_owned())];
    (plain, proptest::collection::vec(proptest::sample::select(segments), 0..5), any::<bool>()).prop_map(
        |(start, segments, slash)| {
            let end = if slash { "/" } else { "" };
            format!("{start}{}{end}", segments.iter().map(|segment| format!("/{segment}")).collect::<String>())
        },
    )
}

proptest! {
    #[test]
    fn no_path_reaches_a_handler_past_the_guard(
        paths in proptest::collection::vec(paths(), 20),
        method in proptest::sample::select(vec!["GET", "POST", "DELETE", "HEAD"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let function = Function::new(CallerRules::default()).await;
            for path in &paths {
                let (_, anonymous) = function.send(&event(method, path, json!(null))).await;
                prop_assert_eq!(&anonymous["reached"], &Value::Null, "{} {}", method, path);
                let (_, body) = function.send(&event(method, path, token("acme", ALL_SCOPES))).await;
                if body["reached"] == true {
                    prop_assert_eq!(&body["tenant"], "acme", "{} {}", method, path);
                    prop_assert_eq!(&body["org"], &body["in_path"], "{} {}", method, path);
                }
            }
            Ok(())
        })?;
    }
}
