//! Logins: apps, authorization codes, grants with their refresh tokens, and sessions. Pure state; [`http`] is its HTTP side.

mod apps;
mod form;
pub(crate) mod http;
mod identity;
mod keys;
mod overview;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::ids::RecordId;
use crate::random::Random;

pub(crate) use apps::{App, Apps};
pub(crate) use form::Form;
pub(crate) use keys::Keys;

const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(2);
const IDLE_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
const GRANTS_PER_USER_AND_APP: usize = 5;

/// What a person agreed to, waiting behind a code.
#[derive(Clone, Debug)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) user: RecordId,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) code_challenge: Option<String>,
    pub(crate) nonce: Option<String>,
}

#[derive(Debug)]
struct Code {
    consent: Consent,
    expires_at: Timestamp,
    used: bool,
}

#[derive(Debug)]
struct Grant {
    client_id: String,
    user: RecordId,
    scope: String,
    used_at: Timestamp,
    /// A refresh is being worked on.
    busy: bool,
    revoked: bool,
}

#[derive(Clone, Debug)]
struct Session {
    user: RecordId,
    grant: Option<u64>,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

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
const EXPIRED_CODE: Refusal = Refusal::new("invalid_grant", "expired authorization code");
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

/// A refresh that was accepted and is being worked on.
#[derive(Debug)]
pub(crate) struct Refresh {
    grant: u64,
    token: String,
    app: App,
}

/// All logins of an org.
#[derive(Debug)]
pub(crate) struct Logins {
    apps: Apps,
    random: Random,
    codes: HashMap<String, Code>,
    grants: BTreeMap<u64, Grant>,
    /// Every refresh token ever given out, with its grant; the current one of a grant is the last given.
    refresh_tokens: HashMap<String, u64>,
    current: HashMap<u64, String>,
    sessions: HashMap<String, Session>,
    pub(crate) rotates: bool,
    /// How long a refresh takes.
    pub(crate) processing: Duration,
}

/// base64url of a SHA-256, without padding: a PKCE challenge.
pub(crate) fn sha256_url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

impl Logins {
    /// Nobody has logged in yet.
    pub(crate) fn new(apps: Apps, random: Random) -> Self {
        Self {
            apps,
            random,
            codes: HashMap::new(),
            grants: BTreeMap::new(),
            refresh_tokens: HashMap::new(),
            current: HashMap::new(),
            sessions: HashMap::new(),
            rotates: true,
            processing: Duration::from_millis(25),
        }
    }

