//! Tokens, identity and refusals of the OAuth endpoints, beside the recordings of `oauth`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_rows, assert_shape, read,
};
use crate::support::{ADMIN, Answer, REDIRECT, Scene, recorded};

pub(super) const RECORDINGS: &[(&str, Comparison)] = &[
    ("oauth/callback-queries.txt", ByTest("oauth_errors_are_worded_as_recorded")),
    ("oauth/error-authentication-failure.json", ByTest("a_password_logs_in_as_recorded")),
    ("oauth/error-refresh-token-expired.json", ByTest("oauth_errors_are_worded_as_recorded")),
    ("oauth/expired-then-refreshed-sequence.json", ByTest("an_expired_session_is_refreshed_as_recorded")),
    ("oauth/identity.json", ByTest("identity_userinfo_and_discovery_have_the_recorded_keys")),
    ("oauth/openid-configuration.json", ByTest("identity_userinfo_and_discovery_have_the_recorded_keys")),
    ("oauth/token-errors.jsonl", ByTest("oauth_errors_are_worded_as_recorded")),
    ("oauth/token-password-flow-with-token-type.json", ByTest("a_password_logs_in_as_recorded")),
    ("oauth/token-password-flow.json", ByTest("a_password_logs_in_as_recorded")),
    ("oauth/token-web-server-flow-all-keys.json", ByTest("an_expired_session_is_refreshed_as_recorded")),
    ("oauth/userinfo-2026.json", ByTest("identity_userinfo_and_discovery_have_the_recorded_keys")),
];

async fn token(scene: &Scene, form: &[(&str, &str)]) -> Answer {
    let url = format!("{}/services/oauth2/token", scene.org.url());
    scene.plain(scene.http.post(url).form(form)).await
}

#[tokio::test]
async fn oauth_errors_are_worded_as_recorded() {
    let Some(file) = recorded("oauth/token-errors.jsonl") else { return };
    let scene = Scene::new().await;
    let lines = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (id, secret) = (scene.org.client_id(), scene.org.client_secret());
    let expired = token(
        &scene,
        &[("grant_type", "refresh_token"), ("refresh_token", "gone"), ("client_id", id), ("client_secret", secret)],
    )
    .await;
    assert_eq!(expired.body, read("oauth/error-refresh-token-expired.json").unwrap());
    assert!(lines.iter().any(|line| line["body"] == expired.body && line["status"] == json!(expired.status)));
    let unknown = token(
        &scene,
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "nobody"), ("client_secret", "y")],
    )
    .await;
    let recorded_unknown = lines.iter().find(|line| line["body"]["error"] == "invalid_client_id").unwrap();
    assert_eq!((&recorded_unknown["body"], &recorded_unknown["status"]), (&unknown.body, &json!(unknown.status)));
    let queries = std::fs::read_to_string(recorded("oauth/callback-queries.txt").unwrap()).unwrap();
    let denied = queries.lines().find(|line| line.contains("&state=")).unwrap();
    let form = [
        ("decision", "deny"),
        ("client_id", id),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("state", "972475373f51"),
        ("username", ADMIN),
    ];
    let back = scene.plain(scene.http.post(format!("{}/services/oauth2/authorize", scene.org.url())).form(&form)).await;
    assert_eq!(back.header("location"), format!("{}?{denied}", REDIRECT));
}

#[tokio::test]
async fn an_expired_session_is_refreshed_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let steps: Value = serde_json::from_str(
        &std::fs::read_to_string(recorded("oauth/expired-then-refreshed-sequence.json").unwrap()).unwrap(),
    )
    .unwrap();
    let authorize = format!(
        "{}/services/oauth2/authorize?response_type=code&client_id={}&redirect_uri={}&scope=api+refresh_token+openid",
        scene.org.url(),
        scene.org.client_id(),
        REDIRECT
    );
    let back = scene.plain(scene.http.get(authorize).header("x-simulator-user", ADMIN)).await;
    let code = back.header("location").split("code=").nth(1).unwrap().split('&').next().unwrap().replace("%3D", "=");
    let app = [("client_id", scene.org.client_id()), ("client_secret", scene.org.client_secret())];
    let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
    form.extend(app);
    let granted = token(&scene, &form).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_shape(&granted.body, &read("oauth/token-web-server-flow-all-keys.json").unwrap(), "token", &[]);
    scene.org.expire_sessions(ADMIN).unwrap();
    let refused = scene.get("sobjects/User/describe").await;
    assert_eq!(
        (json!(refused.status), &refused.body),
        (steps[0]["response"]["status"].clone(), &steps[0]["response"]["body"])
    );
    assert_eq!(refused.header("www-authenticate"), "Token");
    let mut form =
        vec![("grant_type", "refresh_token"), ("refresh_token", granted.body["refresh_token"].as_str().unwrap())];
    form.extend(app);
    let refreshed = token(&scene, &form).await;
    assert_eq!(json!(refreshed.status), steps[1]["response"]["status"]);
    assert_shape(&refreshed.body, &steps[1]["response"]["body"], "refresh", &[]);
}

#[tokio::test]
async fn a_password_logs_in_as_recorded() {
    let Some(theirs) = read("oauth/token-password-flow-with-token-type.json") else { return };
    let scene = Scene::new().await;
    let password = json!({"password": "correct horse", "token": "Tok3n"});
    scene.admin(reqwest::Method::POST, &format!("users/{}/password", ADMIN), Some(password)).await;
    scene.admin(reqwest::Method::POST, "settings", Some(json!({"password_flow": true}))).await;
    let log_in = async |password: &str| {
        scene.token_request(&[("grant_type", "password"), ("username", ADMIN), ("password", password)]).await
    };
    let ours = log_in("correct horseTok3n").await;
    assert_eq!(ours.status, 200, "{}", ours.body);
    assert_shape(&ours.body, &theirs, "token", &[]);
    assert_shape(&ours.body, &read("oauth/token-password-flow.json").unwrap(), "token", &[]);
    assert_rows(&json!([ours.body]), &json!([theirs]), "token");
    assert_eq!(scene.status_with(ours.body["access_token"].as_str().unwrap()).await, 200);
    let wrong = log_in("correct horse").await;
    assert_eq!((wrong.status, wrong.body), (400, read("oauth/error-authentication-failure.json").unwrap()));
}

#[tokio::test]
async fn identity_userinfo_and_discovery_have_the_recorded_keys() {
    let Some(recording) = read("oauth/userinfo-2026.json") else { return };
    let scene = Scene::new().await;
    let url = scene.org.url();
    let userinfo =
        scene.plain(scene.http.get(format!("{url}/services/oauth2/userinfo")).bearer_auth(scene.token())).await.body;
    assert_shape(&userinfo, &recording, "userinfo", &["feeds", "groups", "users", "feed_items", "feed_elements"]);
    let admin = scene.org.users().remove(0);
    let identity = scene
        .plain(scene.http.get(format!("{url}/id/{}/{}", scene.org.org_id(), admin.id)).bearer_auth(scene.token()))
        .await
        .body;
    assert_shape(&identity, &read("oauth/identity.json").unwrap(), "identity", &["custom_attributes"]);
    let discovery = scene.plain(scene.http.get(format!("{url}/.well-known/openid-configuration"))).await.body;
    assert_shape(&discovery, &read("oauth/openid-configuration.json").unwrap(), "discovery", &[]);
}
