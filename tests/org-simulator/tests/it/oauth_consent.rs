//! The authorization endpoint: the consent page, and the errors that the client receives through the redirect.

use org_simulator::{AppPolicy, AppSettings};

use crate::oauth::parameter;
use crate::support::{ADMIN, Answer, CASEY, JORDAN, Scene};

impl Scene {
    /// Sends an authorization request; the user allows it, unless a header says otherwise.
    async fn authorize(&self, more: &[(&'static str, &'static str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.get(self.oauth("authorize")).query(&self.authorize_query(more));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.plain(request).await
    }

    async fn as_user(&self, username: &str, more: &[(&'static str, &'static str)]) -> Answer {
        self.authorize(more, &[("X-Simulator-User", username)]).await
    }

    fn policy(&self, policy: AppPolicy) {
        self.org.set_app_policy(self.org.client_id(), policy).unwrap();
    }

    fn settings(&self, settings: AppSettings) {
        self.org.set_app_settings(self.org.client_id(), settings).unwrap();
    }
}

/// Returns `error` and `error_description` of the redirect, and asserts that the state is unchanged.
fn refusal(answer: &Answer) -> (String, String) {
    assert_eq!(parameter(answer, "state").as_deref(), Some("st/ate+1"));
    (parameter(answer, "error").unwrap(), parameter(answer, "error_description").unwrap())
}

fn refused(answer: &Answer) -> String {
    refusal(answer).0
}

#[tokio::test]
async fn a_denial_redirects_as_recorded() {
    let scene = Scene::new().await;
    let denied = scene.authorize(&[], &[("X-Simulator-User", CASEY), ("X-Simulator-Decision", "deny")]).await;
    assert_eq!(refusal(&denied), ("access_denied".to_owned(), "end-user denied authorization".to_owned()));
    if let Some(file) = crate::support::recorded("oauth/callback-queries.txt") {
        let recorded = std::fs::read_to_string(file).unwrap();
        let query = denied.header("location").split_once('?').unwrap().1;
        let without_state = query.rsplit_once("&state=").unwrap().0;
        assert!(recorded.lines().any(|line| line == without_state), "{query}");
    }
}

#[tokio::test]
async fn the_page_names_app_org_scopes_and_user() {
    let scene = Scene::new().await;
    let page = scene.authorize(&[("login_hint", JORDAN)], &[]).await;
    let html = String::from_utf8(page.bytes).unwrap();
    for part in [
        "Ferry (simulator)",
        "Larkspur Instruments",
        &scene.org.org_id(),
        "Read and change your data",
        "Stay connected",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.contains(&format!("<option value=\"{JORDAN}\" selected>")) && html.matches(" selected>").count() == 1);
}

#[tokio::test]
async fn uninstalled_and_blocked_apps_are_refused() {
    let scene = Scene::new().await;
    scene.policy(AppPolicy { installed: false, ..AppPolicy::default() });
    let expected = ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org");
    assert_eq!(refusal(&scene.as_user(CASEY, &[]).await), (expected.0.to_owned(), expected.1.to_owned()));
    scene.policy(AppPolicy { blocked: true, ..AppPolicy::default() });
    assert_eq!(refused(&scene.as_user(CASEY, &[]).await), "OAUTH_APP_BLOCKED");
}

#[tokio::test]
async fn admin_approval_restricts_users_and_profiles() {
    let scene = Scene::new().await;
    let (approved_users, approved_profiles) = (vec![CASEY.to_owned()], vec!["System Administrator".to_owned()]);
    scene.policy(AppPolicy { admin_approved_only: true, approved_users, approved_profiles, ..AppPolicy::default() });
    for approved in [CASEY, ADMIN] {
        assert!(parameter(&scene.as_user(approved, &[]).await, "code").is_some(), "{approved}");
    }
    let expected = ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app");
    assert_eq!(refusal(&scene.as_user(JORDAN, &[]).await), (expected.0.to_owned(), expected.1.to_owned()));
}

#[tokio::test]
async fn with_prompt_none_no_page_is_shown() {
    let scene = Scene::new().await;
    let silent = [("prompt", "none")];
    assert_eq!(refused(&scene.authorize(&silent, &[]).await), "login_required");
    assert_eq!(refused(&scene.as_user(CASEY, &silent).await), "consent_required");
    assert_eq!(refused(&scene.as_user(CASEY, &[("immediate", "true")]).await), "immediate_unsuccessful");
    scene.granted(CASEY).await;
    assert!(parameter(&scene.as_user(CASEY, &silent).await, "code").is_some());
    assert_eq!(refused(&scene.as_user(JORDAN, &silent).await), "consent_required");
}

#[tokio::test]
async fn prompts_may_be_combined_and_unknown_ones_are_refused() {
    let scene = Scene::new().await;
    for prompt in ["login", "consent", "select_account", "login consent"] {
        assert_eq!(scene.authorize(&[("prompt", prompt)], &[]).await.status, 200, "{prompt}");
    }
    for more in [("prompt", "never"), ("prompt", "none login"), ("display", "cinema")] {
        assert_eq!(refused(&scene.authorize(&[more], &[]).await), "invalid_request", "{more:?}");
    }
}

#[tokio::test]
async fn a_challenge_must_be_s256_and_may_be_required() {
    let scene = Scene::new().await;
    assert_eq!(refused(&scene.authorize(&[("code_challenge_method", "plain")], &[]).await), "invalid_request");
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    assert!(parameter(&scene.as_user(CASEY, &none).await, "code").is_some());
    scene.settings(AppSettings { requires_pkce: true, ..AppSettings::default() });
    assert_eq!(refused(&scene.as_user(CASEY, &none).await), "invalid_request");
}

#[tokio::test]
async fn an_app_gets_only_its_own_scopes() {
    let scene = Scene::new().await;
    let scopes = vec!["api".to_owned(), "refresh_token".to_owned()];
    scene.settings(AppSettings { scopes, ..AppSettings::default() });
    assert_eq!(refused(&scene.as_user(CASEY, &[]).await), "invalid_scope");
    let code = parameter(&scene.as_user(CASEY, &[("scope", "")]).await, "code").unwrap();
    assert_eq!(scene.exchange(&code).await.body["scope"], "api refresh_token");
}
