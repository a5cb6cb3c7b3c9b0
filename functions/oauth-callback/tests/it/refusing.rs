use axum::body::Body;
use http::StatusCode;
use jiff::SignedDuration;
use runtime::token_broker::{RefusalCode, Request};
use salesforce::Condition;

use crate::fakes::ActivationOutcome;
use crate::harness::TestContext;

#[tokio::test]
async fn an_authorization_response_is_valid_once() {
    let context = TestContext::new().await;
    let consent = context.start_consent(&context.team_link().await).await;
    let callback = context.allow(&consent).await;
    assert_eq!(context.follow_callback(&callback, &consent.cookie).await.status, StatusCode::OK);

    let again = context.follow_callback(&callback, &consent.cookie).await;

    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.shows("consent_used_or_expired"));
    assert_eq!(context.broker.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_response_in_another_browser_connects_nothing() {
    let context = TestContext::new().await;
    for cookie in ["", "__Host-ferry-consent=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let consent = context.start_consent(&context.team_link().await).await;
        let callback = context.allow(&consent).await;

        let page = context.follow_callback(&callback, cookie).await;

        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.shows("other_browser"));
        assert_eq!(context.follow_callback(&callback, &consent.cookie).await.status, StatusCode::CONFLICT);
    }
    assert!(context.broker.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_expired_response_connects_nothing() {
    let context = TestContext::new().await;
    let consent = context.start_consent(&context.team_link().await).await;
    let callback = context.allow(&consent).await;
    context.deps.clock.advance(SignedDuration::from_mins(16));

    assert_eq!(context.follow_callback(&callback, &consent.cookie).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_response_without_a_started_consent_is_refused() {
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
        let consent = context.start_consent(&context.team_link().await).await;

        let path = format!("/oauth/callback?error={error}&state={}", consent.state());
        let page = context.follow_callback(&path, &consent.cookie).await;

        assert_eq!(page.status, status, "{error}");
        assert!(page.shows(&format!("<code>{code}</code>")), "{error}");
        assert_eq!(page.shows("installPackage.apexp"), code == "app_not_installed");
        assert!(!page.shows("script"));
    }
}

#[tokio::test]
async fn query_and_cookies_of_a_gateway_event_are_read() {
    let context = TestContext::new().await;
    let consent = context.start_consent(&context.team_link().await).await;
    let (_, cookie) = consent.cookie.split_once('=').unwrap();
    let event = include_str!("../fixtures/apigw-v2-callback.json");
    let event = event.replace("STATE", &consent.state()).replace("COOKIE", cookie);
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
        (RefusalCode::AdministratorNeeded, StatusCode::FORBIDDEN, "administrator_needed"),
        (RefusalCode::GrantRefused, StatusCode::CONFLICT, "code_refused"),
        (RefusalCode::AppRefused, StatusCode::BAD_GATEWAY, "app_misconfigured"),
        (RefusalCode::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    ];
    for (refusal, status, code) in cases {
        *context.broker.refuse_with.lock().unwrap() = Some(refusal);

        let page = context.connect_team().await;

        assert_eq!(page.status, status, "{refusal:?}");
        assert!(page.shows(&format!("<code>{code}</code>")), "{refusal:?}");
    }
    assert!(context.onboarding.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn each_condition_of_a_consent_has_its_page() {
    let context = TestContext::new().await;
    let cases = [
        (Condition::AppBlocked, StatusCode::FORBIDDEN, "app_blocked"),
        (Condition::UserNotApproved, StatusCode::FORBIDDEN, "user_not_approved"),
        (Condition::AppNotInstalled, StatusCode::CONFLICT, "app_not_installed"),
        (Condition::LoginRestricted, StatusCode::FORBIDDEN, "login_restricted"),
        (Condition::OrgInactive, StatusCode::FORBIDDEN, "org_inactive"),
        (Condition::AppRefused, StatusCode::BAD_GATEWAY, "app_misconfigured"),
        (Condition::RequestRefused, StatusCode::CONFLICT, "code_refused"),
        (Condition::UnknownError, StatusCode::BAD_GATEWAY, "unknown_salesforce_error"),
        (Condition::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    ];
    for (condition, status, code) in cases {
        *context.broker.refuse_with.lock().unwrap() = Some(RefusalCode::Unavailable);
        *context.broker.condition.lock().unwrap() = Some(condition);

        let page = context.connect_team().await;

        assert_eq!(page.status, status, "{condition}");
        assert!(page.shows(&format!("<code>{code}</code>")), "{condition}");
    }
}

#[tokio::test]
async fn the_grant_of_an_org_that_may_not_be_active_is_revoked() {
    let context = TestContext::new().await;
    *context.onboarding.outcome.lock().unwrap() = ActivationOutcome::Fails("NeedsHuman");

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::CONFLICT);
    let requests = context.broker.requests.lock().unwrap().clone();
    assert!(matches!(requests.as_slice(), [Request::ExchangeCode(_), Request::Revoke(_)]), "{requests:?}");
}

#[tokio::test]
async fn a_temporary_activation_failure_keeps_the_grant() {
    let context = TestContext::new().await;
    *context.onboarding.outcome.lock().unwrap() = ActivationOutcome::Fails("Transient");

    let page = context.connect_team().await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.shows("<code>not_activated</code>"));
    assert_eq!(context.broker.requests.lock().unwrap().len(), 1);
}
