//! The OAuth state of an org: apps, authorization codes, grants with their refresh tokens, and sessions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;
use crate::model::logins::apps::{App, Apps};
use crate::model::logins::error::OAuthError;
use crate::model::logins::limits::LoginLimits;
use crate::model::logins::policy::AppPolicy;
use crate::model::random::Random;

pub(crate) mod apps;
pub(crate) mod code;
pub(crate) mod error;
pub(crate) mod grant;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod session;

const SESSION_LIFETIME: Duration = Duration::from_hours(2);

/// Logins of one user allowed in an hour (Login Rate Limits; the number is unverified).
const LOGINS_PER_HOUR: u32 = 3_600;

/// The OAuth state of an org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// The apps of the realm, which are saved with the realm.
    #[serde(skip)]
    pub(crate) apps: Apps,
    random: Random,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) grants: BTreeMap<u64, Grant>,
    /// Every refresh token ever issued, with the number of its grant.
    pub(crate) refresh_tokens: HashMap<String, u64>,
    pub(crate) sessions: HashMap<String, Session>,
    /// The administrator's policy for each app, by client id.
    policies: BTreeMap<String, AppPolicy>,
    /// Users who are frozen and may not log in.
    pub(crate) frozen: BTreeSet<RecordId>,
    /// Login hours and login IP ranges, by profile.
    #[serde(default)]
    pub(crate) limits: BTreeMap<RecordId, LoginLimits>,
    /// "Lock sessions to the IP address from which they originated" of the session settings.
    #[serde(default)]
    pub(crate) locks_sessions: bool,
    /// "Enforce login IP ranges on every request" of the session settings.
    #[serde(default)]
    pub(crate) checks_every_request: bool,
    /// Users without the permission "API Enabled".
    pub(crate) without_api: BTreeSet<RecordId>,
    pub(crate) rotates: bool,
    /// The username-password flow is enabled.
    #[serde(default)]
    pub(crate) password_flow: bool,
    /// The time that a refresh takes.
    pub(crate) processing: Duration,
    /// The time after which an unused session expires.
    pub(crate) session_life: Duration,
    /// The number of uses after which a new session ends; unlimited when absent.
    pub(crate) calls_per_session: Option<u32>,
    pub(crate) logins_per_hour: u32,
    /// For each user, the hour of the last login and the number of logins in that hour.
    recent: BTreeMap<RecordId, (i64, u32)>,
}

impl Logins {
    /// Returns everything that grants access: codes, refresh tokens (also the invalidated ones) and access tokens.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.codes.keys().chain(self.refresh_tokens.keys()).chain(self.sessions.keys()).cloned().collect()
    }

    /// Returns the state of an org in which no user has logged in.
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
            limits: BTreeMap::new(),
            locks_sessions: false,
            checks_every_request: false,
            without_api: BTreeSet::new(),
            rotates: true,
            password_flow: false,
            processing: Duration::from_millis(25),
            session_life: SESSION_LIFETIME,
            calls_per_session: None,
            logins_per_hour: LOGINS_PER_HOUR,
            recent: BTreeMap::new(),
        }
    }

    /// Returns the same state with the apps of another realm, for a loaded org.
    pub(crate) fn with_apps(self, apps: Apps) -> Self {
        Self { apps, ..self }
    }

    /// Returns the state of a new sandbox copy: the administrator's settings, without logins.
    pub(crate) fn without_logins(self, random: Random) -> Self {
        let Self { apps, policies, frozen, without_api, password_flow, limits, .. } = self;
        let (locks_sessions, checks_every_request) = (self.locks_sessions, self.checks_every_request);
        let new = Self::new(apps, random);
        Self { policies, frozen, without_api, password_flow, limits, locks_sessions, checks_every_request, ..new }
    }

    /// Registers an app; a registered one keeps its redirect URIs, to which this one is added.
    pub(crate) fn add_app(&mut self, name: &str, client_id: &str, secret: &str, redirect_uri: &str) {
        self.apps.add(name, client_id, secret, redirect_uri);
    }

    pub(crate) fn apps(&self) -> Vec<App> {
        self.apps.all()
    }

    /// Returns the administrator's policy for an app.
    pub(crate) fn policy(&self, client_id: &str) -> AppPolicy {
        self.policies.get(client_id).cloned().unwrap_or_default()
    }

    /// Sets the administrator's policy for an app. Blocking or uninstalling the app revokes its grants and sessions.
    pub(crate) fn set_policy(&mut self, client_id: &str, policy: AppPolicy) {
        if policy.blocked || !policy.installed {
            self.revoke_app(client_id);
        }
        self.policies.insert(client_id.to_owned(), policy);
    }

    /// Counts a login; an error when the user has reached the limit for this hour.
    pub(crate) fn count_login(&mut self, user: RecordId, now: Timestamp) -> Result<(), OAuthError> {
        let hour = now.as_second().div_euclid(3_600);
        let (counted, logins) = self.recent.entry(user).or_insert((hour, 0));
        if *counted != hour {
            (*counted, *logins) = (hour, 0);
        }
        if *logins >= self.logins_per_hour {
            return Err(OAuthError::new("rate_limit_exceeded", "login rate exceeded"));
        }
        *logins += 1;
        Ok(())
    }
}

/// The consent of a user, stored with the authorization code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) user: RecordId,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) code_challenge: Option<String>,
    pub(crate) nonce: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) consent: Consent,
    pub(crate) expires_at: Timestamp,
    pub(crate) used: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) user: RecordId,
    pub(crate) scope: String,
    opened_at: Timestamp,
    pub(crate) used_at: Timestamp,
    /// A refresh is in progress; not saved.
    #[serde(skip)]
    pub(crate) busy: bool,
    pub(crate) revoked: bool,
    /// The refresh token that is valid now.
    pub(crate) current: Option<String>,
}

impl Grant {
    /// Returns whether the app's policy has ended the grant, by age or by disuse.
    pub(crate) fn expired(&self, app: &App, now: Timestamp) -> bool {
        let over = |days: Option<u32>, since: Timestamp| {
            days.is_some_and(|days| now.duration_since(since) > SignedDuration::from_hours(24 * i64::from(days)))
        };
        over(app.settings.idle_days, self.used_at) || over(app.settings.life_days, self.opened_at)
    }
}

/// The user of a session, the app and the scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: RecordId,
    /// The grant that it came from; none for a session that a test opened, JWT bearer and client credentials.
    pub(crate) grant: Option<u64>,
    /// The app; empty for a session that a test opened.
    pub(crate) client_id: String,
    pub(crate) scope: String,
    /// The address of the client, if it is known.
    #[serde(default)]
    pub(crate) from: Option<IpAddr>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) login: Login,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The remaining uses; unlimited when absent.
    calls_left: Option<u32>,
}
