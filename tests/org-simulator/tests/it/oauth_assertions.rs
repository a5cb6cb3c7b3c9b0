//! Logins without a page: JWT bearer and client credentials.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use org_simulator::{AppPolicy, AppSettings};
use serde_json::{Value, json};

use crate::oauth::text;
use crate::support::{ADMIN, ApiResponse, CASEY, JORDAN, START, TestContext};

/// An app's key, whose public half is registered with the app.
struct Signer(KeyPair);

impl Signer {
    fn of(context: &TestContext) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.public_key().as_der().unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
        let settings = AppSettings { certificate: Some(pem), ..AppSettings::default() };
        context.org.set_app_settings(context.org.client_id(), settings).unwrap();
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

impl TestContext {
    fn claims(&self, username: &str) -> Value {
        let now = START.parse::<jiff::Timestamp>().unwrap().as_second();
        json!({"iss": self.org.client_id(), "sub": username, "aud": "https://login.salesforce.com", "exp": now + 120})
    }

    async fn assert_as(&self, signer: &Signer, claims: &Value) -> ApiResponse {
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

fn description(response: &ApiResponse) -> &str {
    text(&response.body["error_description"])
}

#[tokio::test]
async fn an_assertion_logs_in_a_user_who_approved_the_app_before() {
    let context = TestContext::new().await;
    let signer = Signer::of(&context);
    let claims = context.claims(CASEY);
    assert_eq!(description(&context.assert_as(&signer, &claims).await), "user hasn't approved this consumer");
    context.granted(CASEY).await;

    let response = context.assert_as(&signer, &claims).await;

    assert_eq!((response.status, &response.body["scope"]), (200, &json!("api openid")));
    assert!(response.body.get("refresh_token").is_none());
    assert_eq!(context.status_with(text(&response.body["access_token"])).await, 200);
}

#[tokio::test]
async fn an_approved_profile_needs_no_consent() {
    let context = TestContext::new().await;
    let signer = Signer::of(&context);
    let approved_profiles = vec!["System Administrator".to_owned()];
    let policy = AppPolicy { admin_approved_only: true, approved_profiles, ..AppPolicy::default() };
    context.org.set_app_policy(context.org.client_id(), policy).unwrap();
    assert_eq!(context.assert_as(&signer, &context.claims(ADMIN)).await.status, 200);
    assert_eq!(context.assert_as(&signer, &context.claims(JORDAN)).await.status, 400);
}

#[tokio::test]
async fn an_assertion_must_be_valid_in_every_part() {
    let context = TestContext::new().await;
    let stranger = Signer::of(&context);
    let signer = Signer::of(&context);
    context.granted(CASEY).await;
    let with = |name: &str, value: Value| {
        let mut claims = context.claims(CASEY);
        claims[name] = value;
        claims
    };
    for (claims, expected) in [
        (with("aud", json!("https://test.salesforce.com")), "audience is invalid"),
        (with("exp", json!(1_700_000_000)), "invalid assertion"),
        (with("iss", json!("nobody")), "client identifier invalid"),
        (with("sub", json!("nobody@larkspur.example")), "user hasn't approved this consumer"),
    ] {
        assert_eq!(description(&context.assert_as(&signer, &claims).await), expected, "{claims}");
    }
    assert_eq!(description(&context.assert_as(&stranger, &context.claims(CASEY)).await), "invalid assertion");
    for audience in [context.org.url(), context.org.login_url()] {
        assert_eq!(context.assert_as(&signer, &with("aud", json!(audience))).await.status, 200, "{audience}");
    }
}

#[tokio::test]
async fn client_credentials_run_as_the_selected_user() {
    let context = TestContext::new().await;
    let grant = [("grant_type", "client_credentials")];
    assert_eq!(description(&context.token_request(&grant).await), "no client credentials user enabled");
    context.run_as(JORDAN);

    let response = context.token_request(&grant).await;

    assert_eq!((response.status, &response.body["scope"]), (200, &json!("api openid")));
    assert!(response.body.get("refresh_token").is_none());
    let userinfo = context.http.get(context.oauth("userinfo")).bearer_auth(text(&response.body["access_token"]));
    assert_eq!(context.plain(userinfo).await.body["preferred_username"], JORDAN);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", context.org.client_id()),
        ("client_secret", context.org.client_secret()),
    ];
    let at_login = context.http.post(format!("{}/services/oauth2/token", context.org.login_url())).form(&form);
    assert_eq!(description(&context.plain(at_login).await), "request not supported on this domain");
}

#[tokio::test]
async fn an_unreadable_certificate_is_rejected_at_once() {
    let context = TestContext::new().await;
    let settings = AppSettings { certificate: Some("not PEM".to_owned()), ..AppSettings::default() };
    assert!(context.org.set_app_settings(context.org.client_id(), settings).is_err());
}