    /// Registers an app; a known one keeps its redirect URIs and gets one more.
    pub(crate) fn add_app(&mut self, name: &str, client_id: &str, secret: &str, redirect_uri: &str) {
        self.apps.add(name, client_id, secret, redirect_uri);
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<App> {
        self.apps.get(client_id)
    }

    pub(crate) fn apps(&self) -> Vec<App> {
        self.apps.all()
    }

    /// Gives out a code for what was agreed to.
    pub(crate) fn issue_code(&mut self, consent: Consent, now: Timestamp) -> String {
        let code = format!("aPrx{}==", self.random.text());
        let expires_at = now.saturating_add(CODE_LIFE).unwrap_or(now);
        self.codes.insert(code.clone(), Code { consent, expires_at, used: false });
        code
    }

    /// The app that a token request comes from, if its secret is right.
    fn client(&self, form: &Form) -> Result<App, Refusal> {
        let app =
            self.app(form.get("client_id")).ok_or(Refusal::new("invalid_client_id", "client identifier invalid"))?;
        let right: bool = app.secret.as_bytes().ct_eq(form.get("client_secret").as_bytes()).into();
        if right { Ok(app) } else { Err(Refusal::new("invalid_client", "invalid client credentials")) }
    }

    /// Turns a code into tokens, once.
    pub(crate) fn exchange(&mut self, form: &Form, now: Timestamp) -> Result<Granted, Refusal> {
        let app = self.client(form)?;
        let code =
            self.codes.get_mut(form.get("code")).ok_or(Refusal::new("invalid_grant", "invalid authorization code"))?;
        if code.used || now >= code.expires_at {
            return Err(EXPIRED_CODE);
        }
        code.used = true;
        let consent = code.consent.clone();
        if consent.client_id != app.client_id {
            return Err(Refusal::new("invalid_grant", "invalid authorization code"));
        }
        if consent.redirect_uri != form.get("redirect_uri") {
            return Err(Refusal::new("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        check_verifier(&consent, form.get("code_verifier"))?;
        let grant = self.open_grant(&consent, now);
        let refresh_token = may_refresh(&consent.scope).then(|| self.new_refresh_token(grant));
        let access_token = self.open_session(form.get("org"), consent.user, Some(grant), now);
        let (user, scope, nonce) = (consent.user, consent.scope, consent.nonce);
        Ok(Granted { app, user, scope, access_token, refresh_token, nonce, issued_at: now })
    }

    /// A new grant; the oldest of too many for one user and app is revoked.
    fn open_grant(&mut self, consent: &Consent, now: Timestamp) -> u64 {
        let same = |grant: &&u64| {
            self.grants
                .get(grant)
                .is_some_and(|g| !g.revoked && g.user == consent.user && g.client_id == consent.client_id)
        };
        let living: Vec<u64> = self.grants.keys().filter(same).copied().collect();
        if let Some(oldest) = living.first().filter(|_| living.len() >= GRANTS_PER_USER_AND_APP) {
            self.revoke_grant(*oldest);
        }
        let number = self.grants.keys().next_back().map_or(1, |last| last + 1);
        let (client_id, scope) = (consent.client_id.clone(), consent.scope.clone());
        self.grants
            .insert(number, Grant { client_id, user: consent.user, scope, used_at: now, busy: false, revoked: false });
        number
    }

    fn new_refresh_token(&mut self, grant: u64) -> String {
        let token = format!("5Aep861{}{}", self.random.text(), self.random.text());
        self.refresh_tokens.insert(token.clone(), grant);
        self.current.insert(grant, token.clone());
        token
    }

    /// Opens a session; `org` is the 15-character id that begins an access token.
    pub(crate) fn open_session(&mut self, org: &str, user: RecordId, grant: Option<u64>, now: Timestamp) -> String {
        let token = format!("{org}!AQ{}{}", self.random.text(), self.random.text());
        let expires_at = now.saturating_add(SESSION_LIFE).unwrap_or(now);
        self.sessions.insert(token.clone(), Session { user, grant, issued_at: now, expires_at });
        token
    }

    /// Accepts a refresh, which then is finished with [`Logins::finish_refresh`]. The reuse of a spent token revokes its grant.
    pub(crate) fn begin_refresh(&mut self, form: &Form, now: Timestamp) -> Result<Refresh, Refusal> {
        let app = self.client(form)?;
        let token = form.get("refresh_token");
        let number = *self.refresh_tokens.get(token).ok_or(EXPIRED_TOKEN)?;
        let is_current = self.current.get(&number).is_some_and(|current| current == token);
        let grant = self.grants.get_mut(&number).ok_or(EXPIRED_TOKEN)?;
        if grant.revoked || grant.client_id != app.client_id || now.duration_since(grant.used_at) > IDLE_LIFE {
            return Err(EXPIRED_TOKEN);
        }
        if !is_current {
            self.revoke_grant(number);
            return Err(EXPIRED_TOKEN);
        }
        if std::mem::replace(&mut grant.busy, true) {
            return Err(BUSY);
        }
        Ok(Refresh { grant: number, token: token.to_owned(), app })
    }

    /// Gives out the new tokens of an accepted refresh.
    pub(crate) fn finish_refresh(&mut self, refresh: Refresh, org: &str, now: Timestamp) -> Result<Granted, Refusal> {
        let grant = self.grants.get_mut(&refresh.grant).ok_or(EXPIRED_TOKEN)?;
        grant.busy = false;
        grant.used_at = now;
        if grant.revoked || self.current.get(&refresh.grant) != Some(&refresh.token) {
            return Err(EXPIRED_TOKEN);
        }
        let (user, scope) = (grant.user, grant.scope.clone());
        let refresh_token = self.rotates.then(|| self.new_refresh_token(refresh.grant));
        let access_token = self.open_session(org, user, Some(refresh.grant), now);
        Ok(Granted { app: refresh.app, user, scope, access_token, refresh_token, nonce: None, issued_at: now })
    }

    /// Ends a grant: its refresh tokens and its sessions.
    fn revoke_grant(&mut self, number: u64) {
        if let Some(grant) = self.grants.get_mut(&number) {
            grant.revoked = true;
        }
        self.sessions.retain(|_, session| session.grant != Some(number));
    }

    /// Revokes an access or refresh token; `false` when it is unknown.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(grant) = self.refresh_tokens.get(token).copied() {
            let living = self.grants.get(&grant).is_some_and(|grant| !grant.revoked);
            self.revoke_grant(grant);
            return living;
        }
        let Some(session) = self.sessions.remove(token) else { return false };
        if let Some(grant) = session.grant {
            self.revoke_grant(grant);
        }
        true
    }

    /// Ends all sessions of a user and leaves the grants.
    pub(crate) fn expire_sessions(&mut self, user: RecordId) {
        self.sessions.retain(|_, session| session.user != user);
    }

    /// Revokes all grants of a user.
    pub(crate) fn revoke_user(&mut self, user: RecordId) {
        let theirs: Vec<u64> =
            self.grants.iter().filter(|(_, grant)| grant.user == user).map(|(number, _)| *number).collect();
        theirs.into_iter().for_each(|grant| self.revoke_grant(grant));
        self.expire_sessions(user);
    }

    /// The user of a live session, which use prolongs.
    pub(crate) fn session_user(&mut self, token: &str, now: Timestamp) -> Option<RecordId> {
        let session = self.sessions.get_mut(token).filter(|session| now < session.expires_at)?;
        session.expires_at = now.saturating_add(SESSION_LIFE).unwrap_or(now);
        Some(session.user)
    }

    /// What introspection says about a token.
    pub(crate) fn introspect(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Option<(RecordId, Timestamp, Timestamp, Option<&str>)> {
        let session = self.sessions.get(token).filter(|session| now < session.expires_at)?;
        let scope = session.grant.and_then(|grant| self.grants.get(&grant)).map(|grant| grant.scope.as_str());
        Some((session.user, session.issued_at, session.expires_at, scope))
    }

    /// Live sessions and live grants of a user.
    pub(crate) fn counts(&self, user: RecordId, now: Timestamp) -> (usize, usize) {
        let sessions =
            self.sessions.values().filter(|session| session.user == user && now < session.expires_at).count();
        (sessions, self.grants.values().filter(|grant| grant.user == user && !grant.revoked).count())
    }
}

fn may_refresh(scope: &str) -> bool {
    scope.split_whitespace().any(|scope| matches!(scope, "refresh_token" | "offline_access"))
}

/// Lengths of a code verifier: at least those of RFC 7636, and 128 random bytes in Base64, as jsforce makes it.
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=172;

fn check_verifier(consent: &Consent, verifier: &str) -> Result<(), Refusal> {
    match &consent.code_challenge {
        None => Ok(()),
        Some(_) if verifier.is_empty() => Err(Refusal::new("invalid_grant", "code verifier is required")),
        Some(challenge) if VERIFIER.contains(&verifier.len()) && sha256_url(verifier) == *challenge => Ok(()),
        Some(_) => Err(Refusal::new("invalid_request", "invalid code verifier")),
    }
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
