use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{ADMIN, Answer, CASEY, REDIRECT, Scene};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-43-chars";
const SCOPE: &str = "openid api refresh_token";

impl Scene {
    pub(crate) fn authorize_query(&self, more: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut query = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.org.client_id().to_owned()),
            ("redirect_uri", REDIRECT.to_owned()),
            ("scope", SCOPE.to_owned()),
            ("state", "st/ate+1".to_owned()),
            ("nonce", "n-1".to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        for (name, value) in more {
            query.retain(|(known, _)| known != name);
            query.push((*name, (*value).to_owned()));
        }
        query
    }

    pub(crate) fn oauth(&self, path: &str) -> String {
        format!("{}/services/oauth2/{path}", self.org.url())
    }

    /// Consents as the user and returns the code and the state of the redirect.
    pub(crate) async fn consent(&self, username: &str) -> (String, String) {
        let request = self
            .http
            .get(self.oauth("authorize"))
            .query(&self.authorize_query(&[]))
            .header("X-Simulator-User", username);
        callback(&self.plain(request).await)
    }

    pub(crate) async fn token_request(&self, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("client_id", self.org.client_id()), ("client_secret", self.org.client_secret())];
        form.extend_from_slice(fields);
        self.plain(self.http.post(self.oauth("token")).form(&form)).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token_request(&grant).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn granted(&self, username: &str) -> Value {
        let (code, _) = self.consent(username).await;
        self.exchange(&code).await.body
    }

    pub(crate) async fn status_with(&self, token: &str) -> u16 {
        self.plain(self.http.get(format!("{}/services/data/v66.0/limits", self.org.url())).bearer_auth(token))
            .await
            .status
    }
}

pub(crate) fn parameter(answer: &Answer, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(answer.header("location")).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) fn callback(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 302, "{}", String::from_utf8_lossy(&answer.bytes));
    (parameter(answer, "code").unwrap(), parameter(answer, "state").unwrap())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_code_is_exchanged_for_signed_tokens() {
    let scene = Scene::new().await;
    let (code, state) = scene.consent(CASEY).await;
    assert_eq!(state, "st/ate+1");

    let answer = scene.exchange(&code).await;

    let body = &answer.body;
    assert_eq!(
        (answer.status, text(&body["instance_url"]), text(&body["token_type"])),
        (200, scene.org.url(), "Bearer")
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(scene.org.client_secret().as_bytes()).unwrap();
    mac.update(format!("{}{}", text(&body["id"]), text(&body["issued_at"])).as_bytes());
    assert_eq!(text(&body["signature"]), STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(text(&body["issued_at"]), "1795341600000");
    assert!(body.get("expires_in").is_none());
    assert!(text(&body["access_token"]).starts_with(&format!("{}!", &scene.org.org_id()[..15])));
    let user = scene.org.users().into_iter().find(|user| user.username == CASEY).unwrap();
    assert_eq!(text(&body["id"]), format!("{}/id/{}/{}", scene.org.url(), scene.org.org_id(), user.id));
    assert_eq!(scene.status_with(text(&body["access_token"])).await, 200);
}

#[tokio::test]
async fn the_id_token_is_signed_and_contains_the_nonce() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    let discovery =
        scene.plain(scene.http.get(format!("{}/.well-known/openid-configuration", scene.org.url()))).await.body;
    let keys = scene.plain(scene.http.get(text(&discovery["jwks_uri"]))).await.body;
    let key = DecodingKey::from_rsa_components(text(&keys["keys"][0]["n"]), text(&keys["keys"][0]["e"])).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[scene.org.client_id()]);
    validation.set_issuer(&[text(&discovery["issuer"])]);
    // The org's clock stands still, but the library uses the real time.
    validation.validate_exp = false;

    let claims = decode::<Value>(text(&granted["id_token"]), &key, &validation).unwrap().claims;

    assert_eq!((text(&claims["nonce"]), &claims["sub"]), ("n-1", &granted["id"]));
}

