use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, SET_COOKIE};
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{PUBLIC_URL, TestContext};

#[tokio::test]
async fn a_link_is_given_for_fifteen_minutes() {
    let context = TestContext::new().await;

    let (status, link) =
        context.ask_for_link(&json!({"tenant": "acme", "kind": "team", "environment": "production"})).await;

    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(link["expires_at"], "2026-11-22T10:30:30.000Z");
    assert!(link["url"].as_str().unwrap().starts_with(&format!("{PUBLIC_URL}/connect/")));
}

#[tokio::test]
async fn the_page_says_what_will_be_connected_and_may_be_looked_at_twice() {
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
async fn the_button_leads_to_salesforce_once() {
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
async fn a_form_on_another_website_begins_nothing() {
    let context = TestContext::new().await;
    let link = context.team_link().await;
    let request = http::Request::post(&link).header("sec-fetch-site", "cross-site");

    let page = context.send(request.body(axum::body::Body::empty()).unwrap()).await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(context.press(&link).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_old_link_is_no_longer_good() {
    let context = TestContext::new().await;
    let link = context.team_link().await;
    context.deps.clock.advance(SignedDuration::from_mins(16));

    assert_eq!(context.get(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(context.press(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(context.get("/connect/made-up").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_personal_link_leads_only_into_an_active_org_of_the_tenant() {
    let context = TestContext::new().await;
    let ask = json!({
        "tenant": "acme", "kind": "personal", "platform_user": "rep-1",
        "org_id": context.org_id(), "environment": "sandbox",
    });
    assert_eq!(context.ask_for_link(&ask).await.0, StatusCode::NOT_FOUND);

    context.own("other").await;
    assert_eq!(context.ask_for_link(&ask).await.0, StatusCode::NOT_FOUND);

    let mut theirs = ask.clone();
    theirs["tenant"] = json!("other");
    assert_eq!(context.ask_for_link(&theirs).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_link_request_that_makes_no_sense_is_a_problem() {
    let context = TestContext::new().await;

    let (status, problem) = context.ask_for_link(&json!({"tenant": "acme", "kind": "everyone"})).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["type"], "urn:ferry:problem:invalid_request");
}

#[tokio::test]
async fn a_my_domain_is_where_the_person_signs_in_and_installs() {
    let context = TestContext::new().await;
    let ask = json!({"tenant": "acme", "kind": "team", "my_domain_url": "https://acme--dev.sandbox.my.salesforce.com"});
    let link = context.link(&ask).await;

    let page = context.get(&link).await;

    assert!(page.shows("Sandbox") && page.shows("acme--dev.sandbox.my.salesforce.com"), "{}", page.html);
    assert!(page.shows("https://acme--dev.sandbox.my.salesforce.com/packaging/installPackage.apexp?p0=04t"));
    let location = context.begin(&link).await.authorize_url;
    assert!(
        location.starts_with("https://acme--dev.sandbox.my.salesforce.com/services/oauth2/authorize?"),
        "{location}"
    );
}

#[tokio::test]
async fn a_my_domain_elsewhere_than_at_salesforce_is_refused() {
    let context = TestContext::new().await;
    for url in ["https://acme.my.salesforce.com.evil.example", "https://login.salesforce.com", "not a url"] {
        let ask = json!({"tenant": "acme", "kind": "team", "environment": "production", "my_domain_url": url});
        let (status, problem) = context.ask_for_link(&ask).await;
        assert_eq!(
            (status, problem["type"].as_str()),
            (StatusCode::BAD_REQUEST, Some("urn:ferry:problem:invalid_request"))
        );
    }
}
