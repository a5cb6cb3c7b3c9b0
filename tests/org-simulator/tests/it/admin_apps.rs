//! Apps in the admin API: settings, policy and secrets; and the style sheet of the consent page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::oauth::{parameter, text};
use crate::support::{Answer, CASEY, Scene};

impl Scene {
    async fn of_app(&self, method: Method, what: &str, body: Option<Value>) -> Answer {
        self.admin(method, &format!("apps/{}/{what}", self.org.client_id()), body).await
    }

    /// Sends an authorization request of a user who allows the app.
    async fn allowed(&self, more: &[(&'static str, &'static str)]) -> Answer {
        let request = self.http.get(self.oauth("authorize")).query(&self.authorize_query(more));
        self.plain(request.header("X-Simulator-User", CASEY)).await
    }

    async fn status_of_refresh(&self, secret: &str, token: &str) -> u16 {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", self.org.client_id()),
            ("client_secret", secret),
        ];
        self.plain(self.http.post(self.oauth("token")).form(&form)).await.status
    }
}

#[tokio::test]
async fn settings_of_an_app_apply_at_once() {
    let scene = Scene::new().await;
    let settings = json!({"scopes": ["api", "refresh_token", "openid"], "requires_pkce": true});
    assert_eq!(scene.of_app(Method::PUT, "settings", Some(settings)).await.status, 200);

    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(parameter(&scene.allowed(&without).await, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&scene.allowed(&[("scope", "full")]).await, "error").as_deref(), Some("invalid_scope"));
    assert!(parameter(&scene.allowed(&[]).await, "code").is_some());

    // Settings that are left out get their initial values.
    assert_eq!(scene.of_app(Method::PUT, "settings", Some(json!({}))).await.status, 200);
    assert!(parameter(&scene.allowed(&without).await, "code").is_some());
}

#[tokio::test]
async fn a_policy_blocks_an_app_and_revokes_its_tokens() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    assert_eq!(scene.of_app(Method::PUT, "policy", Some(json!({"blocked": true}))).await.status, 200);

    assert_eq!(parameter(&scene.allowed(&[]).await, "error").as_deref(), Some("OAUTH_APP_BLOCKED"));
    assert_eq!(scene.status_with(text(&granted["access_token"])).await, 401);

    assert_eq!(scene.of_app(Method::PUT, "policy", Some(json!({}))).await.status, 200);
    assert!(parameter(&scene.allowed(&[]).await, "code").is_some());
}

#[tokio::test]
async fn the_old_secret_stays_valid_until_it_is_deleted() {
    let scene = Scene::new().await;
    scene.org.rotate_refresh_tokens(false);
    scene.org.set_token_processing_time(std::time::Duration::ZERO);
    let token = text(&scene.granted(CASEY).await["refresh_token"]).to_owned();
    let old = scene.org.client_secret();

    let answer = scene.of_app(Method::POST, "secret", None).await;

    let new = text(&answer.body["client_secret"]);
    assert_ne!(new, old);
    for secret in [old, new] {
        assert_eq!(scene.status_of_refresh(secret, &token).await, 200);
    }
    assert_eq!(scene.of_app(Method::DELETE, "secret", None).await.status, 200);
    assert_eq!(scene.status_of_refresh(new, &token).await, 400, "all tokens are revoked with it");
    assert_eq!(scene.exchange(&scene.consent(CASEY).await.0).await.body["error"], "invalid_client");
}

#[tokio::test]
async fn unknown_apps_and_settings_are_rejected() {
    let scene = Scene::new().await;
    for (method, what) in
        [(Method::PUT, "settings"), (Method::PUT, "policy"), (Method::POST, "secret"), (Method::DELETE, "secret")]
    {
        let body = (method == Method::PUT).then(|| json!({}));
        let answer = scene.admin(method.clone(), &format!("apps/nobody/{what}"), body).await;
        assert_eq!(answer.status, 404, "{method} {what}");
        assert!(text(&answer.body["error"]).contains("nobody"), "{method} {what}");
    }
    for what in ["settings", "policy"] {
        let answer = scene.of_app(Method::PUT, what, Some(json!({"colour": "red"}))).await;
        assert!((400..500).contains(&answer.status), "{what}");
        assert!(String::from_utf8_lossy(&answer.bytes).contains("colour"), "{what}");
    }
    let certificate = json!({"certificate": "-----BEGIN CERTIFICATE-----"});
    assert_eq!(scene.of_app(Method::PUT, "settings", Some(certificate)).await.status, 400);
}

#[tokio::test]
async fn every_host_serves_the_consent_style_sheet() {
    let scene = Scene::new().await;
    for host in [scene.org.url(), scene.org.login_url(), scene.org.sandbox_login_url()] {
        let style = scene.plain(scene.http.get(format!("{host}/_simulator/consent.css"))).await;
        assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"), "{host}");
        assert_eq!(style.header("cache-control"), "public, max-age=300", "{host}");
        assert!(String::from_utf8_lossy(&style.bytes).contains(".note{"), "{host}");
    }
}
