//! Forged responses of the token endpoint. They are refused although an attacker who can send one knows the app's secret or
//! intercepts the connection.

use http::StatusCode;
use org_simulator::{Effect, Fault, Simulator};
use serde_json::{Value, json};

use crate::harness::{CALLBACK, TestContext};
use crate::visitor::{Page, StartedConsent, Visitor, parameter};

const OTHER_APP: &str = "3MVG9.another.app.of.the.same.vendor";
const OTHER_SECRET: &str = "the-secret-of-another-app";

/// The other tests change this response: they prove nothing if it is refused as well.
#[test]
fn the_unchanged_response_is_accepted() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        let page = consent_with(&context, |response, _| response).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    });
}

#[test]
fn an_instance_url_on_a_foreign_host_is_refused() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        for foreign in [
            "https://login.salesforce.com.evil.example",
            "https://evil.example/.salesforce.com",
            "https://salesforce.com@evil.example",
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://evil-salesforce.com",
        ] {
            let response = |mut response: Value, _: Value| {
                response["instance_url"] = json!(foreign);
                response
            };
            assert_refused(&context, response).await;
        }
    });
}

#[test]
fn an_id_token_of_another_app_or_consent_is_refused() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        let of_another_app = |mut response: Value, other: Value| {
            response["id_token"] = other["id_token"].clone();
            response
        };
        assert_refused(&context, of_another_app).await;
        let tampered = |mut response: Value, _: Value| {
            let id_token = response["id_token"].as_str().unwrap().to_owned();
            let (head, rest) = id_token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            response["id_token"] = json!(format!("{head}.e30.{signature}"));
            response
        };
        assert_refused(&context, tampered).await;
    });
}

#[test]
fn a_response_with_a_wrong_signature_is_refused() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        for (member, value) in [("signature", json!("c2lnbmVk")), ("signature", Value::Null), ("issued_at", json!("1"))]
        {
            let response = |mut response: Value, _: Value| {
                response[member] = value.clone();
                response
            };
            assert_refused(&context, response).await;
        }
    });
}

/// Checks that the response that `forge` makes of a genuine one is refused.
async fn assert_refused(context: &TestContext, forge: impl Fn(Value, Value) -> Value) {
    let page = consent_with(context, forge).await;

    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.html);
    assert!(page.has_code("app_misconfigured"), "{}", page.html);
    assert!(!page.shows("evil"));
    assert!(context.is_untouched(context.org_id()).await);
    context.secrets.assert_not_logged();
}

/// Consents, and opens the callback while the token endpoint returns a forged response. `forge` receives a genuine response and one
/// to another app.
async fn consent_with(context: &TestContext, forge: impl Fn(Value, Value) -> Value) -> Page {
    context.org.add_app("Other", OTHER_APP, OTHER_SECRET, CALLBACK);
    let mut visitor = Visitor::new(context);
    let started = visitor.begin(&context.team_link("acme").await).await;
    let genuine = response_to(context, &started, context.org.client_id(), context.org.client_secret()).await;
    let of_another_app = response_to(context, &started, OTHER_APP, OTHER_SECRET).await;
    let response = forge(genuine, of_another_app);
    let back = visitor.consent(&started, &context.admin()).await;
    for member in ["access_token", "refresh_token", "id_token"] {
        context.secrets.note(response[member].as_str().unwrap());
    }
    let (content_type, body) = ("application/json".to_owned(), response.to_string());
    let effect = Effect::Answer { status: 200, content_type, body };
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 1, effect });
    visitor.get(&back).await
}

/// Returns a genuine response of the token endpoint to an app, whose consent had the same nonce and no code challenge.
async fn response_to(context: &TestContext, started: &StartedConsent, client_id: &str, client_secret: &str) -> Value {
    let mut url = url::Url::parse(&started.0).unwrap();
    let pairs: Vec<_> =
        url.query_pairs().into_owned().filter(|(name, _)| !name.starts_with("code_challenge")).collect();
    let of_app = |(name, value): (String, String)| match name.as_str() {
        "client_id" => (name, client_id.to_owned()),
        _ => (name, value),
    };
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(of_app));
    let code = parameter(&crate::visitor::consent(url.as_str(), &context.admin()).await, "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("redirect_uri", CALLBACK),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.post(format!("{}/services/oauth2/token", context.org.url())).form(&form).send().await.unwrap();
    response.json().await.unwrap()
}
