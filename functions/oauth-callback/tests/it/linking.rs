use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, SET_COOKIE};
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{ALL_SCOPES, PUBLIC_URL, TestContext, token};

#[tokio::test]
async fn a_link_is_valid_for_fifteen_minutes() {
    let context = TestContext::new().await;

    let (status, link) =
        context.request_link(&json!({"tenant": "acme", "kind": "team", "environment": "production"})).await;

    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(link["expires_at"], "2026-11-22T10:30:30.000Z");
    assert!(link["url"].as_str().unwrap().starts_with(&format!("{PUBLIC_URL}/connect/")));
}

#[tokio::test]
async fn viewing_the_connect_page_does_not_consume_the_link() {
    let context = TestContext::new().await;
    let link = context.team_link().await;

    for _ in 0..2 {
        let page = context.get(&link).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.shows("acme") && page.shows("Sandbox") && page.shows("Continue to Salesforce"));
        assert!(page.shows("installPackage.apexp"));
        assert_eq!(page.header(CACHE_CONTROL), "no-store");
        assert!(page.header(CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn the_button_redirects_to_salesforce_once() {
    let context = TestContext::new().await;
    let link = context.team_link().await;

    let page = context.press(&link).await;

    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let location = page.header(LOCATION);
    assert!(location.starts_with(&format!("{}/services/oauth2/authorize?", context.org.url())));
    assert!(location.contains("code_challenge_method=S256") && location.contains("prompt=login"));
    let cookie = page.header(SET_COOKIE);
    assert!(cookie.starts_with("__Host-ferry-consent=") && cookie.ends_with("Secure; HttpOnly; SameSite=Lax"));
    assert_eq!(context.press(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(context.get(&link).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_on_another_website_starts_no_consent() {
    let context = TestContext::new().await;
    let link = context.team_link().await;
    let from = |header, value| http::Request::post(&link).header(header, value);
    let foreign =
        [from("sec-fetch-site", "cross-site"), from("origin", "https://evil.example"), from("x-no", "origin")];
    for request in foreign {
        let page = context.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(context.press(&link).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_expired_link_is_not_found() {
    let context = TestContext::new().await;
    let link = context.team_link().await;
    context.deps.clock.advance(SignedDuration::from_mins(16));

    assert_eq!(context.get(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(context.press(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(context.get("/connect/made-up").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_personal_link_needs_an_active_org_of_the_tenant() {
    let context = TestContext::new().await;
    let body = json!({
        "tenant": "acme", "kind": "personal", "platform_user": "rep-1",
        "org_id": context.org_id(), "environment": "sandbox",
    });
    assert_eq!(context.request_link(&body).await.0, StatusCode::NOT_FOUND);

    context.activate_for("other").await;
    assert_eq!(context.request_link(&body).await.0, StatusCode::NOT_FOUND);

    let mut unnamed = body.clone();
    unnamed.as_object_mut().unwrap().remove("tenant");
    let others = token("other", ALL_SCOPES);
    assert_eq!(context.request_link_as(others, &unnamed).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_link_is_for_the_callers_tenant_only() {
    let context = TestContext::new().await;
    for (path, mut body) in
        [("/v1/connect-links", json!({"kind": "team", "environment": "sandbox"})), ("/v1/admin-links", json!({}))]
    {
        assert_eq!(context.post_as(token("acme", ALL_SCOPES), path, &body).await.0, StatusCode::CREATED);
        body["tenant"] = json!("acme");
        assert_eq!(context.post_as(token("acme", ALL_SCOPES), path, &body).await.0, StatusCode::CREATED);
        let (status, problem) = context.post_as(token("globex", ALL_SCOPES), path, &body).await;
        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
    }
}

#[tokio::test]
async fn an_invalid_link_request_is_a_problem() {
    let context = TestContext::new().await;

    let (status, problem) = context.request_link(&json!({"tenant": "acme", "kind": "everyone"})).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["type"], "urn:ferry:problem:invalid_request");

    let unknown = json!({"kind": "team", "environment": "sandbox", "redirect": "https://example.com"});
    let (_, problem) = context.request_link(&unknown).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("no member `redirect`; allowed: `tenant`, `kind`"), "{detail}");
}

#[tokio::test]
async fn sign_in_and_install_use_the_my_domain() {
    let context = TestContext::new().await;
    let body =
        json!({"tenant": "acme", "kind": "team", "my_domain_url": "https://acme--dev.sandbox.my.salesforce.com"});
    let link = context.link(&body).await;

    let page = context.get(&link).await;

    assert!(page.shows("Sandbox") && page.shows("acme--dev.sandbox.my.salesforce.com"), "{}", page.html);
    assert!(page.shows("https://acme--dev.sandbox.my.salesforce.com/packaging/installPackage.apexp?p0=04t"));
    let location = context.start_consent(&link).await.authorize_url;
    assert!(
        location.starts_with("https://acme--dev.sandbox.my.salesforce.com/services/oauth2/authorize?"),
        "{location}"
    );
}

#[tokio::test]
async fn a_my_domain_outside_salesforce_is_refused() {
    let context = TestContext::new().await;
    for url in ["https://acme.my.salesforce.com.evil.example", "https://login.salesforce.com", "not a url"] {
        let body = json!({"tenant": "acme", "kind": "team", "environment": "production", "my_domain_url": url});
        let (status, problem) = context.request_link(&body).await;
        assert_eq!(
            (status, problem["type"].as_str()),
            (StatusCode::BAD_REQUEST, Some("urn:ferry:problem:invalid_request"))
        );
    }
}
