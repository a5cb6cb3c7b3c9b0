//! The app registrations (OAuth clients), in one secret. Several exist side by side, so that connections can move from
//! an older app to a newer one.

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
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::Error;
use crate::ids::NAMESPACE;

pub mod sunset;

/// An OAuth client, with the secret that authenticates it.
#[derive(Clone, Debug, Deserialize)]
pub struct AppRegistration {
    /// Everything but the secret.
    #[serde(flatten)]
    pub app: PublicApp,
    /// The consumer secret. It is also the key of the signature on token responses.
    client_secret: SecretString,
}

impl AppRegistration {
    /// Returns the parameters of the token endpoint.
    #[must_use]
    pub fn credentials(&self) -> App {
        App {
            name: self.app.name.clone(),
            client_id: self.app.client_id.clone(),
            client_secret: self.client_secret.clone(),
        }
    }
}

/// The part of an app registration that is no secret. No member can hold one, so the token broker returns it to any caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicApp {
    /// The name under which connections store the app that they belong to.
    pub name: String,
    /// The consumer key, which every authorize URL shows.
    pub client_id: String,
    /// The URL at which an admin of a production org installs the app's package.
    #[serde(default)]
    pub install_url_production: Option<String>,
    /// The URL at which an admin of a sandbox installs the app's package.
    #[serde(default)]
    pub install_url_sandbox: Option<String>,
    /// `true` if new consents may use the app. An operator rolls a newer app back by setting it to false.
    #[serde(default = "default_true")]
    pub new_consents: bool,
    /// The day, in UTC, from which the app is no longer used.
    #[serde(default)]
    pub sunset: Option<Date>,
}

fn default_true() -> bool {
    true
}

impl PublicApp {
    /// Returns whether the sunset has passed.
    #[must_use]
    pub fn is_stopped(&self, now: Timestamp) -> bool {
        self.days_left(now).is_some_and(|days| days <= 0)
    }

    /// Returns the whole days until the sunset, if there is one.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.sunset.map(|sunset| sunset.duration_since(today).as_hours() / 24)
    }
}

/// The app registrations, cached for five minutes.
#[derive(Clone, Debug)]
pub struct Apps {
    client: Client,
    secret: String,
    clock: Clock,
    cache: Arc<Mutex<Option<Cached>>>,
}

#[derive(Clone, Debug)]
struct Cached {
    apps: Arc<[AppRegistration]>,
    read_at: Timestamp,
}

#[derive(Deserialize)]
struct Registrations {
    apps: Vec<AppRegistration>,
}

impl Apps {
    /// Creates a client for the secret with this ARN or name.
    pub fn new(client: Client, secret: impl Into<String>, clock: Clock) -> Self {
        Self { client, secret: secret.into(), clock, cache: Arc::default() }
    }

    /// Returns every registration, the newest last. There is at least one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the secret is malformed.
    pub async fn load(&self) -> Result<Arc<[AppRegistration]>, Error> {
        let mut cache = self.cache.lock().await;
        let now = self.clock.now();
        match cache.as_ref().filter(|cached| now.duration_since(cached.read_at) < CACHE_TTL) {
            Some(cached) => Ok(cached.apps.clone()),
            None => self.read(&mut cache).await,
        }
    }

    /// Returns every registration as [`Apps::load`] does, but reads the secret in any case. For a caller that has a cache of
    /// its own.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn reload(&self) -> Result<Arc<[AppRegistration]>, Error> {
        self.read(&mut *self.cache.lock().await).await
    }

    async fn read(&self, cache: &mut Option<Cached>) -> Result<Arc<[AppRegistration]>, Error> {
        let read_at = self.clock.now();
        let response = self.client.get_secret_value().secret_id(&self.secret).send().await.map_err(Error::aws(LOAD))?;
        let apps = parse(&response.secret_string.unwrap_or_default().into())?;
        *cache = Some(Cached { apps: apps.clone(), read_at });
        Ok(apps)
    }

    /// Returns the registration with this name, or `None` if it was removed.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn find(&self, name: &str) -> Result<Option<AppRegistration>, Error> {
        Ok(self.load().await?.iter().find(|registration| registration.app.name == name).cloned())
    }
}

