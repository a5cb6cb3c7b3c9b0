use super::*;
use std::time::Duration;

use jiff::Timestamp;
use salesforce::InstanceUrl;
use salesforce::auth::Identity;
use secrecy::{ExposeSecret as _, SecretString};

fn old() -> Tokens {
    Tokens {
        access_token: "old-access".into(),
        refresh_token: "old-refresh".into(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        issued_at: Timestamp::UNIX_EPOCH,
        grant: None,
        protection: Some("before".to_owned()),
    }
}

fn response(refresh_token: Option<&str>, instance_url: Option<&str>) -> TokenResponse {
    let policy = salesforce::HostPolicy::SalesforceOnly;
    TokenResponse {
        access_token: "new-access".into(),
        refresh_token: refresh_token.map(SecretString::from),
        instance_url: instance_url.map(|url| InstanceUrl::parse(url, policy).unwrap()),
        identity: Identity {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            user_id: "0055e000001mKpCAAU".parse().unwrap(),
        },
        scopes: vec!["api".to_owned()],
        issued_at: Timestamp::UNIX_EPOCH,
        id_token: None,
    }
}

#[test]
fn a_response_without_refresh_token_keeps_the_stored_one() {
    let merged = merge(&old(), response(None, None));
    assert_eq!(merged.access_token.expose_secret(), "new-access");
    assert_eq!(merged.refresh_token.expose_secret(), "old-refresh");
    assert_eq!(merged.instance_url, "https://acme.my.salesforce.com");
}

#[test]
fn a_response_replaces_refresh_token_and_instance_url() {
    let merged = merge(&old(), response(Some("new-refresh"), Some("https://moved.my.salesforce.com")));
    assert_eq!(merged.refresh_token.expose_secret(), "new-refresh");
    assert_eq!(merged.instance_url, "https://moved.my.salesforce.com");
}

fn loaded(version: &str, issued_at: &str) -> Loaded {
    let connection = serde_json::from_value(serde_json::json!({
        "org_id": "00D5e000000KQ2eEAG", "connection_id": "team", "kind": "team", "tenant": "acme",
        "user_id": "0055e000001mKpCAAU", "app": "v2", "login_url": "https://login.salesforce.com",
        "instance_url": "https://acme.my.salesforce.com", "state": "active", "token_version": "2".repeat(32),
        "created_at": "2026-11-01T00:00:00.000Z", "connected_at": "2026-11-01T00:00:00.000Z",
        "refreshed_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z", "revision": 1,
    }));
    let tokens = Tokens { issued_at: issued_at.parse().unwrap(), ..old() };
    Loaded { connection: connection.unwrap(), tokens: Some((tokens, version.repeat(32).parse().unwrap())) }
}

#[test]
fn the_version_of_the_row_is_never_stale() {
    assert!(!is_stale(&loaded("2", "2026-11-22T09:59:59Z")));
    assert!(!is_stale(&loaded("2", "2026-11-01T00:00:00Z")));
}

#[test]
fn an_older_version_is_stale_and_a_newer_one_is_not() {
    assert!(is_stale(&loaded("1", "2026-11-22T08:00:00Z")));
    assert!(!is_stale(&loaded("3", "2026-11-22T10:30:00Z")));
}

#[test]
fn only_a_terminal_invalid_grant_ends_the_grant() {
    let ended = Salesforce::GrantEnded { code: "invalid_grant".to_owned(), reason: "expired" };
    assert_eq!(refresh_failure(&ended), RefreshFailure::InvalidGrant);
    let inactive = Salesforce::GrantEnded { code: "invalid_grant".to_owned(), reason: INACTIVE_USER };
    assert_eq!(refresh_failure(&inactive), RefreshFailure::UserInactive);
    assert_eq!(refresh_failure(&Salesforce::RefreshInProgress), RefreshFailure::AlreadyProcessing);
    let app = Salesforce::AppRefused { code: "invalid_client".to_owned() };
    assert_eq!(refresh_failure(&app), APP_REFUSED);
    let retry = Retry::NeedsHuman;
    let blocked = Salesforce::Blocked { condition: Condition::AppBlocked, code: "OAUTH_APP_BLOCKED".to_owned(), retry };
    assert_eq!(refresh_failure(&blocked), RefreshFailure::Blocked(Condition::AppBlocked));
    for unknown in [
        Salesforce::NoResponse { operation: "refresh", source: "reset".into() },
        Salesforce::InvalidResponse { operation: "refresh", what: "is HTML" },
        Salesforce::Untrusted { operation: "refresh", what: "signature" },
        Salesforce::Unavailable {
            operation: "refresh",
            status: 503,
            code: None,
            retry: Retry::Unknown(Duration::from_secs(1)),
        },
    ] {
        assert!(matches!(refresh_failure(&unknown), RefreshFailure::OutcomeUnknown(_)), "{unknown}");
    }
    for not_processed in [
        Salesforce::Unreachable { operation: "refresh", source: "refused".into() },
        Salesforce::TooManyCalls { operation: "refresh" },
        Salesforce::Rejected { operation: "refresh", status: 400, problems: Vec::new() },
    ] {
        assert!(matches!(refresh_failure(&not_processed), RefreshFailure::NotProcessed(_)), "{not_processed}");
    }
}
