//! Logins without a page: JWT bearer and client credentials.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use org_simulator::{AppPolicy, AppSettings};
use serde_json::{Value, json};

use crate::oauth::text;
use crate::support::{ADMIN, Answer, CASEY, JORDAN, START, Scene};

/// An app's key, whose public half is registered with the app.
struct Signer(KeyPair);

impl Signer {
    fn of(scene: &Scene) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.public_key().as_der().unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
        let settings = AppSettings { certificate: Some(pem), ..AppSettings::default() };
        scene.org.set_app_settings(scene.org.client_id(), settings).unwrap();
        Self(key)
    }

    fn sign(&self, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "RS256"})), part(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        self.0.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Scene {
    fn claims(&self, username: &str) -> Value {
        let now = START.parse::<jiff::Timestamp>().unwrap().as_second();
        json!({"iss": self.org.client_id(), "sub": username, "aud": "https://login.salesforce.com", "exp": now + 120})
    }

    async fn assert_as(&self, signer: &Signer, claims: &Value) -> Answer {
        let assertion = signer.sign(claims);
        let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let form = [("grant_type", grant_type), ("assertion", assertion.as_str())];
        self.plain(self.http.post(self.oauth("token")).form(&form)).await
    }

    fn run_as(&self, username: &str) {
        let policy = AppPolicy { run_as: Some(username.to_owned()), ..AppPolicy::default() };
        self.org.set_app_policy(self.org.client_id(), policy).unwrap();
    }
}

fn description(answer: &Answer) -> &str {
    text(&answer.body["error_description"])
}

#[tokio::test]
async fn an_assertion_logs_in_a_user_who_approved_the_app_before() {
    let scene = Scene::new().await;
    let signer = Signer::of(&scene);
    let claims = scene.claims(CASEY);
    assert_eq!(description(&scene.assert_as(&signer, &claims).await), "user hasn't approved this consumer");
    scene.granted(CASEY).await;

    let answer = scene.assert_as(&signer, &claims).await;

    assert_eq!((answer.status, &answer.body["scope"]), (200, &json!("api openid")));
    assert!(answer.body.get("refresh_token").is_none());
    assert_eq!(scene.status_with(text(&answer.body["access_token"])).await, 200);
}

#[tokio::test]
async fn an_approved_profile_needs_no_consent() {
    let scene = Scene::new().await;
    let signer = Signer::of(&scene);
    let approved_profiles = vec!["System Administrator".to_owned()];
    let policy = AppPolicy { admin_approved_only: true, approved_profiles, ..AppPolicy::default() };
    scene.org.set_app_policy(scene.org.client_id(), policy).unwrap();
    assert_eq!(scene.assert_as(&signer, &scene.claims(ADMIN)).await.status, 200);
    assert_eq!(scene.assert_as(&signer, &scene.claims(JORDAN)).await.status, 400);
}

#[tokio::test]
async fn an_assertion_must_be_valid_in_every_part() {
    let scene = Scene::new().await;
    let stranger = Signer::of(&scene);
    let signer = Signer::of(&scene);
    scene.granted(CASEY).await;
    let with = |name: &str, value: Value| {
        let mut claims = scene.claims(CASEY);
        claims[name] = value;
        claims
    };
    for (claims, expected) in [
        (with("aud", json!("https://test.salesforce.com")), "audience is invalid"),
        (with("exp", json!(1_700_000_000)), "invalid assertion"),
        (with("iss", json!("nobody")), "client identifier invalid"),
        (with("sub", json!("nobody@larkspur.example")), "user hasn't approved this consumer"),
    ] {
        assert_eq!(description(&scene.assert_as(&signer, &claims).await), expected, "{claims}");
    }
    assert_eq!(description(&scene.assert_as(&stranger, &scene.claims(CASEY)).await), "invalid assertion");
    for audience in [scene.org.url(), scene.org.login_url()] {
        assert_eq!(scene.assert_as(&signer, &with("aud", json!(audience))).await.status, 200, "{audience}");
    }
}

#[tokio::test]
async fn client_credentials_run_as_the_selected_user() {
    let scene = Scene::new().await;
    let grant = [("grant_type", "client_credentials")];
    assert_eq!(description(&scene.token_request(&grant).await), "no client credentials user enabled");
    scene.run_as(JORDAN);

    let answer = scene.token_request(&grant).await;

    assert_eq!((answer.status, &answer.body["scope"]), (200, &json!("api openid")));
    assert!(answer.body.get("refresh_token").is_none());
    let userinfo = scene.http.get(scene.oauth("userinfo")).bearer_auth(text(&answer.body["access_token"]));
    assert_eq!(scene.plain(userinfo).await.body["preferred_username"], JORDAN);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", scene.org.client_id()),
        ("client_secret", scene.org.client_secret()),
    ];
    let at_login = scene.http.post(format!("{}/services/oauth2/token", scene.org.login_url())).form(&form);
    assert_eq!(description(&scene.plain(at_login).await), "request not supported on this domain");
}

#[tokio::test]
async fn an_unreadable_certificate_is_rejected_at_once() {
    let scene = Scene::new().await;
    let settings = AppSettings { certificate: Some("not PEM".to_owned()), ..AppSettings::default() };
    assert!(scene.org.set_app_settings(scene.org.client_id(), settings).is_err());
}
