//! A browser session at the authorization endpoint.

use jiff::SignedDuration;

use crate::oauth::{callback, parameter, text};
use crate::support::{Answer, CASEY, JORDAN, Scene};

impl Scene {
    /// Logs in on the consent page and returns the browser's cookie.
    async fn browser_of(&self, username: &str) -> String {
        let answer = self.decide(&[("username", username), ("decision", "allow")], "").await;
        callback(&answer);
        let cookie = answer.header("set-cookie");
        let (sid, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
        assert!(sid.starts_with("sid="), "{cookie}");
        format!("other=1; {sid}")
    }

    async fn decide(&self, decision: &[(&'static str, &str)], cookie: &str) -> Answer {
        let mut form = self.authorize_query(&[]);
        form.extend(decision.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.plain(self.http.post(self.oauth("authorize")).header("cookie", cookie).form(&form)).await
    }

    async fn visit(&self, more: &[(&'static str, &'static str)], cookie: &str) -> Answer {
        let request = self.http.get(self.oauth("authorize")).query(&self.authorize_query(more));
        self.plain(request.header("cookie", cookie)).await
    }

    async fn refused_visit(&self, more: &[(&'static str, &'static str)], cookie: &str) -> Option<String> {
        parameter(&self.visit(more, cookie).await, "error")
    }
}

const LOGIN: &str = "<select id=\"username\"";
const KNOWN: &str = "Logged in as <b>Casey";

/// Returns whether the page asks for a login, and not only for consent.
fn asks_for_login(page: &Answer) -> bool {
    assert_eq!(page.status, 200);
    let html = String::from_utf8_lossy(&page.bytes);
    assert!(html.contains(LOGIN) != html.contains(KNOWN), "{html}");
    html.contains(LOGIN)
}

#[tokio::test]
async fn a_logged_in_user_is_asked_for_consent_only() {
    let scene = Scene::new().await;
    assert!(asks_for_login(&scene.visit(&[], "").await));
    let browser = scene.browser_of(CASEY).await;

    assert!(!asks_for_login(&scene.visit(&[], &browser).await));

    let allowed = scene.decide(&[("decision", "allow")], &browser).await;
    assert_eq!(allowed.header("set-cookie"), "");
    let granted = scene.exchange(&callback(&allowed).0).await;
    let casey = scene.org.users().into_iter().find(|user| user.username == CASEY).unwrap();
    assert!(text(&granted.body["id"]).ends_with(&casey.id));
    let denied = scene.decide(&[("decision", "deny")], &browser).await;
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn an_approved_app_gets_no_page_unless_it_asks() {
    let scene = Scene::new().await;
    let browser = scene.browser_of(CASEY).await;
    scene.granted(CASEY).await;

    let (code, _) = callback(&scene.visit(&[], &browser).await);

    assert_eq!(scene.exchange(&code).await.status, 200);
    assert!(!asks_for_login(&scene.visit(&[("prompt", "consent")], &browser).await));
    for prompt in ["login", "login consent", "select_account"] {
        assert!(asks_for_login(&scene.visit(&[("prompt", prompt)], &browser).await), "{prompt}");
    }
    assert!(asks_for_login(&scene.visit(&[("login_hint", JORDAN)], &browser).await));
    callback(&scene.visit(&[("login_hint", CASEY)], &browser).await);
}

#[tokio::test]
async fn with_prompt_none_a_session_and_an_approval_are_needed() {
    let scene = Scene::new().await;
    let browser = scene.browser_of(CASEY).await;
    let silent = [("prompt", "none")];
    assert_eq!(scene.refused_visit(&silent, "sid=unknown").await.as_deref(), Some("login_required"));
    assert_eq!(scene.refused_visit(&silent, &browser).await.as_deref(), Some("consent_required"));
    scene.granted(CASEY).await;
    callback(&scene.visit(&silent, &browser).await);
    callback(&scene.visit(&[("immediate", "true")], &browser).await);
}

#[tokio::test]
async fn a_browser_is_logged_out_by_time_and_with_its_user() {
    let scene = Scene::new().await;
    let browser = scene.browser_of(CASEY).await;
    scene.org.advance_clock(SignedDuration::from_mins(119));
    assert!(!asks_for_login(&scene.visit(&[], &browser).await));
    scene.org.advance_clock(SignedDuration::from_mins(121));
    assert!(asks_for_login(&scene.visit(&[], &browser).await));
    assert!(asks_for_login(&scene.decide(&[("decision", "allow")], &browser).await));

    let browser = scene.browser_of(CASEY).await;
    scene.org.set_user_frozen(CASEY, true).unwrap();
    assert!(asks_for_login(&scene.visit(&[], &browser).await));
}

#[tokio::test]
async fn an_apps_token_is_not_a_browser_session() {
    let scene = Scene::new().await;
    let token = text(&scene.granted(CASEY).await["access_token"]).to_owned();
    assert!(asks_for_login(&scene.visit(&[], &format!("sid={token}")).await));
    assert!(asks_for_login(&scene.visit(&[], &format!("sid={}", scene.token())).await));
}