#[tokio::test]
async fn a_person_chooses_on_the_consent_page() {
    let scene = Scene::new().await;
    let page = scene
        .plain(scene.http.get(scene.oauth("authorize")).query(&scene.authorize_query(&[("state", "\"><b>")])))
        .await;
    let html = String::from_utf8(page.bytes.clone()).unwrap();
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(html.contains(CASEY) && html.contains("Allow") && html.contains("Deny"));
    assert!(html.contains("&quot;&gt;&lt;b&gt;") && !html.contains("\"><b>"));

    let mut form = scene.authorize_query(&[]);
    form.extend([("username", CASEY.to_owned()), ("decision", "allow".to_owned())]);
    let allowed = scene.plain(scene.http.post(scene.oauth("authorize")).form(&form)).await;
    form.retain(|(name, _)| *name != "decision");
    form.push(("decision", "deny".to_owned()));
    let denied = scene.plain(scene.http.post(scene.oauth("authorize")).form(&form)).await;

    assert_eq!(scene.exchange(&callback(&allowed).0).await.status, 200);
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&denied, "error_description").as_deref(), Some("end-user denied authorization"));
    assert_eq!(parameter(&denied, "state").as_deref(), Some("st/ate+1"));
}

#[tokio::test]
async fn an_unregistered_redirect_uri_is_never_used() {
    let scene = Scene::new().await;
    for more in [("redirect_uri", "http://localhost:8580/oauth/callback/"), ("client_id", "unknown")] {
        let request = scene
            .http
            .get(scene.oauth("authorize"))
            .query(&scene.authorize_query(&[more]))
            .header("X-Simulator-User", CASEY);
        assert_eq!(scene.plain(request).await.status, 400, "{more:?}");
    }
    let request = scene.http.get(scene.oauth("authorize")).query(&scene.authorize_query(&[("response_type", "token")]));
    assert_eq!(parameter(&scene.plain(request).await, "error").as_deref(), Some("unsupported_response_type"));
}

#[tokio::test]
async fn the_token_endpoint_accepts_forms_only() {
    let scene = Scene::new().await;
    let json = scene.plain(scene.http.post(scene.oauth("token")).json(&json!({"grant_type": "refresh_token"}))).await;
    assert_eq!((json.status, text(&json.body["error"])), (400, "invalid_request"));
    let error = |answer: Answer| (answer.status, text(&answer.body["error"]).to_owned());
    assert_eq!(
        error(scene.token_request(&[("grant_type", "password")]).await),
        (400, "unsupported_grant_type".to_owned())
    );
    let client = |id: &'static str, secret: &'static str| {
        [("client_id", id), ("client_secret", secret), ("grant_type", "refresh_token"), ("refresh_token", "x")]
    };
    let post = |form: [(&'static str, &'static str); 4]| scene.http.post(scene.oauth("token")).form(&form);
    assert_eq!(error(scene.plain(post(client("nobody", "x"))).await).1, "invalid_client_id");
    assert_eq!(error(scene.plain(post(client(scene.org.client_id(), "x"))).await).1, "invalid_client");
    let (code, _) = scene.consent(CASEY).await;
    assert_eq!(scene.exchange(&code).await.status, 200);
    assert_eq!(
        scene.exchange(&code).await.body,
        json!({"error": "invalid_grant", "error_description": "expired authorization code"})
    );
}

#[tokio::test]
async fn reuse_of_a_refresh_token_revokes_the_grant() {
    let scene = Scene::new().await;
    let first = scene.granted(CASEY).await;

    let second = scene.refresh(text(&first["refresh_token"])).await.body;
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert!(second.get("id_token").is_some());
    let reused = scene.refresh(text(&first["refresh_token"])).await;

    assert_eq!(
        (reused.status, reused.body),
        (400, json!({"error": "invalid_grant", "error_description": "expired access/refresh token"}))
    );
    assert_eq!(scene.refresh(text(&second["refresh_token"])).await.status, 400);
    assert_eq!(scene.status_with(text(&second["access_token"])).await, 401);
}

#[tokio::test]
async fn of_two_concurrent_refreshes_one_is_refused() {
    let scene = Scene::new().await;
    scene.org.set_token_processing_time(Duration::from_secs(1));
    let granted = scene.granted(CASEY).await;
    let token = text(&granted["refresh_token"]);

    let (a, b) = tokio::join!(scene.refresh(token), scene.refresh(token));

    let (served, refused) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!(served.status, 200);
    assert_eq!(refused.body["error_description"], "token request is already being processed");
    assert_eq!(scene.refresh(text(&served.body["refresh_token"])).await.status, 200);
}

