//! The use of access tokens in the data API.

use std::net::IpAddr;

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

/// Scopes with which the data API may be called.
const API_SCOPES: [&str; 3] = ["api", "full", "web"];

impl Org {
    /// Returns whether the login hours of the user's profile include the present, in the org's time zone.
    pub(crate) fn is_login_time(&self, actor: &Actor) -> bool {
        self.logins
            .limits
            .get(&actor.profile)
            .is_none_or(|limits| limits.allows_time(self.default_time_zone().to_datetime(self.clock.now())))
    }

    /// Returns whether the login IP ranges of the user's profile include the address.
    pub(crate) fn is_login_address(&self, actor: &Actor, from: Option<IpAddr>) -> bool {
        self.logins.limits.get(&actor.profile).is_none_or(|limits| limits.allows_address(from))
    }

    /// Returns the user of a valid session and extends it, with the session's scope. A session is not valid outside the login
    /// hours, from another address if sessions are locked to theirs, and outside the IP ranges if these hold for every
    /// request. (That such a session looks like an expired one is reported; for login hours it is unverified.)
    pub(crate) fn session_actor(&mut self, token: &str, from: Option<IpAddr>) -> Option<(Actor, String)> {
        let now = self.clock.now();
        let (locks, checks) = (self.logins.locks_sessions, self.logins.checks_every_request);
        let session = self.logins.session(token, now)?;
        let moved = locks && session.login.from.is_some() && session.login.from != from;
        let (user, scope) = (session.login.user, session.login.scope.clone());
        if moved {
            return None;
        }
        self.logins.used_session(token, now)?;
        let actor = self.actor(user)?;
        let allowed = self.is_login_time(&actor) && (!checks || self.is_login_address(&actor, from));
        allowed.then_some((actor, scope))
    }

    /// Returns the user of an access token for the data API.
    pub(crate) fn api_actor(&mut self, token: &str, from: Option<IpAddr>) -> Result<Actor, ApiError> {
        let (actor, scope) = self.session_actor(token, from).ok_or_else(ApiError::session_expired)?;
        let user = actor.user;
        if !scope.split_whitespace().any(|scope| API_SCOPES.contains(&scope)) {
            let message = "This session is not valid for use with the REST API";
            return Err(ApiError::new("INVALID_SESSION_ID", message).status(401));
        }
        if !self.features.api || self.logins.without_api.contains(&user) {
            let message = "API is not enabled for this Organization or Partner";
            return Err(ApiError::new("API_DISABLED_FOR_ORG", message).status(403));
        }
        if self.logins.frozen.contains(&user) { Err(ApiError::session_expired()) } else { Ok(actor) }
    }
}
