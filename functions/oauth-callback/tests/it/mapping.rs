//! The platform's mapping of its users to Salesforce users.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{ALL_SCOPES, TestContext, token, user_token};

const REP: &str = "rep@platform.example";

impl TestContext {
    fn user_path(&self) -> String {
        format!("/v1/orgs/{}/users/rep%40platform.example", self.org_id())
    }

    async fn map(&self, body: &Value) -> (StatusCode, Value) {
        self.request_as(token("acme", ALL_SCOPES), "PUT", &self.user_path(), body).await
    }

    async fn mapped(&self) -> Option<String> {
        let mapping = self.deps.user_mappings.load(self.org_id(), &REP.parse().unwrap()).await.unwrap()?;
        assert_eq!(mapping.tenant.as_str(), "acme");
        Some(mapping.user_id.to_string())
    }
}

#[tokio::test]
async fn a_mapping_is_stored_replaced_and_deleted() {
    let context = TestContext::new().await;
    context.activate_for("acme").await;

    for user in ["005D0000001aaaaIAA", "005D0000001bbbbIAA"] {
        let (status, mapping) = context.map(&json!({ "user_id": user })).await;
        assert_eq!(status, StatusCode::OK, "{mapping}");
        let expected = json!({"platform_user": REP, "user_id": user, "mapped_at": "2026-11-22T10:15:30.000Z"});
        assert_eq!(mapping, expected);
        assert_eq!(context.mapped().await.as_deref(), Some(user));
    }
    assert_eq!(context.deps.user_mappings.list(context.org_id()).await.unwrap().len(), 1);

    let path = context.user_path();
    let delete = || context.request_as(token("acme", ALL_SCOPES), "DELETE", &path, &Value::Null);
    assert_eq!(delete().await, (StatusCode::OK, json!({"platform_user": REP, "deleted": true})));
    assert_eq!(context.mapped().await, None);
    assert_eq!(delete().await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_the_platform_of_the_orgs_tenant_maps_users() {
    let context = TestContext::new().await;
    context.activate_for("acme").await;
    let body = json!({"user_id": "005D0000001aaaaIAA"});
    for (caller, expected) in [
        (user_token(REP), StatusCode::FORBIDDEN),
        (token("acme", "ferry/read ferry/write"), StatusCode::FORBIDDEN),
        (token("globex", ALL_SCOPES), StatusCode::NOT_FOUND),
    ] {
        for method in ["PUT", "DELETE"] {
            let (status, problem) = context.request_as(caller.clone(), method, &context.user_path(), &body).await;
            assert_eq!(status, expected, "{problem}");
        }
    }
    assert_eq!(context.mapped().await, None);
}

#[tokio::test]
async fn only_the_id_of_a_user_is_stored() {
    let context = TestContext::new().await;
    context.activate_for("acme").await;
    for body in [json!({"user_id": "001D0000001aaaaIAA"}), json!({"user_id": "rep"}), json!({})] {
        let (status, problem) = context.map(&body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    }
    assert_eq!(context.mapped().await, None);
}
