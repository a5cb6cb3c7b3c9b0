//! The app registrations (OAuth clients), in one secret.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;
use salesforce::auth::App;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::Error;

/// One OAuth client of Ferry's, side by side with older ones.
#[derive(Clone, Debug, Deserialize)]
pub struct AppRegistration {
    /// What the token endpoint needs.
    #[serde(flatten)]
    pub app: App,
    /// Where an admin of a production org installs its package.
    #[serde(default)]
    pub install_url_production: Option<String>,
    /// Where an admin of a sandbox installs its package.
    #[serde(default)]
    pub install_url_sandbox: Option<String>,
}

/// The app registrations, read at most every five minutes.
#[derive(Clone, Debug)]
pub struct Apps {
    client: Client,
    secret: String,
    clock: Clock,
    read: Arc<Mutex<Option<Read>>>,
}

#[derive(Clone, Debug)]
struct Read {
    apps: Arc<[AppRegistration]>,
    at: Timestamp,
}

#[derive(Deserialize)]
struct Registrations {
    apps: Vec<AppRegistration>,
}

impl Apps {
    /// From the secret with this ARN or name.
    pub fn new(client: Client, secret: impl Into<String>, clock: Clock) -> Self {
        Self { client, secret: secret.into(), clock, read: Arc::default() }
    }

    /// Every registration, the newest last; there is at least one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the secret is not what it should be.
    pub async fn load(&self) -> Result<Arc<[AppRegistration]>, Error> {
        let mut read = self.read.lock().await;
        let now = self.clock.now();
        if let Some(read) = read.as_ref().filter(|read| now.duration_since(read.at) < GOOD_FOR) {
            return Ok(read.apps.clone());
        }
        let answer = self.client.get_secret_value().secret_id(&self.secret).send().await.map_err(Error::aws(LOAD))?;
        let apps = parse(&answer.secret_string.unwrap_or_default().into())?;
        *read = Some(Read { apps: apps.clone(), at: now });
        Ok(apps)
    }

    /// The registration that new consents use.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn newest(&self) -> Result<AppRegistration, Error> {
        let apps = self.load().await?;
        apps.last().cloned().ok_or_else(|| corrupt("there is no app"))
    }

    /// The registration with this name, or `None` when it was taken out.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn named(&self, name: &str) -> Result<Option<AppRegistration>, Error> {
        Ok(self.load().await?.iter().find(|registration| registration.app.name == name).cloned())
    }
}

const LOAD: &str = "load the apps";
/// A registration that was added or taken out is noticed after this.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The parser's own error is dropped: it may quote the secret.
fn parse(secret: &SecretString) -> Result<Arc<[AppRegistration]>, Error> {
    let registrations: Registrations =
        serde_json::from_str(secret.expose_secret()).map_err(|_| corrupt("it is not of the form {\"apps\": [...]}"))?;
    let names: BTreeSet<&str> = registrations.apps.iter().map(|registration| registration.app.name.as_str()).collect();
    match registrations.apps.len() {
        0 => Err(corrupt("there is no app")),
        apps if apps > names.len() => Err(corrupt("two apps have the same name")),
        _ => Ok(registrations.apps.into()),
    }
}

fn corrupt(what: &'static str) -> Error {
    Error::Corrupt { operation: LOAD, source: what.into() }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    const TWO: &str = r#"{"apps": [
        {"name": "v1", "client_id": "id1", "client_secret": "hush-1"},
        {"name": "v2", "client_id": "id2", "client_secret": "hush-2", "install_url_production": "https://login/p"}
    ]}"#;

    #[test]
    fn the_last_registration_is_the_newest() {
        let apps = parse(&TWO.into()).unwrap();
        let newest = apps.last().unwrap();
        assert_eq!((newest.app.name.as_str(), newest.app.client_id.as_str()), ("v2", "id2"));
        assert_eq!(newest.install_url_production.as_deref(), Some("https://login/p"));
        assert_eq!(newest.install_url_sandbox, None);
    }

    #[test]
    fn a_secret_without_apps_or_with_a_name_twice_is_refused() {
        for secret in [r#"{"apps": []}"#, "{}", "", &TWO.replace("v2", "v1")] {
            assert!(parse(&secret.into()).is_err(), "{secret}");
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_client_secret() {
        let error = parse(&TWO.replace("\"v1\"", "7").into()).unwrap_err();
        let shown = format!("{:?} {error:?} {:?}", parse(&TWO.into()).unwrap(), error.source());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