impl Apps {
    /// Sets members of one registration; `null` removes a member. Everything else stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such app; [`Error::Conflict`] if the secret changed in between;
    /// [`Error::Corrupt`] if the changed secret would be malformed.
    pub async fn change(&self, name: &str, members: &[(&str, Value)]) -> Result<Arc<[AppRegistration]>, Error> {
        let response = self.client.get_secret_value().secret_id(&self.secret).send().await.map_err(Error::aws(LOAD))?;
        let replaced = response.version_id.unwrap_or_default();
        let changed = with_members(&response.secret_string.unwrap_or_default().into(), name, members)?;
        let apps = parse(&changed)?;
        if newest(public(&apps), self.clock.now()).is_none() {
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
        *self.cache.lock().await = None;
        Ok(apps)
    }
}

/// Returns the registrations without their secrets.
pub fn public(apps: &[AppRegistration]) -> impl DoubleEndedIterator<Item = &PublicApp> {
    apps.iter().map(|registration| &registration.app)
}

/// Returns the app for new consents: the last that accepts them and is not past its sunset.
#[must_use]
pub fn newest<'a>(apps: impl DoubleEndedIterator<Item = &'a PublicApp>, now: Timestamp) -> Option<&'a PublicApp> {
    apps.rev().find(|app| app.new_consents && !app.is_stopped(now))
}

fn with_members(secret: &SecretString, name: &str, members: &[(&str, Value)]) -> Result<SecretString, Error> {
    let malformed = || corrupt("the secret is not of the form {\"apps\": [...]}");
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
/// The time after which a changed secret is noticed.
const CACHE_TTL: SignedDuration = SignedDuration::from_mins(5);

/// The parser's error is dropped, because it may quote the secret.
fn parse(secret: &SecretString) -> Result<Arc<[AppRegistration]>, Error> {
    let registrations: Registrations = serde_json::from_str(secret.expose_secret())
        .map_err(|_| corrupt("the secret is not of the form {\"apps\": [...]}"))?;
    let names: BTreeSet<&str> = registrations.apps.iter().map(|registration| registration.app.name.as_str()).collect();
    match registrations.apps.len() {
        0 => Err(corrupt("the secret has no app")),
        apps if apps > names.len() => Err(corrupt("two apps have the same name")),
        _ => Ok(registrations.apps.into()),
    }
}

fn corrupt(reason: &'static str) -> Error {
    Error::Corrupt { operation: LOAD, source: reason.into() }
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
        let secret = with_members(&TWO.into(), "v1", &[("sunset", "2027-03-01".into())]).unwrap();
        let v1 = &parse(&secret).unwrap()[0].app;
        assert_eq!(v1.days_left(at("2026-12-31T23:59:59Z")), Some(60));
        assert_eq!(v1.days_left(at("2027-02-28T23:59:59Z")), Some(1));
        assert!(!v1.is_stopped(at("2027-02-28T23:59:59Z")));
        assert!(v1.is_stopped(at("2027-03-01T00:00:00Z")));
    }

    #[test]
    fn new_consents_go_back_to_the_older_app_until_that_is_stopped() {
        let now = at("2026-11-22T10:00:00Z");
        let back = with_members(&TWO.into(), "v2", &[("new_consents", false.into())]).unwrap();
        assert_eq!(newest(public(&parse(&back).unwrap()), now).unwrap().name, "v1");
        let stopped = with_members(&back, "v1", &[("sunset", "2026-11-22".into())]).unwrap();
        assert!(newest(public(&parse(&stopped).unwrap()), now).is_none());
        let again = with_members(&stopped, "v2", &[("new_consents", Value::Null)]).unwrap();
        assert_eq!(newest(public(&parse(&again).unwrap()), now).unwrap().name, "v2");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let changed = with_members(&TWO.into(), "v2", &[("sunset", "2027-03-01".into())]).unwrap();
        let apps = parse(&changed).unwrap();
        assert_eq!(apps[1].app.install_url_production.as_deref(), Some("https://login/p"));
        assert_eq!(apps[1].credentials().client_secret.expose_secret(), "hush-2");
        assert!(matches!(with_members(&TWO.into(), "v3", &[]), Err(Error::NotFound { .. })));
        assert!(parse(&with_members(&TWO.into(), "v2", &[("sunset", "soon".into())]).unwrap()).is_err());
    }

    #[test]
    fn the_last_registration_is_the_newest() {
        let apps = parse(&TWO.into()).unwrap();
        let newest = newest(public(&apps), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((newest.name.as_str(), newest.client_id.as_str()), ("v2", "id2"));
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
