//! Token answers that are not what they say. Whoever can make one knows the app's secret, or sits between; they are refused
//! all the same.

use http::StatusCode;
use org_simulator::{Effect, Fault, Simulator};
use serde_json::{Value, json};

use crate::harness::{CALLBACK, TestContext};
use crate::visitor::{Begun, Page, Visitor, parameter};

const OTHER_APP: &str = "3MVG9.another.app.of.the.same.vendor";
const OTHER_SECRET: &str = "the-secret-of-another-app";

/// What the others are made of: were it refused too, they would prove nothing.
#[test]
fn the_answer_that_is_forged_is_good_before_that() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        let page = come_back(&context, |answer, _| answer).await;
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
            let answer = |mut answer: Value, _: Value| {
                answer["instance_url"] = json!(foreign);
                answer
            };
            assert_refused(&context, answer).await;
        }
    });
}

#[test]
fn an_id_token_of_another_app_or_consent_is_refused() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        let of_another_app = |mut answer: Value, other: Value| {
            answer["id_token"] = other["id_token"].clone();
            answer
        };
        assert_refused(&context, of_another_app).await;
        let tampered = |mut answer: Value, _: Value| {
            let id_token = answer["id_token"].as_str().unwrap().to_owned();
            let (head, rest) = id_token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            answer["id_token"] = json!(format!("{head}.e30.{signature}"));
            answer
        };
        assert_refused(&context, tampered).await;
    });
}

#[test]
fn an_answer_with_a_wrong_signature_is_refused() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        for (member, value) in [("signature", json!("c2lnbmVk")), ("signature", Value::Null), ("issued_at", json!("1"))]
        {
            let answer = |mut answer: Value, _: Value| {
                answer[member] = value.clone();
                answer
            };
            assert_refused(&context, answer).await;
        }
    });
}

/// Checks that nothing comes of what `forge` makes of a good answer.
async fn assert_refused(context: &TestContext, forge: impl Fn(Value, Value) -> Value) {
    let page = come_back(context, forge).await;

    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.html);
    assert!(page.tells("app_misconfigured"), "{}", page.html);
    assert!(!page.shows("evil"));
    assert!(context.is_untouched(context.org_id()).await);
    context.secrets.assert_not_logged();
}

/// Consents, and comes back to a token endpoint that gives what `forge` makes of a good answer and of a good one to another
/// app.
async fn come_back(context: &TestContext, forge: impl Fn(Value, Value) -> Value) -> Page {
    context.org.add_app("Other", OTHER_APP, OTHER_SECRET, CALLBACK);
    let mut visitor = Visitor::new(context);
    let begun = visitor.begin(&context.team_link("acme").await).await;
    let good = answer_to(context, &begun, context.org.client_id(), context.org.client_secret()).await;
    let of_another_app = answer_to(context, &begun, OTHER_APP, OTHER_SECRET).await;
    let answer = forge(good, of_another_app);
    let back = visitor.consent(&begun, &context.admin()).await;
    for member in ["access_token", "refresh_token", "id_token"] {
        context.secrets.note(answer[member].as_str().unwrap());
    }
    let (content_type, body) = ("application/json".to_owned(), answer.to_string());
    let effect = Effect::Answer { status: 200, content_type, body };
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 1, effect });
    visitor.get(&back).await
}

/// A true answer of the token endpoint to an app, whose consent had the same nonce and no challenge.
async fn answer_to(context: &TestContext, begun: &Begun, client_id: &str, client_secret: &str) -> Value {
    let mut url = url::Url::parse(&begun.0).unwrap();
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
    let answer = http.post(format!("{}/services/oauth2/token", context.org.url())).form(&form).send().await.unwrap();
    answer.json().await.unwrap()
}
