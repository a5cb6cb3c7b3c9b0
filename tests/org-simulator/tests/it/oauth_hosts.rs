//! The two login hosts: each serves the orgs of its environment only.

use org_simulator::{Effect, Fault, OrgKind, OrgOptions, Simulator};
use serde_json::{Value, json};

use crate::oauth::{callback, text};
use crate::support::{ApiResponse, CASEY, TestContext};

impl TestContext {
    async fn consent_at(&self, host: &str, username: &str) -> ApiResponse {
        let url = format!("{host}/services/oauth2/authorize");
        self.plain(self.http.get(url).query(&self.authorize_query(&[])).header("X-Simulator-User", username)).await
    }

    async fn token_at(&self, host: &str, fields: &[(&str, &str)]) -> ApiResponse {
        let mut form = vec![("client_id", self.org.client_id()), ("client_secret", self.org.client_secret())];
        form.extend_from_slice(fields);
        self.plain(self.http.post(format!("{host}/services/oauth2/token")).form(&form)).await
    }

    async fn granted_at(&self, host: &str, username: &str) -> Value {
        let (code, _) = callback(&self.consent_at(host, username).await);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", crate::support::REDIRECT),
            ("code_verifier", "a-verifier-that-is-long-enough-to-be-one-43-chars"),
        ];
        self.token_at(host, &fields).await.body
    }

    async fn sandbox(&self) -> Simulator {
        let options = OrgOptions { kind: OrgKind::Sandbox, name: "uat".to_owned(), ..OrgOptions::default() };
        self.org.add_org(options).await.unwrap()
    }
}

#[tokio::test]
async fn a_login_host_finds_the_org_by_user_code_and_token() {
    let context = TestContext::new().await;
    let sandbox = context.sandbox().await;
    for (host, org, username) in [
        (context.org.login_url(), &context.org, CASEY.to_owned()),
        (context.org.sandbox_login_url(), &sandbox, format!("{CASEY}.uat")),
    ] {
        let granted = context.granted_at(host, &username).await;
        assert_eq!(granted["instance_url"], org.url());
        assert!(text(&granted["id"]).starts_with(&format!("{host}/id/{}/", org.org_id())), "{granted}");
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
        let next = context.token_at(host, &refresh).await;
        assert_eq!((next.status, &next.body["instance_url"]), (200, &json!(org.url())));
        let identity = context.http.get(text(&granted["id"])).bearer_auth(text(&next.body["access_token"]));
        assert_eq!(context.plain(identity).await.body["username"], username);
        let discovery = context.plain(context.http.get(format!("{host}/.well-known/openid-configuration"))).await.body;
        assert_eq!((&discovery["issuer"], &discovery["jwks_uri"]), (&json!(host), &json!(format!("{host}/id/keys"))));
    }
}

#[tokio::test]
async fn the_other_environment_knows_neither_user_nor_token() {
    let context = TestContext::new().await;
    let _sandbox = context.sandbox().await;
    let (login, test) = (context.org.login_url(), context.org.sandbox_login_url());
    assert_eq!(context.consent_at(test, CASEY).await.status, 400);
    let granted = context.granted_at(login, CASEY).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
    assert_eq!(
        context.token_at(test, &refresh).await.body,
        json!({"error": "invalid_grant", "error_description": "expired access/refresh token"})
    );
    assert_eq!(context.token_at(login, &refresh).await.status, 200, "the token was not used");
    let wrong = context.plain(context.http.get(format!("{test}/id/{}/x", context.org.org_id())).bearer_auth("x")).await;
    assert_eq!(wrong.status, 403);
    assert_eq!(context.plain(context.http.get(format!("{login}/services/data"))).await.status, 404);
}

#[tokio::test]
async fn a_grant_of_the_login_host_is_refreshed_at_the_orgs_own_host() {
    let context = TestContext::new().await;
    let granted = context.granted_at(context.org.login_url(), CASEY).await;
    let next = context.refresh(text(&granted["refresh_token"])).await;
    assert_eq!(next.status, 200);
    assert!(text(&next.body["id"]).starts_with(context.org.url()));
}

#[tokio::test]
async fn the_page_of_a_login_host_shows_the_users_of_all_its_orgs() {
    let context = TestContext::new().await;
    let options = OrgOptions { name: "Meadow".to_owned(), ..OrgOptions::default() };
    let _other = context.org.add_org(options).await.unwrap();
    let _sandbox = context.sandbox().await;
    let url = format!("{}/services/oauth2/authorize", context.org.login_url());
    let page = context.plain(context.http.get(url).query(&context.authorize_query(&[]))).await;
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains(&format!("\"{CASEY}\"")) && html.contains(&format!("\"{CASEY}.meadow\"")));
    assert!(!html.contains(&format!("{CASEY}.uat")));
}

#[tokio::test]
async fn token_endpoint_faults_apply_at_the_login_host() {
    let context = TestContext::new().await;
    let granted = context.granted_at(context.org.login_url(), CASEY).await;
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 1, effect: Effect::Unavailable });
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
    assert_eq!(context.token_at(context.org.login_url(), &refresh).await.status, 503);
    assert_eq!(context.token_at(context.org.login_url(), &refresh).await.status, 200);
}
