//! The app registrations (OAuth clients), in one secret. Several stand side by side, so that connections can move from an
//! older app to a newer one without a gap.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;
use salesforce::auth::App;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::Error;
use crate::ids::NAMESPACE;

pub mod sunset;

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
    /// Whether new consents may use it. An operator takes a newer app back by setting this to false.
    #[serde(default = "yes")]
    pub new_consents: bool,
    /// The day, in UTC, from whose beginning on it is used no more.
    #[serde(default)]
    pub sunset: Option<Date>,
}

fn yes() -> bool {
    true
}

impl AppRegistration {
    /// Whether its sunset has come.
    #[must_use]
    pub fn is_stopped(&self, now: Timestamp) -> bool {
        self.days_left(now).is_some_and(|days| days <= 0)
    }

    /// Whole days until its sunset, where it has one.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.sunset.map(|sunset| sunset.duration_since(today).as_hours() / 24)
    }
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
        if let Some(read) = read.as_ref().filter(|read| now.duration_since(read.at) < CACHE_TTL) {
            return Ok(read.apps.clone());
        }
        let answer = self.client.get_secret_value().secret_id(&self.secret).send().await.map_err(Error::aws(LOAD))?;
        let apps = parse(&answer.secret_string.unwrap_or_default().into())?;
        *read = Some(Read { apps: apps.clone(), at: now });
        Ok(apps)
    }

    /// The registration that new consents use: the last that takes them and is not stopped.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn newest(&self) -> Result<AppRegistration, Error> {
        let apps = self.load().await?;
        newest(&apps, self.clock.now()).cloned().ok_or_else(|| corrupt("no app takes new consents"))
    }

    /// The registration with this name, or `None` when it was taken out.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn find(&self, name: &str) -> Result<Option<AppRegistration>, Error> {
        Ok(self.load().await?.iter().find(|registration| registration.app.name == name).cloned())
    }
}

impl Apps {
    /// Sets members of one registration, and leaves all others as they are; `null` takes a member out.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no app with this name; [`Error::Conflict`] when somebody else has changed the secret
    /// meanwhile; [`Error::Corrupt`] when it would no longer be what it should be.
    pub async fn change(&self, name: &str, members: &[(&str, Value)]) -> Result<Arc<[AppRegistration]>, Error> {
        let answer = self.client.get_secret_value().secret_id(&self.secret).send().await.map_err(Error::aws(LOAD))?;
        let replaced = answer.version_id.unwrap_or_default();
        let changed = edited(&answer.secret_string.unwrap_or_default().into(), name, members)?;
        let apps = parse(&changed)?;
        if newest(&apps, self.clock.now()).is_none() {
            return Err(Error::Corrupt { operation: CHANGE, source: "no app would take new consents".into() });
        }
        let token = Uuid::new_v5(&NAMESPACE, format!("apps/{}/{replaced}", self.secret).as_bytes()).to_string();
        let request = self.client.put_secret_value().secret_id(&self.secret).client_request_token(token);
        match request.secret_string(changed.expose_secret()).send().await {
            Ok(_) => {}
            Err(error) => match error.as_service_error() {
                Some(PutSecretValueError::ResourceExistsException(_)) => {
                    return Err(Error::Conflict { operation: CHANGE });
                }
                _ => return Err(Error::aws(CHANGE)(error)),
            },
        }
        *self.read.lock().await = None;
        Ok(apps)
    }
}

/// The registration that new consents use.
#[must_use]
pub fn newest(apps: &[AppRegistration], now: Timestamp) -> Option<&AppRegistration> {
    apps.iter().rev().find(|registration| registration.new_consents && !registration.is_stopped(now))
}

fn edited(secret: &SecretString, name: &str, members: &[(&str, Value)]) -> Result<SecretString, Error> {
    let malformed = || corrupt("it is not of the form {\"apps\": [...]}");
    let mut registrations: Value = serde_json::from_str(secret.expose_secret()).map_err(|_| malformed())?;
    let apps = registrations["apps"].as_array_mut().ok_or_else(malformed)?;
    let app = apps.iter_mut().find(|app| app["name"] == name).and_then(Value::as_object_mut);
    let app = app.ok_or(Error::NotFound { operation: CHANGE, entity: "app" })?;
    for (member, value) in members {
        match value {
            Value::Null => drop(app.remove(*member)),
            value => drop(app.insert((*member).to_owned(), value.clone())),
        }
    }
    Ok(registrations.to_string().into())
}

const LOAD: &str = "load the app registrations";
const CHANGE: &str = "change the app registration";
/// A registration that was added or taken out is noticed after this.
const CACHE_TTL: SignedDuration = SignedDuration::from_mins(5);

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

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_registration_is_stopped_from_the_beginning_of_its_sunset() {
        let secret = edited(&TWO.into(), "v1", &[("sunset", "2027-03-01".into())]).unwrap();
        let v1 = &parse(&secret).unwrap()[0];
        assert_eq!(v1.days_left(at("2026-12-31T23:59:59Z")), Some(60));
        assert_eq!(v1.days_left(at("2027-02-28T23:59:59Z")), Some(1));
        assert!(!v1.is_stopped(at("2027-02-28T23:59:59Z")));
        assert!(v1.is_stopped(at("2027-03-01T00:00:00Z")));
    }

    #[test]
    fn new_consents_go_back_to_the_older_app_until_that_is_stopped() {
        let now = at("2026-11-22T10:00:00Z");
        let back = edited(&TWO.into(), "v2", &[("new_consents", false.into())]).unwrap();
        assert_eq!(newest(&parse(&back).unwrap(), now).unwrap().app.name, "v1");
        let stopped = edited(&back, "v1", &[("sunset", "2026-11-22".into())]).unwrap();
        assert!(newest(&parse(&stopped).unwrap(), now).is_none());
        let again = edited(&stopped, "v2", &[("new_consents", Value::Null)]).unwrap();
        assert_eq!(newest(&parse(&again).unwrap(), now).unwrap().app.name, "v2");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let changed = edited(&TWO.into(), "v2", &[("sunset", "2027-03-01".into())]).unwrap();
        let apps = parse(&changed).unwrap();
        assert_eq!(apps[1].install_url_production.as_deref(), Some("https://login/p"));
        assert_eq!(apps[1].app.client_secret.expose_secret(), "hush-2");
        assert!(matches!(edited(&TWO.into(), "v3", &[]), Err(Error::NotFound { .. })));
        assert!(parse(&edited(&TWO.into(), "v2", &[("sunset", "soon".into())]).unwrap()).is_err());
    }

    #[test]
    fn the_last_registration_is_the_newest() {
        let apps = parse(&TWO.into()).unwrap();
        let newest = newest(&apps, Timestamp::UNIX_EPOCH).unwrap();
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
