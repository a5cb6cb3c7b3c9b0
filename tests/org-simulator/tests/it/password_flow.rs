//! The username-password flow of older orgs.

use serde_json::json;

use crate::support::{Answer, CASEY, Scene};

impl Scene {
    async fn password_login(&self, username: &str, password: &str) -> Answer {
        self.token_request(&[("grant_type", "password"), ("username", username), ("password", password)]).await
    }

    async fn give_password(&self, username: &str) {
        let password = json!({"password": "correct horse", "token": "Tok3n"});
        let answer = self.admin(reqwest::Method::POST, &format!("users/{username}/password"), Some(password)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test]
async fn the_password_flow_must_be_enabled() {
    let scene = Scene::new().await;
    scene.give_password(CASEY).await;
    let refused = scene.password_login(CASEY, "correct horseTok3n").await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("unsupported_grant_type")));
    scene.org.allow_password_flow(true);
    let allowed = scene.password_login(CASEY, "correct horseTok3n").await;
    assert_eq!(allowed.status, 200, "{}", allowed.body);
    assert!(allowed.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn the_password_flow_checks_user_and_policy() {
    let scene = Scene::new().await;
    scene.org.allow_password_flow(true);
    let description = |answer: Answer| answer.body["error_description"].as_str().unwrap().to_owned();
    let unknown = scene.password_login("nobody@larkspur.example", "x").await;
    assert_eq!(description(unknown), "authentication failure");
    let without = scene.password_login(CASEY, "").await;
    assert_eq!(description(without), "authentication failure - Invalid Password");
    scene.give_password(CASEY).await;
    scene.org.set_user_frozen(CASEY, true).unwrap();
    assert_eq!(description(scene.password_login(CASEY, "correct horseTok3n").await), "inactive user");
    scene.org.set_user_frozen(CASEY, false).unwrap();
    let form = [
        ("grant_type", "password"),
        ("client_id", scene.org.client_id()),
        ("client_secret", "wrong"),
        ("username", CASEY),
        ("password", "correct horseTok3n"),
    ];
    let answer = scene.plain(scene.http.post(scene.oauth("token")).form(&form)).await;
    assert_eq!(answer.body["error"], "invalid_client");
}
