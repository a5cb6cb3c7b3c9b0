//! The life of a grant: consent, code exchange, refreshes, revocation.

use std::sync::Arc;

use salesforce::auth::{self, CodeExchange, TokenResponse};
use salesforce::{ApiVersion, Classify, Client, Error, Retry, Soql};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::org::{ACCOUNT, Org, REDIRECT, REP, Renewing, http, session};

async fn connect(org: &Org) -> TokenResponse {
    let consent = auth::consent(&org.app().client_id, &org.login(), REDIRECT, &mut rand::rng()).unwrap();
    let (code, state) = org.consent(&consent.authorize_url, REP).await;
    assert_eq!(state, consent.state.expose_secret());
    let exchange = CodeExchange {
        redirect_uri: REDIRECT.to_owned(),
        code: code.into(),
        code_verifier: consent.code_verifier,
        nonce: Some(consent.nonce),
    };
    auth::exchange_code(&http(), &org.app(), &org.login(), &exchange).await.unwrap()
}

async fn refresh(org: &Org, token: &SecretString) -> Result<TokenResponse, Error> {
    auth::refresh(&http(), &org.app(), &org.login(), token).await
}

#[tokio::test]
async fn a_consent_yields_a_session_of_its_user() {
    let org = Org::start().await;
    let tokens = connect(&org).await;
    let casey = org.0.users().into_iter().find(|user| user.username == REP).unwrap();
    assert_eq!(tokens.identity.org_id.as_str(), org.0.org_id());
    assert_eq!(tokens.identity.user_id.as_str(), casey.id);
    assert!(tokens.refresh_token.is_some() && tokens.id_token.is_some());
    let info = auth::fetch_userinfo(&http(), &session(org.0.url(), tokens.access_token)).await.unwrap();
    assert_eq!((info.user_id, info.org_id), (tokens.identity.user_id, tokens.identity.org_id));
}

#[tokio::test]
async fn a_code_needs_its_verifier() {
    let org = Org::start().await;
    let consent = auth::consent(&org.app().client_id, &org.login(), REDIRECT, &mut rand::rng()).unwrap();
    let (code, _) = org.consent(&consent.authorize_url, REP).await;
    let exchange = CodeExchange {
        redirect_uri: REDIRECT.to_owned(),
        code: code.into(),
        code_verifier: "x".repeat(43).into(),
        nonce: None,
    };
    assert!(auth::exchange_code(&http(), &org.app(), &org.login(), &exchange).await.is_err());
}

#[tokio::test]
async fn an_expired_session_is_renewed_within_the_call() {
    let org = Org::start().await;
    let tokens = connect(&org).await;
    let sessions = Renewing {
        app: org.app(),
        login: org.login(),
        tokens: Mutex::new((session(org.0.url(), tokens.access_token), tokens.refresh_token.unwrap())),
    };
    let client = Client::new(http(), Arc::new(sessions), ApiVersion::DEFAULT);
    let count = Soql::count().from(&ACCOUNT);
    assert_eq!(client.count(&count).await.unwrap(), 0);
    org.0.expire_sessions(REP).unwrap();
    assert_eq!(client.count(&count).await.unwrap(), 0);
    org.0.revoke_grants(REP).unwrap();
    let error = client.count(&count).await.unwrap_err();
    assert!(matches!(error, Error::GrantEnded { .. }), "{error}");
}

#[tokio::test]
async fn a_reused_refresh_token_ends_the_grant() {
    let org = Org::start().await;
    let first = connect(&org).await.refresh_token.unwrap();
    let second = refresh(&org, &first).await.unwrap().refresh_token.unwrap();
    let error = refresh(&org, &first).await.unwrap_err();
    assert_eq!(error.retry(), Retry::NeedsHuman);
    assert!(refresh(&org, &second).await.is_err());
}

#[tokio::test]
async fn of_two_concurrent_refreshes_one_is_refused() {
    let org = Org::start().await;
    let token = connect(&org).await.refresh_token.unwrap();
    org.0.set_token_processing_time(std::time::Duration::from_millis(500));
    let results = tokio::join!(refresh(&org, &token), refresh(&org, &token));
    let (won, lost) = match results {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        other => panic!("{other:?}"),
    };
    assert!(won.refresh_token.is_some());
    assert!(matches!(lost, Error::RefreshInProgress), "{lost}");
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays_valid() {
    let org = Org::start().await;
    org.0.rotate_refresh_tokens(false);
    let token = connect(&org).await.refresh_token.unwrap();
    for _ in 0..2 {
        assert!(refresh(&org, &token).await.unwrap().refresh_token.is_none());
    }
}

#[tokio::test]
async fn a_revoked_grant_has_ended() {
    let org = Org::start().await;
    let tokens = connect(&org).await;
    let token = tokens.refresh_token.unwrap();
    auth::revoke(&http(), &org.login(), &token).await.unwrap();
    assert_eq!(refresh(&org, &token).await.unwrap_err().retry(), Retry::NeedsHuman);
    let session = session(org.0.url(), tokens.access_token);
    let error = auth::fetch_userinfo(&http(), &session).await.unwrap_err();
    assert!(matches!(error, Error::SessionRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_client_secret_is_an_app_error() {
    let org = Org::start().await;
    let token = connect(&org).await.refresh_token.unwrap();
    let mut app = org.app();
    app.client_secret = "wrong".into();
    let error = auth::refresh(&http(), &app, &org.login(), &token).await.unwrap_err();
    assert!(matches!(error, Error::AppRefused { .. }), "{error}");
}
