//! The username-password flow of older orgs.

use serde_json::json;

use crate::support::{ApiResponse, CASEY, TestContext};

impl TestContext {
    async fn password_login(&self, username: &str, password: &str) -> ApiResponse {
        self.token_request(&[("grant_type", "password"), ("username", username), ("password", password)]).await
    }

    async fn give_password(&self, username: &str) {
        let password = json!({"password": "correct horse", "token": "Tok3n"});
        let response = self.admin(reqwest::Method::POST, &format!("users/{username}/password"), Some(password)).await;
        assert_eq!(response.status, 200, "{}", response.body);
    }
}

#[tokio::test]
async fn the_password_flow_must_be_enabled() {
    let context = TestContext::new().await;
    context.give_password(CASEY).await;
    let refused = context.password_login(CASEY, "correct horseTok3n").await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("unsupported_grant_type")));
    context.org.allow_password_flow(true);
    let allowed = context.password_login(CASEY, "correct horseTok3n").await;
    assert_eq!(allowed.status, 200, "{}", allowed.body);
    assert!(allowed.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn the_password_flow_checks_user_and_policy() {
    let context = TestContext::new().await;
    context.org.allow_password_flow(true);
    let description = |response: ApiResponse| response.body["error_description"].as_str().unwrap().to_owned();
    let unknown = context.password_login("nobody@larkspur.example", "x").await;
    assert_eq!(description(unknown), "authentication failure");
    let without = context.password_login(CASEY, "").await;
    assert_eq!(description(without), "authentication failure - Invalid Password");
    context.give_password(CASEY).await;
    context.org.set_user_frozen(CASEY, true).unwrap();
    assert_eq!(description(context.password_login(CASEY, "correct horseTok3n").await), "inactive user");
    context.org.set_user_frozen(CASEY, false).unwrap();
    let form = [
        ("grant_type", "password"),
        ("client_id", context.org.client_id()),
        ("client_secret", "wrong"),
        ("username", CASEY),
        ("password", "correct horseTok3n"),
    ];
    let response = context.plain(context.http.post(context.oauth("token")).form(&form)).await;
    assert_eq!(response.body["error"], "invalid_client");
}
