//! Every route of the platform in `infra/openapi.yaml`, as API Gateway calls the function that `infra/template.yaml` names for it:
//! without a token, without the scope, with another tenant's token, and with an unknown query parameter.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod gateway;

use serde_json::{Value, json};

use crate::gateway::{Gateway, Operation, iam, token};

const ALL_SCOPES: [&str; 3] = ["ferry/read", "ferry/write", "ferry/admin"];

/// Returns the code of a problem.
fn code(body: &Value) -> &str {
    body["type"].as_str().and_then(|kind| kind.strip_prefix("urn:ferry:problem:")).unwrap_or("none")
}

/// Returns the code and the detail of the refusal of another tenant's call. `None` for a route whose response is only about the
/// caller's own tenant.
fn refusal_of_others(operation: &Operation) -> Option<(&'static str, &'static str)> {
    match operation.path.as_str() {
        "/v1/orgs" | "/v1/changes" | "/v1/webhook-endpoints" => None,
        path if path.starts_with("/v1/webhook-endpoints/") => {
            Some(("not_found", "the webhook endpoint does not exist"))
        }
        path if path.starts_with("/v1/orgs/{org}") => Some(("not_found", "the org does not exist")),
        _ => Some(("not_found", "the tenant does not exist")),
    }
}

#[test]
fn no_route_serves_a_call_without_a_token() {
    harness::run(async {
        let gateway = Gateway::new().await;
        for operation in gateway.operations() {
            let (status, body) = gateway.send(operation, &Value::Null, "").await;
            assert_eq!((status, code(&body)), (401, "unauthorized"), "{operation} {body}");
        }
    });
}

#[test]
fn no_route_serves_a_call_without_its_scope() {
    harness::run(async {
        let gateway = Gateway::new().await;
        for operation in gateway.operations() {
            let others: Vec<&str> = ALL_SCOPES.into_iter().filter(|scope| *scope != operation.scope).collect();
            assert_eq!(others.len(), 2, "{operation}: {}", operation.scope);
            let (status, body) = gateway.send(operation, &token("acme", &others.join(" ")), "").await;
            assert_eq!((status, code(&body)), (403, "insufficient_scope"), "{operation} {body}");
        }
    });
}

#[test]
fn no_route_serves_another_tenant() {
    harness::run(async {
        let gateway = Gateway::new().await;
        // An endpoint that a tenant creates is its own.
        let creates = |operation: &&Operation| operation.to_string() == "POST /v1/webhook-endpoints";
        for operation in gateway.operations().iter().filter(|operation| !creates(operation)) {
            let (status, body) = gateway.send(operation, &token("globex", &ALL_SCOPES.join(" ")), "").await;
            match refusal_of_others(operation) {
                Some((expected, detail)) => {
                    let found = (status, code(&body), body["detail"].as_str().unwrap_or_default());
                    assert_eq!(found, (404, expected, detail), "{operation} {body}");
                }
                None => {
                    let members = ["orgs", "changes", "endpoints"];
                    let rows = members.iter().find_map(|name| body.get(*name));
                    assert_eq!((status, rows), (200, Some(&json!([]))), "{operation} {body}");
                }
            }
        }
        gateway.assert_untouched().await;
    });
}

#[test]
fn no_route_serves_an_iam_caller_by_default() {
    harness::run(async {
        let gateway = Gateway::new().await;
        for operation in gateway.operations() {
            let (status, body) = gateway.send(operation, &iam(), "").await;
            assert_eq!((status, code(&body)), (403, "iam_refused"), "{operation} {body}");
        }
    });
}

/// The call is otherwise a good one, so that it passes the guard and reaches its handler.
#[test]
fn every_route_refuses_an_unknown_query_parameter() {
    harness::run(async {
        let gateway = Gateway::new().await;
        for operation in gateway.operations() {
            let (status, body) = gateway.send(operation, &token("acme", &operation.scope), "no_such_parameter=1").await;
            assert_eq!((status, code(&body)), (400, "invalid_request"), "{operation} {body}");
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("`no_such_parameter`") && detail.contains("allowed: "), "{operation} {detail}");
        }
        gateway.assert_untouched().await;
    });
}

#[test]
fn every_body_refuses_an_unknown_member() {
    harness::run(async {
        let gateway = Gateway::new().await;
        for operation in gateway.operations().iter().filter(|operation| operation.body.is_some()) {
            let mut unknown = operation.clone();
            unknown.body.as_mut().unwrap()["no_such_member"] = json!(1);
            let (status, body) = gateway.send(&unknown, &token("acme", &operation.scope), "").await;
            assert_eq!((status, code(&body)), (400, "invalid_request"), "{operation} {body}");
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("no_such_member") && detail.contains("allowed: "), "{operation} {detail}");
        }
        gateway.assert_untouched().await;
    });
}
