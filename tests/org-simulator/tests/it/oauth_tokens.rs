//! Tokens: secrets, rotation, addresses, limits, revocation and introspection.

use std::time::Duration;

use jiff::SignedDuration;
use org_simulator::{AppPolicy, AppSettings};
use serde_json::{Value, json};

use crate::oauth::text;
use crate::support::{ADMIN, Answer, CASEY, Scene};

impl Scene {
    fn app(&self, settings: AppSettings) {
        self.org.set_app_settings(self.org.client_id(), settings).unwrap();
    }

    async fn refresh_from(&self, address: &str, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", self.org.client_id()),
            ("client_secret", self.org.client_secret()),
        ];
        self.plain(self.http.post(self.oauth("token")).header("X-Simulator-Client-Ip", address).form(&form)).await
    }

    async fn refresh_with(&self, secret: &str, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", self.org.client_id()),
            ("client_secret", secret),
        ];
        self.plain(self.http.post(self.oauth("token")).form(&form)).await
    }

    async fn introspected(&self, token: &str) -> Value {
        let form = [("token", token), ("client_id", self.org.client_id()), ("client_secret", self.org.client_secret())];
        self.plain(self.http.post(self.oauth("introspect")).form(&form)).await.body
    }
}

fn said(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, text(&answer.body["error"]), text(&answer.body["error_description"]))
}

const EXPIRED: (u16, &str, &str) = (400, "invalid_grant", "expired access/refresh token");

