//! Sessions and their access tokens.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::model::ids::RecordId;
use crate::model::logins::{Login, Logins, Session};

impl Logins {
    /// Opens a session without an app. `org` is the org's 15-character id, with which an access token begins.
    pub(crate) fn open_session(&mut self, org: &str, user: RecordId, now: Timestamp) -> String {
        self.open_session_from(org, user, None, now)
    }

    /// Opens a session without an app for a client at an address.
    pub(crate) fn open_session_from(
        &mut self,
        org: &str,
        user: RecordId,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> String {
        self.log_in(org, Login { user, grant: None, client_id: String::new(), scope: "api".to_owned(), from }, now)
    }

    pub(crate) fn log_in(&mut self, org: &str, login: Login, now: Timestamp) -> String {
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

    /// Ends all sessions of a user; the grants stay.
    pub(crate) fn expire_sessions(&mut self, user: RecordId) {
        self.sessions.retain(|_, session| session.login.user != user);
    }

    /// Returns the user of a valid session and extends the session.
    pub(crate) fn session_user(&mut self, token: &str, now: Timestamp) -> Option<RecordId> {
        self.used_session(token, now).map(|session| session.login.user)
    }

    pub(crate) fn used_session(&mut self, token: &str, now: Timestamp) -> Option<&Session> {
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

    /// Returns a valid session without extending it.
    pub(crate) fn session(&self, token: &str, now: Timestamp) -> Option<&Session> {
        self.sessions.get(token).filter(|session| now < session.expires_at && session.calls_left != Some(0))
    }

    /// Returns the user of a valid session without extending it.
    pub(crate) fn owner(&self, token: &str, now: Timestamp) -> Option<RecordId> {
        self.session(token, now).map(|session| session.login.user)
    }

    /// Returns the numbers of valid sessions and of grants of a user.
    pub(crate) fn counts(&self, user: RecordId, now: Timestamp) -> (usize, usize) {
        let sessions = self.sessions.values().filter(|s| s.login.user == user && now < s.expires_at).count();
        (sessions, self.grants.values().filter(|grant| grant.user == user && !grant.revoked).count())
    }
}
