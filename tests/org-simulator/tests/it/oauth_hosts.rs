//! The two login hosts: each serves the orgs of its environment only.

use org_simulator::{Effect, Fault, OrgKind, OrgOptions, Simulator};
use serde_json::{Value, json};

use crate::oauth::{callback, text};
use crate::support::{Answer, CASEY, Scene};

impl Scene {
    async fn consent_at(&self, host: &str, username: &str) -> Answer {
        let url = format!("{host}/services/oauth2/authorize");
        self.plain(self.http.get(url).query(&self.authorize_query(&[])).header("X-Simulator-User", username)).await
    }

    async fn token_at(&self, host: &str, fields: &[(&str, &str)]) -> Answer {
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
    let scene = Scene::new().await;
    let sandbox = scene.sandbox().await;
    for (host, org, username) in [
        (scene.org.login_url(), &scene.org, CASEY.to_owned()),
        (scene.org.sandbox_login_url(), &sandbox, format!("{CASEY}.uat")),
    ] {
        let granted = scene.granted_at(host, &username).await;
        assert_eq!(granted["instance_url"], org.url());
        assert!(text(&granted["id"]).starts_with(&format!("{host}/id/{}/", org.org_id())), "{granted}");
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
        let next = scene.token_at(host, &refresh).await;
        assert_eq!((next.status, &next.body["instance_url"]), (200, &json!(org.url())));
        let identity = scene.http.get(text(&granted["id"])).bearer_auth(text(&next.body["access_token"]));
        assert_eq!(scene.plain(identity).await.body["username"], username);
        let discovery = scene.plain(scene.http.get(format!("{host}/.well-known/openid-configuration"))).await.body;
        assert_eq!((&discovery["issuer"], &discovery["jwks_uri"]), (&json!(host), &json!(format!("{host}/id/keys"))));
    }
}

#[tokio::test]
async fn the_other_environment_knows_neither_user_nor_token() {
    let scene = Scene::new().await;
    let _sandbox = scene.sandbox().await;
    let (login, test) = (scene.org.login_url(), scene.org.sandbox_login_url());
    assert_eq!(scene.consent_at(test, CASEY).await.status, 400);
    let granted = scene.granted_at(login, CASEY).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
    assert_eq!(
        scene.token_at(test, &refresh).await.body,
        json!({"error": "invalid_grant", "error_description": "expired access/refresh token"})
    );
    assert_eq!(scene.token_at(login, &refresh).await.status, 200, "the token was not spent");
    let wrong = scene.plain(scene.http.get(format!("{test}/id/{}/x", scene.org.org_id())).bearer_auth("x")).await;
    assert_eq!(wrong.status, 403);
    assert_eq!(scene.plain(scene.http.get(format!("{login}/services/data"))).await.status, 404);
}

#[tokio::test]
async fn a_grant_of_the_login_host_is_refreshed_at_the_orgs_own_host() {
    let scene = Scene::new().await;
    let granted = scene.granted_at(scene.org.login_url(), CASEY).await;
    let next = scene.refresh(text(&granted["refresh_token"])).await;
    assert_eq!(next.status, 200);
    assert!(text(&next.body["id"]).starts_with(scene.org.url()));
}

#[tokio::test]
async fn the_page_of_a_login_host_shows_the_users_of_all_its_orgs() {
    let scene = Scene::new().await;
    let options = OrgOptions { name: "Meadow".to_owned(), ..OrgOptions::default() };
    let _other = scene.org.add_org(options).await.unwrap();
    let _sandbox = scene.sandbox().await;
    let url = format!("{}/services/oauth2/authorize", scene.org.login_url());
    let page = scene.plain(scene.http.get(url).query(&scene.authorize_query(&[]))).await;
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains(&format!("\"{CASEY}\"")) && html.contains(&format!("\"{CASEY}.meadow\"")));
    assert!(!html.contains(&format!("{CASEY}.uat")));
}

#[tokio::test]
async fn token_endpoint_faults_apply_at_the_login_host() {
    let scene = Scene::new().await;
    let granted = scene.granted_at(scene.org.login_url(), CASEY).await;
    let path_prefix = "/services/oauth2/token".to_owned();
    scene.org.fault(Fault { path_prefix, method: None, times: 1, effect: Effect::Unavailable });
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&granted["refresh_token"]))];
    assert_eq!(scene.token_at(scene.org.login_url(), &refresh).await.status, 503);
    assert_eq!(scene.token_at(scene.org.login_url(), &refresh).await.status, 200);
}
