//! The route behind API Gateway, which passes bodies as text or in base64.

use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{HttpResponse, TestContext, run};
use crate::messages::message;

const EVENT: &str = include_str!("../fixtures/apigw-v2-outbound-message.json");

/// Returns an event of API Gateway.
fn event(path: &str, body: &str, is_base64: bool) -> String {
    let mut event: Value = serde_json::from_str(EVENT).unwrap();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event["body"] = json!(body);
    event["isBase64Encoded"] = json!(is_base64);
    event.to_string()
}

async fn send(context: &TestContext, event: &str) -> HttpResponse {
    let request = lambda_http::request::from_str(event).unwrap();
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, axum::body::Body::from(body.as_ref().to_vec()));
    HttpResponse::of(context.router().oneshot(request).await.unwrap()).await
}

#[test]
fn api_gateway_bodies_in_text_and_base64_reach_the_route() {
    run(async {
        let context = TestContext::new().await;
        let body = message(context.org, 2);

        assert!(send(&context, &event(&context.address(), &body, false)).await.is_ack());
        assert!(send(&context, &event(&context.address(), &STANDARD.encode(&body), true)).await.is_ack());
        assert_eq!(context.queued().await.len(), 4);
    });
}

#[test]
fn an_api_gateway_event_with_a_wrong_secret_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let address = context.address_of(context.org.as_str(), "wrong");

        let response = send(&context, &event(&address, &message(context.org, 1), false)).await;

        assert_eq!((response.status, response.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    });
}
