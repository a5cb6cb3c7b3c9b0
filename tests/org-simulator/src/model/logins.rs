//! The logins of an org: apps, authorization codes, grants with their refresh tokens, and sessions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;
use crate::model::logins::apps::{App, Apps};
use crate::model::logins::policy::AppPolicy;
use crate::model::logins::refusal::Refusal;
use crate::model::random::Random;

pub(crate) mod apps;
pub(crate) mod code;
pub(crate) mod grant;
pub(crate) mod policy;
pub(crate) mod refusal;
pub(crate) mod session;

const SESSION_LIFE: Duration = Duration::from_hours(2);

/// Logins of one user in an hour (Login Rate Limits; the number is unverified).
const LOGINS_PER_HOUR: u32 = 3_600;

/// All logins of an org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// Those of the realm, which are saved with the realm.
    #[serde(skip)]
    pub(crate) apps: Apps,
    random: Random,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) grants: BTreeMap<u64, Grant>,
    /// Every refresh token ever given out, with its grant.
    pub(crate) refresh_tokens: HashMap<String, u64>,
    pub(crate) sessions: HashMap<String, Session>,
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
    pub(crate) fn count_login(&mut self, user: RecordId, now: Timestamp) -> Result<(), Refusal> {
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

/// What a person agreed to, waiting behind a code.
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
    /// A refresh is being worked on; nothing is after a restart.
    #[serde(skip)]
    pub(crate) busy: bool,
    pub(crate) revoked: bool,
    /// The refresh token that is good now.
    pub(crate) current: Option<String>,
}

impl Grant {
    /// Too old or too long unused, by the app's policy.
    pub(crate) fn expired(&self, app: &App, now: Timestamp) -> bool {
        let over = |days: Option<u32>, since: Timestamp| {
            days.is_some_and(|days| now.duration_since(since) > SignedDuration::from_hours(24 * i64::from(days)))
        };
        over(app.settings.idle_days, self.used_at) || over(app.settings.life_days, self.opened_at)
    }
}

/// Who is logged in, by which app and for what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: RecordId,
    /// The grant it came from; none for a test's own session, JWT bearer and client credentials.
    pub(crate) grant: Option<u64>,
    /// The app; empty for a test's own session.
    pub(crate) client_id: String,
    pub(crate) scope: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) login: Login,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Uses that are left, where a test counts them.
    calls_left: Option<u32>,
}
