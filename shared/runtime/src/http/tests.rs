use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    tenant: store::Tenant,
    count: u32,
}

fn router() -> Router {
    let handle = |Idempotency(key): Idempotency, ActingUser(user): ActingUser, JsonBody(input): JsonBody<Input>| async move {
        format!("{key} {} {} {}", user.map_or_else(|| "nobody".to_owned(), String::from), input.tenant, input.count)
    };
    let caller = Caller { tenant: "acme".parse().unwrap(), scopes: Default::default(), user: None };
    Router::new().route("/test", post(handle)).layer(axum::Extension(caller))
}

async fn send(uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> (StatusCode, String) {
    let mut request = http::Request::post(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response: Response = router().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const KEY: (&str, &str) = ("idempotency-key", "key-1");
const GOOD: &str = r#"{"tenant": "acme", "count": 1}"#;

async fn problem(uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, String, String) {
    let (status, body) = send(uri, headers, body).await;
    let problem: Value = serde_json::from_str(&body).unwrap();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status.as_u16(), text("type"), text("detail"))
}

#[tokio::test]
async fn a_valid_request_reaches_the_handler() {
    assert_eq!(send("/test?as=rep%201", &[JSON, KEY], GOOD).await, (StatusCode::OK, "key-1 rep 1 acme 1".to_owned()));
    assert_eq!(send("/test", &[JSON, KEY], GOOD).await.1, "key-1 nobody acme 1");
}

#[tokio::test]
async fn a_write_without_an_idempotency_key_is_refused() {
    for headers in [&[JSON][..], &[JSON, ("idempotency-key", "two words")], &[JSON, ("idempotency-key", "")]] {
        let (status, kind, detail) = problem("/test", headers, GOOD).await;
        assert_eq!((status, kind.as_str()), (400, "urn:ferry:problem:invalid_request"));
        assert!(detail.contains("Idempotency-Key"), "{detail}");
    }
}

#[tokio::test]
async fn a_body_of_another_media_type_is_refused() {
    for headers in [&[KEY][..], &[KEY, ("content-type", "text/plain")]] {
        assert_eq!(problem("/test", headers, GOOD).await.0, 415);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let body = "x".repeat(MAX_JSON_BYTES + 1);
    assert_eq!(problem("/test", &[JSON, KEY], body).await.0, 413);
}

#[tokio::test]
async fn a_fault_is_described_without_the_bodys_values() {
    let cases = [
        (r#"{"tenant": "acme"}"#, "the member `count` is missing"),
        (r#"{"tenant": "acme", "count": "hush"}"#, "expected a whole number"),
        (r#"{"tenant": "", "count": 1}"#, "a tenant must be 1 to 128 characters"),
        (r#"{"tenant": "acme", "count": 1, "colour": "hush"}"#, "no member `colour`; allowed: `tenant`, `count`"),
        ("null", "expected an object"),
        ("{", "incomplete"),
        ("{nonsense hush}", "not JSON"),
    ];
    for (body, expected) in cases {
        let (status, _, detail) = problem("/test", &[JSON, KEY], body).await;
        assert_eq!(status, 400);
        assert!(detail.contains(expected) && !detail.contains("hush"), "{detail}");
    }
}

#[tokio::test]
async fn an_invalid_acting_user_is_refused() {
    assert_eq!(problem("/test?as=", &[JSON, KEY], GOOD).await.0, 400);
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused_by_its_name() {
    let (status, _, detail) = problem("/test?as=rep&platform_user=rep", &[JSON, KEY], GOOD).await;
    assert_eq!((status, detail.as_str()), (400, "there is no query parameter `platform_user`; allowed: `as`"));
    assert!(problem("/test?as=a&as=b", &[JSON, KEY], GOOD).await.2.contains("`as` must be sent once"));

    let router = Router::new().route("/test", post(async |NoQuery {}: NoQuery| {}));
    let response = router.oneshot(http::Request::post("/test?x=1").body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("no query parameter `x`; allowed: none"), "{body:?}");
}
