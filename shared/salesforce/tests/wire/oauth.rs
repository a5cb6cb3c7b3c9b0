//! Requests to the token endpoint, and its responses.

use salesforce::auth::{self, App, CodeExchange};
use salesforce::{Classify, Error, Retry};
use serde_json::json;

use crate::replay::{Replay, Reply, json as reply, recorded};

pub(crate) fn app() -> App {
    App { name: "v2".to_owned(), client_id: "3MVG9client".to_owned(), client_secret: "hush".into() }
}

/// A token response with the signature of `app`, computed by another tool: HMAC-SHA256 with the key `hush`.
pub(crate) fn signed() -> String {
    json!({
        "access_token": "00D5e000000KQ2e!AQcAQ",
        "refresh_token": "5Aep861",
        "signature": "r5OOEB7vEF/MYxVbTBL3qHq9LZ7ab+rZh6xaXsxHO5E=",
        "scope": "refresh_token api openid",
        "instance_url": "http://localhost:1",
        "id": "https://login.salesforce.com/id/00D5e000000KQ2eEAG/0055e000001mKpCAAU",
        "issued_at": "1676372418560",
    })
    .to_string()
}

fn form(body: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn a_code_is_exchanged_with_verifier_and_secret() {
    let server = Replay::once(200, signed());
    let exchange = CodeExchange {
        redirect_uri: "https://ferry.example/oauth/callback".to_owned(),
        code: "aPrx==".into(),
        code_verifier: "v".repeat(43).into(),
        nonce: None,
    };
    let tokens = auth::exchange_code(&server.http(), &app(), &server.login(), &exchange).await.unwrap();
    assert_eq!(tokens.identity.org_id.as_str(), "00D5e000000KQ2eEAG");
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /services/oauth2/token");
    let mut sent = form(&request.body);
    sent.sort();
    let verifier = "v".repeat(43);
    let expected = [
        ("client_id", "3MVG9client"),
        ("client_secret", "hush"),
        ("code", "aPrx=="),
        ("code_verifier", &verifier),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://ferry.example/oauth/callback"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_refresh_returns_the_new_refresh_token() {
    let server = Replay::once(200, signed());
    let tokens = auth::refresh(&server.http(), &app(), &server.login(), &"old".into()).await.unwrap();
    assert!(tokens.refresh_token.is_some());
    let sent = form(&server.requests()[0].body);
    assert!(sent.contains(&("grant_type".to_owned(), "refresh_token".to_owned())));
    assert!(sent.contains(&("refresh_token".to_owned(), "old".to_owned())));
}

#[tokio::test]
async fn a_refresh_is_never_retried() {
    for failure in [
        Reply::HangUp,
        reply(503, "<html>maintenance</html>"),
        reply(400, r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#),
    ] {
        let server = Replay::start(vec![failure, reply(200, signed())]);
        let error = auth::refresh(&server.http(), &app(), &server.login(), &"old".into()).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_error_of_an_ended_grant_contains_no_secret() {
    let Some(body) = recorded("oauth/error-refresh-token-expired.json") else { return };
    let server = Replay::once(400, body.to_string());
    let error = auth::refresh(&server.http(), &app(), &server.login(), &"old-token".into()).await.unwrap_err();
    assert!(matches!(error, Error::GrantEnded { .. }));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("old-token") && !shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn responses_signed_with_another_secret_are_rejected() {
    for file in
        ["token-password-flow.json", "token-password-flow-with-token-type.json", "token-web-server-flow-all-keys.json"]
    {
        let Some(body) = recorded(&format!("oauth/{file}")) else { return };
        let server = Replay::once(200, body.to_string());
        let error = auth::refresh(&server.http(), &app(), &server.login(), &"old".into()).await.unwrap_err();
        assert!(matches!(error, Error::Untrusted { .. }), "{file}: {error:?}");
    }
}

#[tokio::test]
async fn an_invalid_token_response_has_an_unknown_outcome() {
    let server = Replay::once(200, "<html>welcome</html>");
    let error = auth::refresh(&server.http(), &app(), &server.login(), &"old".into()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidResponse { .. }));
    assert!(matches!(error.retry(), Retry::Unknown(_)));
    assert!(!format!("{error:?}").contains("welcome"));
}

#[tokio::test]
async fn revoking_an_invalid_token_succeeds() {
    for (status, body) in [
        (200, ""),
        (400, "error=invalid_token&error_description=expired"),
        (400, r#"{"error":"invalid_token"}"#),
        (400, "error=unsupported_token_type&error_description=this%20token%20type%20is%20not%20supported"),
        (400, r#"{"error":"unsupported_token_type"}"#),
    ] {
        let server = Replay::once(status, body);
        auth::revoke(&server.http(), &server.login(), &"dead".into()).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /services/oauth2/revoke", "token=dead"));
    }
}

#[tokio::test]
async fn a_revocation_that_is_not_confirmed_fails() {
    for (status, body) in [
        (400, r#"{"error":"invalid_request"}"#),
        (400, "<html>"),
        (403, r#"{"error":"invalid_token"}"#),
        (404, "Bad_Id"),
        (500, r#"{"error":"invalid_token"}"#),
    ] {
        let server = Replay::start((0..5).map(|_| reply(status, body)).collect());
        auth::revoke(&server.http(), &server.login(), &"live".into()).await.unwrap_err();
    }
}

#[tokio::test]
async fn recorded_user_info_is_parsed() {
    let Some(body) = recorded("oauth/userinfo-2026.json") else { return };
    let server = Replay::once(200, body.to_string());
    let session = salesforce::Session {
        instance_url: salesforce::InstanceUrl::parse(server.url(), salesforce::HostPolicy::LoopbackToo).unwrap(),
        access_token: "token".into(),
    };
    let info = auth::fetch_userinfo(&server.http(), &session).await.unwrap();
    assert_eq!(info.org_id.as_str(), "00DdM00000vfgTuUAI");
    assert_eq!(info.user_id.as_str(), "005dM00000awSFJQA2");
}
