//! Logins: apps, authorization codes, grants with their refresh tokens, and sessions. Pure state; [`http`] is its HTTP side.

mod apps;
mod assertion;
mod authorize;
mod browser;
mod code;
mod consent_page;
mod form;
mod grant;
pub(crate) mod host;
pub(crate) mod http;
mod identity;
mod keys;
mod overview;
mod password;
mod policy;
mod session;
mod standing;
mod token;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::model::ids::RecordId;
use crate::model::random::Random;

pub(crate) use apps::{App, Apps};
pub(crate) use assertion::is_certificate;
pub(crate) use form::Form;
pub(crate) use grant::Refresh;
pub(crate) use keys::Keys;
pub use policy::{AppPolicy, AppSettings};

use code::Code;
use grant::Grant;
use session::Session;

const SESSION_LIFE: Duration = Duration::from_hours(2);
/// Logins of one user in an hour (Login Rate Limits; the number is unverified).
const LOGINS_PER_HOUR: u32 = 3_600;

/// A refusal of an OAuth endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

impl Refusal {
    const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description }
    }

    pub(crate) fn body(&self) -> Json {
        json!({"error": self.error, "error_description": self.description})
    }
}

const EXPIRED_TOKEN: Refusal = Refusal::new("invalid_grant", "expired access/refresh token");
const BUSY: Refusal = Refusal::new("invalid_grant", "token request is already being processed");

/// A token answer before it is made into JSON.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) app: App,
    pub(crate) user: RecordId,
    pub(crate) scope: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) issued_at: Timestamp,
}

/// All logins of an org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// Those of the realm, which are saved with the realm.
    #[serde(skip)]
    apps: Apps,
    random: Random,
    codes: HashMap<String, Code>,
    grants: BTreeMap<u64, Grant>,
    /// Every refresh token ever given out, with its grant.
    refresh_tokens: HashMap<String, u64>,
    sessions: HashMap<String, Session>,
    /// What the administrator settled for an app, by client id.
    policies: BTreeMap<String, AppPolicy>,
    /// Users who may not log in for now.
    pub(crate) frozen: BTreeSet<RecordId>,
    /// Users without the permission "API Enabled".
    pub(crate) without_api: BTreeSet<RecordId>,
    pub(crate) rotates: bool,
    /// The username-password flow is allowed.
    #[serde(default)]
    pub(crate) password_flow: bool,
    /// How long a refresh takes.
    pub(crate) processing: Duration,
    /// How long a session lives after its last use.
    pub(crate) session_life: Duration,
    /// After how many uses a new session ends, where a test wants that.
    pub(crate) calls_per_session: Option<u32>,
    pub(crate) logins_per_hour: u32,
    /// Logins of each user in the hour of the last one.
    recent: BTreeMap<RecordId, (i64, u32)>,
}

impl Logins {
    /// What opens a door: codes, refresh tokens, the spent ones too, and access tokens.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.codes.keys().chain(self.refresh_tokens.keys()).chain(self.sessions.keys()).cloned().collect()
    }

    /// Nobody has logged in yet.
    pub(crate) fn new(apps: Apps, random: Random) -> Self {
        Self {
            apps,
            random,
            codes: HashMap::new(),
            grants: BTreeMap::new(),
            refresh_tokens: HashMap::new(),
            sessions: HashMap::new(),
            policies: BTreeMap::new(),
            frozen: BTreeSet::new(),
            without_api: BTreeSet::new(),
            rotates: true,
            password_flow: false,
            processing: Duration::from_millis(25),
            session_life: SESSION_LIFE,
            calls_per_session: None,
            logins_per_hour: LOGINS_PER_HOUR,
            recent: BTreeMap::new(),
        }
    }

    /// The same logins among the apps of another realm, as after loading.
    pub(crate) fn with_apps(self, apps: Apps) -> Self {
        Self { apps, ..self }
    }

    /// Nobody logged in, and what the administrator settled unchanged: so a sandbox begins.
    pub(crate) fn without_logins(self, random: Random) -> Self {
        let Self { apps, policies, frozen, without_api, password_flow, .. } = self;
        Self { policies, frozen, without_api, password_flow, ..Self::new(apps, random) }
    }

    /// Registers an app; a known one keeps its redirect URIs and gets one more.
    pub(crate) fn add_app(&mut self, name: &str, client_id: &str, secret: &str, redirect_uri: &str) {
        self.apps.add(name, client_id, secret, redirect_uri);
    }

    pub(crate) fn apps(&self) -> Vec<App> {
        self.apps.all()
    }

    /// What the administrator settled for an app.
    pub(crate) fn policy(&self, client_id: &str) -> AppPolicy {
        self.policies.get(client_id).cloned().unwrap_or_default()
    }

    /// Settles what an app may. Blocking or uninstalling it revokes what it has.
    pub(crate) fn set_policy(&mut self, client_id: &str, policy: AppPolicy) {
        if policy.blocked || !policy.installed {
            self.revoke_app(client_id);
        }
        self.policies.insert(client_id.to_owned(), policy);
    }

    /// Counts a login, unless the user had too many in this hour.
    fn count_login(&mut self, user: RecordId, now: Timestamp) -> Result<(), Refusal> {
        let hour = now.as_second().div_euclid(3_600);
        let (counted, logins) = self.recent.entry(user).or_insert((hour, 0));
        if *counted != hour {
            (*counted, *logins) = (hour, 0);
        }
        if *logins >= self.logins_per_hour {
            return Err(Refusal::new("rate_limit_exceeded", "login rate exceeded"));
        }
        *logins += 1;
        Ok(())
    }
}

/// base64url of a SHA-256, without padding: a PKCE challenge.
pub(crate) fn sha256_url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

/// base64 of HMAC-SHA256 under the client secret over identity URL and issue time, which proves a token answer.
pub(crate) fn signature(secret: &str, identity_url: &str, issued_at: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(identity_url.as_bytes());
    mac.update(issued_at.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
