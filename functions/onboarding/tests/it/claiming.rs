use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::{ActivationRequest, BindingRight, Environment, Org, OrgState, WebhookSecret};

use harness::run;

use crate::harness::TestContext;

pub(crate) fn install(body: &Value) -> Request<Body> {
    let request = Request::post("/webhooks/salesforce/installs").header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

#[test]
fn an_api_gateway_event_claims_the_org() {
    run(async {
        let context = TestContext::new().await;
        let event = include_str!("../fixtures/apigw-v2-install.json");
        let request = lambda_http::request::from_str(event).unwrap();

        let (status, body) = context.send(request.map(|body| Body::from(body.to_vec()))).await;

        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(body, json!({"org_id": "00D5e000000KQ2eEAG", "state": "claimed"}));
        let org = context.load("00D5e000000KQ2eEAG".parse().unwrap()).await.unwrap();
        assert_eq!((org.state, org.tenant), (OrgState::Claimed, None));
        assert_eq!(
            (org.package_version, org.my_domain_url),
            (None, None),
            "only the announcement has what was announced"
        );
        assert_eq!(org.announced.unwrap().package_version.as_deref(), Some("2.1.0"));
        assert!(org.expires_at.unwrap() > context.deps.clock.now());
    });
}

#[test]
fn the_same_claim_again_changes_nothing() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({"organization_id": context.org, "package_version": "2.1.0"});
        context.send(install(&body)).await;
        let first = context.org().await;

        let (status, _) = context.send(install(&body)).await;

        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(context.org().await, first);
    });
}

#[test]
fn an_announcement_never_changes_the_environment() {
    run(async {
        let context = TestContext::new().await;
        context.send(install(&json!({"organization_id": context.org}))).await;
        context.deps.clock.advance(SignedDuration::from_mins(1));

        let url = "https://evil.example";
        let sandbox = json!({"organization_id": context.org, "is_sandbox": true, "org_domain_url": url});
        context.send(install(&sandbox)).await;

        let org = context.org().await.unwrap();
        assert_eq!((org.environment, org.my_domain_url), (Environment::Production, None));
    });
}

#[test]
fn a_claim_neither_changes_nor_discloses_an_active_org() {
    run(async {
        let context = TestContext::new().await;
        let now = context.deps.clock.now();
        let activate = ActivationRequest {
            org_id: context.org,
            tenant: "acme".parse().unwrap(),
            right: BindingRight::Unowned,
            environment: Environment::Production,
            my_domain_url: None,
            webhook_secret: WebhookSecret::generate(&mut rand::rng()).hash(now),
            now,
        };
        context.deps.orgs.activate(&activate).await.unwrap();
        let before = context.org().await;
        let push =
            json!({"organization_id": context.org, "package_version": "9.9.9", "is_push": true, "is_sandbox": true});

        let (status, body) = context.send(install(&push)).await;

        assert_eq!((status, body["state"].as_str()), (StatusCode::ACCEPTED, Some("claimed")));
        let (after, before) = (context.org().await.unwrap(), before.unwrap());
        assert_eq!(after.announced.clone().unwrap().package_version.as_deref(), Some("9.9.9"));
        let noted = Org { announced: None, revision: before.revision, updated_at: before.updated_at, ..after };
        assert_eq!(noted, before);
    });
}

#[test]
fn an_invalid_claim_is_refused_and_changes_nothing() {
    run(async {
        let context = TestContext::new().await;
        let valid = json!({"organization_id": context.org}).to_string();
        let post = || Request::post("/webhooks/salesforce/installs");
        let json_post = || post().header("content-type", "application/json");
        let cases = [
            (json_post().body(Body::from("{")), StatusCode::BAD_REQUEST),
            (json_post().body(Body::from(r#"{"organization_id":"001"}"#)), StatusCode::BAD_REQUEST),
            (json_post().body(Body::from(" ".repeat(20_000) + &valid)), StatusCode::PAYLOAD_TOO_LARGE),
            (post().header("content-type", "text/xml").body(Body::from(valid)), StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (Request::get("/webhooks/salesforce/installs").body(Body::empty()), StatusCode::METHOD_NOT_ALLOWED),
        ];
        for (request, expected) in cases {
            assert_eq!(context.send(request.unwrap()).await.0, expected);
        }
        assert_eq!(context.org().await, None);
    });
}

#[test]
fn an_install_in_a_closed_org_needs_its_admin() {
    run(async {
        for state in [OrgState::Uninstalled, OrgState::Disconnected] {
            let context = TestContext::new().await;
            context.team_connected("acme").await.unwrap();
            context.deps.orgs.set_state(context.org, state, context.deps.clock.now()).await.unwrap();

            let (status, _) =
                context.send(install(&json!({"organization_id": context.org, "package_version": "3.0.0"}))).await;

            let org = context.org().await.unwrap();
            assert_eq!((status, org.state), (StatusCode::ACCEPTED, state));
            assert_eq!(org.announced.unwrap().package_version.as_deref(), Some("3.0.0"));
            context.team_connected("acme").await.unwrap();
            let org = context.org().await.unwrap();
            assert_eq!((org.state, org.package_version), (OrgState::Active, None));
        }
    });
}
