use axum::body::Body;
use http::StatusCode;
use jiff::SignedDuration;
use runtime::token_broker::{RefusalCode, Request};

use crate::fakes::Onboards;
use crate::harness::TestContext;

#[tokio::test]
async fn an_answer_of_salesforce_is_good_once() {
    let context = TestContext::new().await;
    let begun = context.begin(&context.team_link().await).await;
    let back = context.consent(&begun).await;
    assert_eq!(context.come_back(&back, &begun.cookie).await.status, StatusCode::OK);

    let again = context.come_back(&back, &begun.cookie).await;

    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.shows("consent_used_or_expired"));
    assert_eq!(context.broker.heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_in_another_browser_connects_nothing() {
    let context = TestContext::new().await;
    for cookie in ["", "__Host-ferry-consent=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let begun = context.begin(&context.team_link().await).await;
        let back = context.consent(&begun).await;

        let page = context.come_back(&back, cookie).await;

        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.shows("other_browser"));
        assert_eq!(context.come_back(&back, &begun.cookie).await.status, StatusCode::CONFLICT);
    }
    assert!(context.broker.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_connects_nothing() {
    let context = TestContext::new().await;
    let begun = context.begin(&context.team_link().await).await;
    let back = context.consent(&begun).await;
    context.deps.clock.advance(SignedDuration::from_mins(16));

    assert_eq!(context.come_back(&back, &begun.cookie).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_nobody_began_is_refused() {
    let context = TestContext::new().await;
    let forged = format!("/oauth/callback?code=abc&state={}", "A".repeat(43));

    assert_eq!(context.get(&forged).await.status, StatusCode::CONFLICT);
    assert_eq!(context.get("/oauth/callback").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(context.get("/oauth/callback?code=abc&state=%3Cscript%3E").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn each_error_of_salesforce_has_its_page() {
    let context = TestContext::new().await;
    let cases = [
        ("access_denied&error_description=end-user+denied+authorization", StatusCode::FORBIDDEN, "denied"),
        ("OAUTH_EC_APP_NOT_FOUND", StatusCode::CONFLICT, "app_not_installed"),
        ("OAUTH_APP_BLOCKED", StatusCode::FORBIDDEN, "app_blocked"),
        ("OAUTH_APP_ACCESS_DENIED", StatusCode::FORBIDDEN, "user_not_approved"),
        ("OAUTH_APPROVAL_ERROR_GENERIC", StatusCode::FORBIDDEN, "approval_failed"),
        ("invalid_scope", StatusCode::BAD_GATEWAY, "app_misconfigured"),
        ("%3Cscript%3E", StatusCode::BAD_GATEWAY, "unknown_salesforce_error"),
    ];
    for (error, status, code) in cases {
        let begun = context.begin(&context.team_link().await).await;

        let path = format!("/oauth/callback?error={error}&state={}", begun.state());
        let page = context.come_back(&path, &begun.cookie).await;

        assert_eq!(page.status, status, "{error}");
        assert!(page.shows(&format!("<code>{code}</code>")), "{error}");
        assert_eq!(page.shows("installPackage.apexp"), code == "app_not_installed");
        assert!(!page.shows("script"));
    }
}

#[tokio::test]
async fn an_api_gateway_event_brings_query_and_cookies() {
    let context = TestContext::new().await;
    let begun = context.begin(&context.team_link().await).await;
    let (_, cookie) = begun.cookie.split_once('=').unwrap();
    let event = include_str!("../fixtures/apigw-v2-callback.json");
    let event = event.replace("STATE", &begun.state()).replace("COOKIE", cookie);
    let request = lambda_http::request::from_str(&event).unwrap().map(|_| Body::empty());

    let page = context.send(request).await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.shows("<code>denied</code>"));
}

#[tokio::test]
async fn each_refusal_of_the_broker_has_its_page() {
    let context = TestContext::new().await;
    let cases = [
        (RefusalCode::WrongOrg, StatusCode::CONFLICT, "wrong_org"),
        (RefusalCode::OrgOwnedByAnotherTenant, StatusCode::CONFLICT, "org_owned_by_another_tenant"),
        (RefusalCode::GrantRefused, StatusCode::CONFLICT, "code_refused"),
        (RefusalCode::AppRefused, StatusCode::BAD_GATEWAY, "app_misconfigured"),
        (RefusalCode::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    ];
    for (refusal, status, code) in cases {
        *context.broker.refuses.lock().unwrap() = Some(refusal);

        let page = context.connect_team().await;

        assert_eq!(page.status, status, "{refusal:?}");
        assert!(page.shows(&format!("<code>{code}</code>")), "{refusal:?}");
    }
    assert!(context.onboarding.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_org_that_may_not_become_active_gets_its_grant_back() {
    let context = TestContext::new().await;
    for (onboards, status) in
        [(Onboards::Fails("NeedsHuman"), StatusCode::CONFLICT), (Onboards::Quarantined, StatusCode::FORBIDDEN)]
    {
        *context.onboarding.onboards.lock().unwrap() = onboards;
        context.broker.heard.lock().unwrap().clear();

        let page = context.connect_team().await;

        assert_eq!(page.status, status);
        let heard = context.broker.heard.lock().unwrap().clone();
        assert!(matches!(heard.as_slice(), [Request::ExchangeCode(_), Request::Revoke(_)]), "{heard:?}");
    }
}

#[tokio::test]
async fn an_org_that_could_not_be_activated_just_now_keeps_its_grant() {
    let context = TestContext::new().await;
    *context.onboarding.onboards.lock().unwrap() = Onboards::Fails("Transient");

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.shows("<code>not_activated</code>"));
    assert_eq!(context.broker.heard.lock().unwrap().len(), 1);
}
