//! Access tokens: whose they are, what they are good for, and when they end.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Logins;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Scopes with which the data API may be called.
const API_SCOPES: [&str; 3] = ["api", "full", "web"];

/// Who is logged in, by which app and for what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) user: RecordId,
    /// The grant it came from; none for a test's own session, JWT bearer and client credentials.
    pub(super) grant: Option<u64>,
    /// The app; empty for a test's own session.
    pub(super) client_id: String,
    pub(super) scope: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) login: Login,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    /// Uses that are left, where a test counts them.
    calls_left: Option<u32>,
}

impl Logins {
    /// Opens a session without an app; `org` is the 15-character id that begins an access token.
    pub(crate) fn open_session(&mut self, org: &str, user: RecordId, now: Timestamp) -> String {
        self.log_in(org, Login { user, grant: None, client_id: String::new(), scope: "api".to_owned() }, now)
    }

    pub(super) fn log_in(&mut self, org: &str, login: Login, now: Timestamp) -> String {
        let token = format!("{org}!AQ{}{}", self.random.text(), self.random.text());
        let expires_at = self.session_end(now);
        let session = Session { login, issued_at: now, expires_at, calls_left: self.calls_per_session };
        self.sessions.insert(token.clone(), session);
        token
    }

    fn session_end(&self, now: Timestamp) -> Timestamp {
        let life = SignedDuration::try_from(self.session_life).unwrap_or(SignedDuration::MAX);
        now.saturating_add(life).unwrap_or(now)
    }

    /// Ends all sessions of a user and leaves the grants.
    pub(crate) fn expire_sessions(&mut self, user: RecordId) {
        self.sessions.retain(|_, session| session.login.user != user);
    }

    /// The user of a live session, which use prolongs.
    pub(crate) fn session_user(&mut self, token: &str, now: Timestamp) -> Option<RecordId> {
        self.used_session(token, now).map(|session| session.login.user)
    }

    fn used_session(&mut self, token: &str, now: Timestamp) -> Option<&Session> {
        let end = self.session_end(now);
        let session = self.sessions.get_mut(token).filter(|session| now < session.expires_at)?;
        match &mut session.calls_left {
            Some(0) => return None,
            Some(calls) => *calls -= 1,
            None => {}
        }
        session.expires_at = end;
        Some(session)
    }

    /// A session that still lives, without using it.
    pub(super) fn session(&self, token: &str, now: Timestamp) -> Option<&Session> {
        self.sessions.get(token).filter(|session| now < session.expires_at && session.calls_left != Some(0))
    }

    /// Whose a session is; looking is no use of it.
    pub(crate) fn owner(&self, token: &str, now: Timestamp) -> Option<RecordId> {
        self.session(token, now).map(|session| session.login.user)
    }

    /// Live sessions and live grants of a user.
    pub(crate) fn counts(&self, user: RecordId, now: Timestamp) -> (usize, usize) {
        let sessions = self.sessions.values().filter(|s| s.login.user == user && now < s.expires_at).count();
        (sessions, self.grants.values().filter(|grant| grant.user == user && !grant.revoked).count())
    }
}

impl Org {
    /// Who calls the data API with this token.
    pub(crate) fn api_actor(&mut self, token: &str) -> Result<Actor, ApiError> {
        let now = self.clock.now();
        let session = self.logins.used_session(token, now).ok_or_else(ApiError::session_expired)?;
        let user = session.login.user;
        if !session.login.scope.split_whitespace().any(|scope| API_SCOPES.contains(&scope)) {
            let message = "This session is not valid for use with the REST API";
            return Err(ApiError::new("INVALID_SESSION_ID", message).status(401));
        }
        if !self.features.api || self.logins.without_api.contains(&user) {
            let message = "API is not enabled for this Organization or Partner";
            return Err(ApiError::new("API_DISABLED_FOR_ORG", message).status(403));
        }
        self.actor(user).filter(|_| !self.logins.frozen.contains(&user)).ok_or_else(ApiError::session_expired)
    }
}
