use connecting::onboarding::Event;
use http::StatusCode;
use runtime::token_broker::Request;
use serde_json::json;

use crate::fakes::ActivationOutcome;
use crate::harness::{PUBLIC_URL, TestContext};

#[tokio::test]
async fn a_team_connects_its_org_and_gets_the_webhook_address() {
    let context = TestContext::new().await;

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(page.shows("Connected") && page.shows(context.org_id().as_str()) && page.shows(&context.org.users()[0].id));
    assert!(page.shows(&format!("/webhooks/salesforce/{}/the-webhook-secret</textarea>", context.org_id())));
    let requests = context.onboarding.requests.lock().unwrap().clone();
    let [Event::TeamConnected(connected)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((connected.org_id, connected.tenant.as_str()), (context.org_id(), "acme"));
}

#[tokio::test]
async fn a_team_with_limited_access_is_warned_on_the_page() {
    let context = TestContext::new().await;
    *context.broker.limited_objects.lock().unwrap() = vec!["Opportunity".parse().unwrap()];

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.shows("may not see every record") && page.shows("<li>Opportunity</li>"), "{}", page.html);
}

#[tokio::test]
async fn a_reconnected_team_keeps_its_webhook_address() {
    let context = TestContext::new().await;
    *context.onboarding.outcome.lock().unwrap() = ActivationOutcome::AlreadyActive;

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.shows("stays the same") && !page.shows("textarea id"));
}

#[tokio::test]
async fn a_rep_connects_without_touching_the_org() {
    let context = TestContext::new().await;
    context.activate_for("acme").await;
    let body = json!({
        "tenant": "acme", "kind": "personal", "platform_user": "rep-1",
        "org_id": context.org_id(), "environment": "sandbox",
    });
    let consent = context.start_consent(&context.link(&body).await).await;
    let callback = context.allow(&consent).await;

    let page = context.follow_callback(&callback, &consent.cookie).await;

    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(page.shows("For <strong>rep-1</strong>, Ferry now works in Salesforce as"), "{}", page.html);
    assert!(context.onboarding.requests.lock().unwrap().is_empty());
    let requests = context.broker.requests.lock().unwrap().clone();
    let [Request::ExchangeCode(exchange)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(exchange.expected_org_id, Some(context.org_id()));
    assert!(exchange.kind.connection_id().as_str().starts_with("personal-"));
}

#[tokio::test]
async fn two_consents_can_be_under_way_in_one_browser() {
    let context = TestContext::new().await;
    let first = context.start_consent(&context.team_link().await).await;
    let link = context.team_link().await;
    let request = http::Request::post(&link).header("origin", PUBLIC_URL).header("cookie", &first.cookie);
    let page = context.send(request.body(axum::body::Body::empty()).unwrap()).await;

    assert!(page.header("set-cookie").starts_with(&first.cookie));
    let callback = context.allow(&first).await;
    assert_eq!(context.follow_callback(&callback, &first.cookie).await.status, StatusCode::OK);
}
