use std::net::IpAddr;

use org_simulator::{AppSettings, LoginLimits};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, CASEY, REDIRECT, TestContext};

/// Sets the limits of the profile of the seed's sales reps.
fn limit(context: &TestContext, limits: Value) {
    context.org.set_login_limits("Standard User", serde_json::from_value::<LoginLimits>(limits).unwrap()).unwrap();
}

/// Returns a client whose connections come from an address of the loopback network.
fn client(address: &str) -> reqwest::Client {
    let address: IpAddr = address.parse().unwrap();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.local_address(address).build().unwrap()
}

/// Lets Casey approve the app, and returns the response of the token endpoint to the exchange of the code.
async fn granted(context: &TestContext, http: &reqwest::Client) -> ApiResponse {
    let url = format!("{}/services/oauth2/authorize", context.org.url());
    let query = [("response_type", "code"), ("client_id", context.org.client_id()), ("redirect_uri", REDIRECT)];
    let sent = http.get(url).query(&query).header("x-simulator-user", CASEY);
    let redirect = context.plain(sent).await;
    let location = redirect.header("location").to_owned();
    let code =
        url::Url::parse(&location).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    token(context, http, &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT)]).await
}

async fn token(context: &TestContext, http: &reqwest::Client, fields: &[(&str, &str)]) -> ApiResponse {
    let client = [("client_id", context.org.client_id()), ("client_secret", context.org.client_secret())];
    let form: Vec<(&str, &str)> = client.into_iter().chain(fields.iter().copied()).collect();
    let url = format!("{}/services/oauth2/token", context.org.url());
    context.plain(http.post(url).form(&form)).await
}

async fn refreshed(context: &TestContext, http: &reqwest::Client, refresh_token: &str) -> ApiResponse {
    token(context, http, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

async fn query(context: &TestContext, http: &reqwest::Client, token: &str) -> ApiResponse {
    let url = format!("{}/services/data/v66.0/query?q=SELECT+Id+FROM+Account", context.org.url());
    context.plain(http.get(url).bearer_auth(token)).await
}

fn restricted(response: &ApiResponse) {
    let expected = json!({"error": "invalid_grant", "error_description": "ip restricted or invalid login hours"});
    assert_eq!((response.status, &response.body), (400, &expected));
}

#[tokio::test]
async fn outside_the_login_hours_nobody_logs_in() {
    let context = TestContext::new().await;
    context.org.set_app_settings(context.org.client_id(), AppSettings::default()).unwrap();
    let http = client("127.0.0.1");
    let tokens = granted(&context, &http).await.body;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(query(&context, &http, access).await.status, 200);

    // It is Sunday, 2:00 in Los Angeles, the org's time zone.
    limit(&context, json!({"hours": {"sunday": ["03:00", "20:00"]}}));
    restricted(&refreshed(&context, &http, refresh).await);
    let ended = query(&context, &http, access).await;
    assert_eq!((ended.status, ended.code()), (401, "INVALID_SESSION_ID"));
    let admin = context.org.access_token(ADMIN).unwrap();
    assert_eq!(query(&context, &http, &admin).await.status, 200, "another profile");

    // The grant is alive when the hours begin, and so is the session.
    context.org.clock().advance(jiff::SignedDuration::from_mins(60));
    assert_eq!(query(&context, &http, access).await.status, 200);
    assert_eq!(refreshed(&context, &http, refresh).await.status, 200);
}

#[tokio::test]
async fn a_login_needs_an_address_of_the_profile() {
    let context = TestContext::new().await;
    let (near, far) = (client("127.0.0.1"), client("127.0.0.2"));
    limit(&context, json!({"addresses": ["127.0.0.2-127.0.0.9"]}));
    let tokens = granted(&context, &far).await.body;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    restricted(&refreshed(&context, &near, refresh).await);
    // The session may be used from everywhere, unless every request is checked.
    assert_eq!(query(&context, &near, access).await.status, 200);
    let on = context.admin(Method::POST, "settings", Some(json!({"check_every_address": true}))).await;
    assert_eq!(on.status, 200, "{}", on.body);
    assert_eq!(query(&context, &near, access).await.code(), "INVALID_SESSION_ID");
    assert_eq!(query(&context, &far, access).await.status, 200);
    assert_eq!(refreshed(&context, &far, refresh).await.status, 200);

    let wrong = json!({"login": {"addresses": ["nowhere"]}});
    assert_eq!(context.admin(Method::PATCH, "profiles/Standard%20User", Some(wrong)).await.status, 400);
}

#[tokio::test]
async fn a_locked_session_stays_at_its_address() {
    let context = TestContext::new().await;
    let (near, far) = (client("127.0.0.1"), client("127.0.0.2"));
    let access = granted(&context, &near).await.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(query(&context, &far, &access).await.status, 200);
    let on = json!({"lock_sessions_to_address": true});
    assert_eq!(context.admin(Method::POST, "settings", Some(on)).await.status, 200);
    let moved = query(&context, &far, &access).await;
    assert_eq!((moved.status, moved.code()), (401, "INVALID_SESSION_ID"));
    assert_eq!(query(&context, &near, &access).await.status, 200);
    let soap = format!(
        "<Envelope><Header><SessionHeader><sessionId>{access}</sessionId></SessionHeader></Header><Body><getUserInfo/></Body></Envelope>"
    );
    let url = format!("{}/services/Soap/u/64.0", context.org.url());
    for (http, status) in [(&far, 500), (&near, 200)] {
        let sent = http.post(&url).header("content-type", "text/xml").body(soap.clone());
        assert_eq!(context.plain(sent).await.status, status);
    }
}

#[tokio::test]
async fn a_soap_login_says_which_limit_it_breaks() {
    let context = TestContext::new().await;
    context.org.set_password(CASEY, "secret", "").unwrap();
    let login = async || {
        let body = format!(
            "<Envelope><Body><login><username>{CASEY}</username><password>secret</password></login></Body></Envelope>"
        );
        let url = format!("{}/services/Soap/u/64.0", context.org.url());
        let response = context.plain(context.http.post(url).header("content-type", "text/xml").body(body)).await;
        (response.status, String::from_utf8(response.bytes).unwrap())
    };
    assert_eq!(login().await.0, 200);
    for (limits, code) in [
        (json!({"hours": {"sunday": ["00:00", "00:00"]}}), "LOGIN_DURING_RESTRICTED_TIME"),
        (json!({"addresses": ["192.0.2.1"]}), "LOGIN_DURING_RESTRICTED_DOMAIN"),
    ] {
        let change = context.admin(Method::PATCH, "profiles/Standard%20User", Some(json!({"login": limits}))).await;
        assert_eq!(change.status, 200, "{}", change.body);
        let (status, body) = login().await;
        assert!(status == 500 && body.contains(code), "{body}");
    }
}