#[tokio::test]
async fn a_refresh_completes_after_the_client_disconnects() {
    let scene = Scene::new().await;
    scene.org.set_token_processing_time(Duration::from_secs(2));
    let granted = scene.granted(CASEY).await;
    let token = text(&granted["refresh_token"]);

    let gone = tokio::time::timeout(Duration::from_millis(800), scene.refresh(token)).await;
    assert!(gone.is_err());
    let busy = scene.refresh(token).await;
    assert_eq!(busy.body["error_description"], "token request is already being processed");
    scene.org.set_token_processing_time(Duration::ZERO);
    let mut later = scene.refresh(token).await;
    while later.body["error_description"] == "token request is already being processed" {
        tokio::task::yield_now().await;
        later = scene.refresh(token).await;
    }

    assert_eq!(
        later.body["error_description"], "expired access/refresh token",
        "the first request had spent the token"
    );
}

#[tokio::test]
async fn sessions_end_by_time_on_request_and_with_the_user() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    scene.org.expire_sessions(CASEY).unwrap();
    let url = format!("{}/services/data/v66.0/limits", scene.org.url());
    let dead = scene.plain(scene.http.get(&url).bearer_auth(text(&granted["access_token"]))).await;
    assert_eq!(
        (dead.status, dead.body.clone()),
        (401, json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]))
    );
    assert_eq!(dead.header("www-authenticate"), "Token");

    let granted = scene.refresh(text(&granted["refresh_token"])).await.body;
    assert_eq!(scene.status_with(text(&granted["access_token"])).await, 200);
    scene.org.advance_clock(jiff::SignedDuration::from_hours(3));
    assert_eq!(scene.status_with(text(&granted["access_token"])).await, 401);

    scene.org.set_user_active(CASEY, false).unwrap();
    let refused = scene.refresh(text(&granted["refresh_token"])).await;
    assert_eq!(refused.body["error_description"], "inactive user");
}

#[tokio::test]
async fn a_revoked_token_is_invalid_everywhere() {
    let scene = Scene::new().await;
    let granted = scene.granted(ADMIN).await;
    let (access, refresh) = (text(&granted["access_token"]), text(&granted["refresh_token"]));
    let introspect = || {
        scene
            .http
            .post(scene.oauth("introspect"))
            .basic_auth(scene.org.client_id(), Some(scene.org.client_secret()))
            .form(&[("token", access)])
    };
    let alive = scene.plain(introspect()).await.body;
    assert_eq!((&alive["active"], &alive["username"], &alive["sub"]), (&json!(true), &json!(ADMIN), &granted["id"]));

    let revoked = scene.plain(scene.http.post(scene.oauth("revoke")).form(&[("token", refresh)])).await;

    assert_eq!((revoked.status, revoked.bytes.len()), (200, 0));
    assert_eq!(scene.plain(introspect()).await.body, json!({"active": false}));
    assert_eq!(scene.refresh(refresh).await.status, 400);
}

#[tokio::test]
async fn identity_and_userinfo_describe_the_user() {
    let scene = Scene::new().await;
    let granted = scene.granted(CASEY).await;
    let token = text(&granted["access_token"]);

    let identity = scene.plain(scene.http.get(text(&granted["id"])).bearer_auth(token)).await.body;
    let userinfo = scene.plain(scene.http.get(scene.oauth("userinfo")).bearer_auth(token)).await.body;

    assert_eq!((&identity["username"], &identity["organization_id"]), (&json!(CASEY), &json!(scene.org.org_id())));
    assert_eq!((&userinfo["preferred_username"], &userinfo["user_id"]), (&json!(CASEY), &identity["user_id"]));
    let nobody = scene.plain(scene.http.get(text(&granted["id"])).bearer_auth("x")).await;
    assert_eq!((nobody.status, nobody.bytes), (403, b"Bad_OAuth_Token".to_vec()));
}

#[tokio::test]
async fn without_the_refresh_scope_there_is_no_refresh_token() {
    let scene = Scene::new().await;
    let request = scene
        .http
        .get(scene.oauth("authorize"))
        .query(&scene.authorize_query(&[("scope", "api")]))
        .header("X-Simulator-User", CASEY);
    let (code, _) = callback(&scene.plain(request).await);
    let body = scene.exchange(&code).await.body;
    assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none());
}
