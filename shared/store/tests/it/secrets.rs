use jiff::SignedDuration;
use salesforce::Clock;
use secrecy::ExposeSecret as _;
use store::{Apps, ConnectionId, Error, TokenVault, Tokens};

use crate::harness::{at, emulator, org, run, state};

async fn client() -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(emulator().await.sdk_config())
}

async fn vault() -> TokenVault {
    TokenVault::new(client().await, format!("ferry/{}/tokens", local::unique_prefix()))
}

fn tokens(name: &str) -> Tokens {
    Tokens {
        access_token: format!("access {name}").into(),
        refresh_token: format!("refresh {name}").into(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        issued_at: at(0),
        grant: None,
        protection: None,
    }
}

#[test]
fn each_store_creates_the_current_version() {
    run(async {
        let (vault, team) = (vault().await, ConnectionId::team());
        assert!(vault.load(org(), &team).await.unwrap().is_none());

        let first = vault.store(org(), &team, &tokens("1"), None).await.unwrap();
        let second = vault.store(org(), &team, &tokens("2"), Some(&first)).await.unwrap();
        let (current, version) = vault.load(org(), &team).await.unwrap().unwrap();

        assert_ne!(first, second);
        assert_eq!(version, second);
        assert_eq!(current.access_token.expose_secret(), "access 2");
        assert_eq!(current.refresh_token.expose_secret(), "refresh 2");
    });
}

#[test]
fn storing_the_same_tokens_again_keeps_the_version() {
    run(async {
        let (vault, team) = (vault().await, ConnectionId::team());
        let first = vault.store(org(), &team, &tokens("1"), None).await.unwrap();
        let second = vault.store(org(), &team, &tokens("2"), Some(&first)).await.unwrap();
        let again = vault.store(org(), &team, &tokens("2"), Some(&first)).await.unwrap();
        assert_eq!(again, second);
    });
}

#[test]
fn a_secret_is_created_once() {
    run(async {
        let (vault, team) = (vault().await, ConnectionId::team());
        vault.store(org(), &team, &tokens("1"), None).await.unwrap();
        let second = vault.store(org(), &team, &tokens("2"), None).await;
        assert!(matches!(second, Err(Error::Conflict { .. })), "{second:?}");
        let (current, _) = vault.load(org(), &team).await.unwrap().unwrap();
        assert_eq!(current.access_token.expose_secret(), "access 1");
    });
}

#[test]
fn only_the_named_version_is_deleted() {
    run(async {
        let (vault, team) = (vault().await, ConnectionId::team());
        let first = vault.store(org(), &team, &tokens("1"), None).await.unwrap();
        let second = vault.store(org(), &team, &tokens("2"), Some(&first)).await.unwrap();

        assert!(!vault.delete_version(org(), &team, &first).await.unwrap());
        assert!(vault.load(org(), &team).await.unwrap().is_some());
        assert!(vault.delete_version(org(), &team, &second).await.unwrap());
        assert!(vault.load(org(), &team).await.unwrap().is_none());
        assert!(vault.delete_version(org(), &team, &second).await.unwrap(), "a repetition");

        let again = vault.store(org(), &team, &tokens("3"), None).await.unwrap();
        assert_ne!(again, first, "a version of a new secret has a name of its own");
        assert!(!vault.delete_version(org(), &team, &first).await.unwrap());
    });
}

#[test]
fn tokens_can_be_deleted_twice() {
    run(async {
        let (vault, team) = (vault().await, ConnectionId::team());
        vault.store(org(), &team, &tokens("1"), None).await.unwrap();
        vault.delete(org(), &team).await.unwrap();
        vault.delete(org(), &team).await.unwrap();
        assert!(vault.load(org(), &team).await.unwrap().is_none());
        vault.store(org(), &team, &tokens("2"), None).await.unwrap();
    });
}

#[test]
fn apps_are_read_again_after_five_minutes() {
    run(async {
        let (client, state, clock) = (client().await, state().await, Clock::manual(at(0)));
        let secret = state.physical("AppsSecret").unwrap();
        let put = |name: &str| {
            let text = format!(r#"{{"apps": [{{"name": "{name}", "client_id": "id", "client_secret": "hush"}}]}}"#);
            client.put_secret_value().secret_id(secret).secret_string(text).send()
        };
        put("v1").await.unwrap();
        let apps = Apps::new(client.clone(), secret, clock.clone());
        assert!(apps.find("v1").await.unwrap().is_some());

        put("v2").await.unwrap();
        assert!(apps.find("v2").await.unwrap().is_none());
        clock.advance(SignedDuration::from_mins(5));

        assert!(apps.find("v1").await.unwrap().is_none());
        assert!(apps.find("v2").await.unwrap().is_some());
        put("v3").await.unwrap();
        assert_eq!(apps.reload().await.unwrap()[0].app.name, "v3");
        assert!(apps.find("v3").await.unwrap().is_some());
    });
}

#[test]
fn a_missing_secret_is_an_error() {
    run(async {
        let apps = Apps::new(client().await, "no-such-secret", Clock::manual(at(0)));
        let refused = apps.load().await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    });
}
