//! Token answers that are not what they say. Whoever can make one knows the app's secret, or sits between; they are refused
//! all the same.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use org_simulator::{Effect, Fault, Simulator};
use serde_json::{Value, json};

use crate::attacks::callback;
use crate::stage::{CALLBACK, Stage};
use crate::visitor::{Begun, Visitor, parameter};

const OTHER_APP: &str = "3MVG9.another.app.of.the.same.vendor";
const OTHER_SECRET: &str = "the-secret-of-another-app";

#[test]
fn an_instance_url_on_a_foreign_host_is_refused() {
    world::run(async {
        let stage = Stage::signing_in_at(Simulator::url).await;
        for foreign in [
            "https://login.salesforce.com.evil.example",
            "https://evil.example/.salesforce.com",
            "https://salesforce.com@evil.example",
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://evil-salesforce.com",
        ] {
            let answer = |_: &Begun, mut answer: Value| {
                answer["instance_url"] = json!(foreign);
                answer
            };
            assert_refused(&stage, answer).await;
        }
    });
}

#[test]
fn an_id_token_of_another_app_or_consent_is_refused() {
    world::run(async {
        let stage = Stage::signing_in_at(Simulator::url).await;
        stage.org.add_app("Other", OTHER_APP, OTHER_SECRET, CALLBACK);
        let of_another_app = |_: &Begun, answer: Value| answer;
        assert_refused(&stage, of_another_app).await;
        let tampered = |_: &Begun, mut answer: Value| {
            let id_token = answer["id_token"].as_str().unwrap().to_owned();
            let (head, rest) = id_token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            answer["id_token"] = json!(format!("{head}.e30.{signature}"));
            answer
        };
        assert_refused(&stage, tampered).await;
    });
}

#[test]
fn an_answer_with_a_wrong_signature_is_refused() {
    world::run(async {
        let stage = Stage::signing_in_at(Simulator::url).await;
        for (member, value) in [("signature", json!("c2lnbmVk")), ("signature", Value::Null), ("issued_at", json!("1"))]
        {
            let answer = |_: &Begun, mut answer: Value| {
                answer[member] = value.clone();
                answer
            };
            assert_refused(&stage, answer).await;
        }
    });
}

/// Consents, has the token endpoint give what `forge` makes of an answer that is good but for the app that its id_token is
/// of, and checks that nothing comes of it.
async fn assert_refused(stage: &Stage, forge: impl Fn(&Begun, Value) -> Value) {
    stage.org.add_app("Other", OTHER_APP, OTHER_SECRET, CALLBACK);
    let mut visitor = Visitor::new(stage);
    let begun = visitor.begin(&stage.team_link("acme").await).await;
    let answer = forge(&begun, answer_of_another_app(stage, &begun).await);
    let back = visitor.consent(&begun, &stage.admin()).await;
    for member in ["access_token", "refresh_token", "id_token"] {
        stage.secrets.note(answer[member].as_str().unwrap());
    }
    let (content_type, body) = ("application/json".to_owned(), answer.to_string());
    let effect = Effect::Answer { status: 200, content_type, body };
    let path_prefix = "/services/oauth2/token".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 1, effect });

    let page = visitor.get(&back).await;

    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.html);
    assert!(page.tells("app_misconfigured"), "{}", page.html);
    assert!(!page.shows("evil"));
    assert!(stage.is_untouched(stage.org_id()).await);
    let again = visitor.get(&callback(&parameter(&back, "code"), &begun.state())).await;
    assert!(again.tells("consent_used_or_expired"));
    stage.secrets.assert_not_logged();
}

/// A true answer of the token endpoint to another app whose consent had the same nonce, signed for ours.
async fn answer_of_another_app(stage: &Stage, begun: &Begun) -> Value {
    let mut url = url::Url::parse(&begun.0).unwrap();
    let pairs: Vec<_> =
        url.query_pairs().into_owned().filter(|(name, _)| !name.starts_with("code_challenge")).collect();
    let of_other = |(name, value): (String, String)| {
        if name == "client_id" { (name, OTHER_APP.to_owned()) } else { (name, value) }
    };
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(of_other));
    let code = parameter(&crate::visitor::consent(url.as_str(), &stage.admin()).await, "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", OTHER_APP),
        ("client_secret", OTHER_SECRET),
        ("redirect_uri", CALLBACK),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.post(format!("{}/services/oauth2/token", stage.org.url())).form(&form).send().await.unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    let signed = format!("{}{}", answer["id"].as_str().unwrap(), answer["issued_at"].as_str().unwrap());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(stage.org.client_secret().as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    answer["signature"] = json!(BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    answer
}
