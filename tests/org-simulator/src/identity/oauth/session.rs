//! The use of access tokens in the data API.

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

/// Scopes with which the data API may be called.
const API_SCOPES: [&str; 3] = ["api", "full", "web"];

impl Org {
    /// Returns the user of an access token for the data API.
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
