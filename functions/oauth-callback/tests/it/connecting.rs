use connecting::onboarding::Event;
use http::StatusCode;
use runtime::token_broker::Request;
use serde_json::json;

use crate::fakes::Onboards;
use crate::harness::TestContext;

#[tokio::test]
async fn a_team_connects_its_org_and_gets_the_webhook_address() {
    let context = TestContext::new().await;

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(page.shows("Connected") && page.shows(context.org_id().as_str()) && page.shows(&context.org.users()[0].id));
    assert!(page.shows(&format!("/webhooks/salesforce/{}/the-webhook-secret</textarea>", context.org_id())));
    let heard = context.onboarding.heard.lock().unwrap().clone();
    let [Event::TeamConnected(connected)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((connected.org_id, connected.tenant.as_str()), (context.org_id(), "acme"));
}

#[tokio::test]
async fn a_reconnected_team_keeps_its_webhook_address() {
    let context = TestContext::new().await;
    *context.onboarding.onboards.lock().unwrap() = Onboards::Again;

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.shows("stays the same") && !page.shows("textarea id"));
}

#[tokio::test]
async fn a_rep_connects_without_touching_the_org() {
    let context = TestContext::new().await;
    context.own("acme").await;
    let ask = json!({
        "tenant": "acme", "kind": "personal", "platform_user": "rep-1",
        "org_id": context.org_id(), "environment": "sandbox",
    });
    let begun = context.begin(&context.link(&ask).await).await;
    let back = context.consent(&begun).await;

    let page = context.come_back(&back, &begun.cookie).await;

    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(context.onboarding.heard.lock().unwrap().is_empty());
    let heard = context.broker.heard.lock().unwrap().clone();
    let [Request::ExchangeCode(exchange)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(exchange.expected_org_id, Some(context.org_id()));
    assert!(exchange.kind.connection_id().as_str().starts_with("personal-"));
}

#[tokio::test]
async fn two_consents_can_be_under_way_in_one_browser() {
    let context = TestContext::new().await;
    let first = context.begin(&context.team_link().await).await;
    let link = context.team_link().await;
    let request = http::Request::post(&link).header("cookie", &first.cookie);
    let page = context.send(request.body(axum::body::Body::empty()).unwrap()).await;

    assert!(page.header("set-cookie").starts_with(&first.cookie));
    let back = context.consent(&first).await;
    assert_eq!(context.come_back(&back, &first.cookie).await.status, StatusCode::OK);
}