#[tokio::test]
async fn errors_match_the_recorded_ones() {
    let scene = Scene::new().await;
    let Some(file) = crate::support::recorded("oauth/token-errors.jsonl") else { return };
    let recorded: Vec<Value> =
        std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let given = [
        scene.refresh("dead").await,
        scene.token_request(&[("grant_type", "refresh_token"), ("client_id", "x")]).await,
        scene
            .plain(scene.http.post(scene.oauth("token")).form(&[("client_id", "x"), ("grant_type", "refresh_token")]))
            .await,
    ];
    for answer in [&given[0], &given[2]] {
        assert!(
            recorded.iter().any(|line| line["status"] == answer.status && line["body"] == answer.body),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn the_token_response_has_the_recorded_keys_and_types() {
    let scene = Scene::new().await;
    let Some(file) = crate::support::recorded("oauth/token-web-server-flow-all-keys.json") else { return };
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let given = scene.granted(CASEY).await;
    for (key, value) in recorded.as_object().unwrap() {
        assert_eq!(value.is_string(), given[key].is_string(), "{key}: {given}");
    }
    assert_eq!(given.as_object().unwrap().len(), recorded.as_object().unwrap().len());
}

#[tokio::test]
async fn both_secrets_are_valid_after_a_rotation() {
    let scene = Scene::new().await;
    let old = scene.org.client_secret();
    let token = text(&scene.granted(CASEY).await["refresh_token"]).to_owned();
    let new = scene.org.rotate_app_secret(scene.org.client_id()).unwrap();

    let first = scene.refresh_with(&new, &token).await;
    let second = scene.refresh_with(old, text(&first.body["refresh_token"])).await;
    assert_eq!((first.status, second.status), (200, 200));

    scene.org.delete_older_app_secret(scene.org.client_id()).unwrap();
    let token = text(&second.body["refresh_token"]);
    assert_eq!(said(&scene.refresh_with(old, token).await), (400, "invalid_client", "invalid client credentials"));
    assert_eq!(said(&scene.refresh_with(&new, token).await), EXPIRED);
}

#[tokio::test]
async fn refresh_tokens_work_from_listed_addresses_only() {
    let scene = Scene::new().await;
    let refresh_addresses = vec!["203.0.113.10-203.0.113.20".to_owned()];
    scene.app(AppSettings { refresh_addresses, ..AppSettings::default() });
    let token = text(&scene.granted(CASEY).await["refresh_token"]).to_owned();
    let refused = (400, "invalid_grant", "ip restricted");
    assert_eq!(said(&scene.refresh(&token).await), refused);
    assert_eq!(said(&scene.refresh_from("203.0.113.9", &token).await), refused);
    assert_eq!(scene.refresh_from("203.0.113.10", &token).await.status, 200);
}

#[tokio::test]
async fn rotation_can_be_set_for_each_app() {
    let scene = Scene::new().await;
    scene.app(AppSettings { rotates_refresh_tokens: Some(false), ..AppSettings::default() });
    let token = text(&scene.granted(CASEY).await["refresh_token"]).to_owned();
    let answer = scene.refresh(&token).await;
    assert!(answer.status == 200 && answer.body.get("refresh_token").is_none());
    assert_eq!(scene.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_expires_by_disuse_and_by_age() {
    let scene = Scene::new().await;
    scene.app(AppSettings { idle_days: Some(10), life_days: Some(15), ..AppSettings::default() });
    let first = scene.granted(CASEY).await;
    scene.org.advance_clock(SignedDuration::from_hours(9 * 24));
    let second = scene.refresh(text(&first["refresh_token"])).await;
    assert_eq!(second.status, 200);
    scene.org.advance_clock(SignedDuration::from_hours(9 * 24));
    assert_eq!(said(&scene.refresh(text(&second.body["refresh_token"])).await), EXPIRED);
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_send() {
    let scene = Scene::new().await;
    let token = text(&scene.granted(CASEY).await["refresh_token"]).to_owned();
    assert_eq!(said(&scene.refresh_with("", &token).await).1, "invalid_client");
    scene.app(AppSettings { requires_secret: false, ..AppSettings::default() });
    assert_eq!(scene.refresh_with("", &token).await.status, 200);
}

#[tokio::test]
async fn frozen_users_and_blocked_apps_lose_their_tokens() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    let token = text(&granted["refresh_token"]);
    scene.org.set_user_frozen(CASEY, true).unwrap();
    assert_eq!(said(&scene.refresh(token).await), (400, "invalid_grant", "inactive user"));
    assert_eq!(scene.status_with(text(&granted["access_token"])).await, 401);
    scene.org.set_user_frozen(CASEY, false).unwrap();
    let again = scene.refresh(token).await;
    assert_eq!(again.status, 200, "a refusal spends no token");

    let policy = AppPolicy { blocked: true, ..AppPolicy::default() };
    scene.org.set_app_policy(scene.org.client_id(), policy).unwrap();
    assert_eq!(said(&scene.refresh(text(&again.body["refresh_token"])).await), EXPIRED);
}

#[tokio::test]
async fn too_many_logins_in_an_hour_are_refused_until_the_next() {
    let scene = Scene::new().await;
    scene.org.set_logins_per_hour(2);
    let first = scene.granted(CASEY).await;
    let second = scene.refresh(text(&first["refresh_token"])).await;
    let token = text(&second.body["refresh_token"]);
    assert_eq!(said(&scene.refresh(token).await), (400, "rate_limit_exceeded", "login rate exceeded"));
    scene.org.advance_clock(SignedDuration::from_hours(1));
    assert_eq!(scene.refresh(token).await.status, 200);
}

#[tokio::test]
async fn sessions_end_after_uses_and_by_the_orgs_own_timeout() {
    let scene = Scene::new().await;
    scene.org.end_sessions_after(Some(2));
    let granted = scene.granted(CASEY).await;
    let token = text(&granted["access_token"]);
    assert_eq!((scene.status_with(token).await, scene.status_with(token).await), (200, 200));
    assert_eq!(scene.status_with(token).await, 401);

    scene.org.end_sessions_after(None);
    scene.org.set_session_life(Duration::from_mins(15));
    let granted = scene.refresh(text(&granted["refresh_token"])).await.body;
    scene.org.advance_clock(SignedDuration::from_mins(15));
    assert_eq!(scene.status_with(text(&granted["access_token"])).await, 401);
}

#[tokio::test]
async fn the_data_api_needs_a_scope_and_a_permission() {
    let scene = Scene::new().await;
    let request = scene
        .http
        .get(scene.oauth("authorize"))
        .query(&scene.authorize_query(&[("scope", "openid")]))
        .header("X-Simulator-User", CASEY);
    let (code, _) = crate::oauth::callback(&scene.plain(request).await);
    let granted = scene.exchange(&code).await.body;
    let limits =
        |token: &str| scene.http.get(format!("{}/services/data/v66.0/limits", scene.org.url())).bearer_auth(token);
    let answer = scene.plain(limits(text(&granted["access_token"]))).await;
    let expected =
        json!([{"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}]);
    assert_eq!((answer.status, answer.body), (401, expected));

    let token = scene.org.access_token(CASEY).unwrap();
    scene.org.set_user_api_enabled(CASEY, false).unwrap();
    let answer = scene.plain(limits(&token)).await;
    assert_eq!((answer.status, answer.code()), (403, "API_DISABLED_FOR_ORG"));
}

#[tokio::test]
async fn after_a_move_a_refresh_returns_the_new_instance() {
    let scene = Scene::new().await;
    let before = scene.granted(CASEY).await;
    let instance = scene.org.move_instance().await.unwrap();
    assert_ne!(instance, scene.org.url());

    let after = scene.refresh(text(&before["refresh_token"])).await.body;

    assert_eq!((&after["instance_url"], &after["id"]), (&json!(instance), &before["id"]));
    let limits = |host: &str| {
        scene.http.get(format!("{host}/services/data/v66.0/limits?x=1")).bearer_auth(text(&after["access_token"]))
    };
    assert_eq!(scene.plain(limits(&instance)).await.status, 200);
    let old = scene.plain(limits(scene.org.url())).await;
    assert_eq!((old.status, old.header("location")), (302, &*format!("{instance}/services/data/v66.0/limits?x=1")));
}

#[tokio::test]
async fn revoking_a_token_ends_it() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    let (access, refresh) = (text(&granted["access_token"]), text(&granted["refresh_token"]));
    let revoke = |token: &str| scene.http.get(scene.oauth("revoke")).query(&[("token", token)]);
    assert_eq!(scene.plain(revoke(access)).await.status, 200);
    assert_eq!(scene.status_with(access).await, 401);
    let next = scene.refresh(refresh).await.body;

    assert_eq!(scene.plain(revoke(text(&next["refresh_token"]))).await.status, 200);
    assert_eq!(scene.status_with(text(&next["access_token"])).await, 401);
    assert_eq!(said(&scene.plain(revoke("nonsense")).await).1, "unsupported_token_type");
}

#[tokio::test]
async fn introspection_covers_both_tokens_of_the_app() {
    let scene = Scene::new().await;
    let granted = scene.granted(ADMIN).await;
    let (access, refresh) = (text(&granted["access_token"]), text(&granted["refresh_token"]));
    let alive = scene.introspected(access).await;
    assert_eq!((&alive["token_type"], &alive["client_id"]), (&json!("access_token"), &json!(scene.org.client_id())));
    assert_eq!(alive["exp"].as_i64().unwrap() - alive["iat"].as_i64().unwrap(), 7_200);
    let alive = scene.introspected(refresh).await;
    assert_eq!((&alive["active"], &alive["token_type"]), (&json!(true), &json!("refresh_token")));

    scene.org.add_app("Other", "other", "secret", "");
    let form = [("token", access), ("client_id", "other"), ("client_secret", "secret")];
    let other = || scene.http.post(scene.oauth("introspect")).form(&form);
    assert_eq!(scene.plain(other()).await.body, json!({"active": false}));
    let settings = AppSettings { introspects_all_tokens: true, ..AppSettings::default() };
    scene.org.set_app_settings("other", settings).unwrap();
    assert_eq!(scene.plain(other()).await.body["client_id"], scene.org.client_id());
}

#[tokio::test]
async fn identity_fills_in_the_version_and_checks_the_org() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    let (id, token) = (text(&granted["id"]), text(&granted["access_token"]));
    let latest = scene.plain(scene.http.get(format!("{id}?version=latest")).bearer_auth(token)).await.body;
    assert_eq!(latest["urls"]["rest"], format!("{}/services/data/v66.0/", scene.org.url()));
    let without = scene.plain(scene.http.get(id)).await;
    assert_eq!((without.status, without.bytes), (403, b"Missing_OAuth_Token".to_vec()));
    let elsewhere = id.replace(&scene.org.org_id(), "00D000000000062EAA");
    let wrong = scene.plain(scene.http.get(elsewhere).bearer_auth(token)).await;
    assert_eq!((wrong.status, wrong.bytes), (403, b"Wrong_Org".to_vec()));
}
