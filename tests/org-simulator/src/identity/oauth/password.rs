//! The username-password flow, which older orgs may still allow (OAuth 2.0 Username-Password Flow for Special Scenarios).
//!
//! It is disabled by default, as in orgs created since Summer '23.

use super::{Form, IssuedTokens};
use crate::model::logins::apps::App;
use crate::model::logins::error::OAuthError;
use crate::model::org::Org;

/// Grant type of the flow.
pub(super) const PASSWORD: &str = "password";

impl Org {
    /// Logs a user in with the password and the security token appended. The session has no grant, so there is no
    /// refresh token.
    pub(super) fn password_login(&mut self, app: App, form: &Form) -> Result<IssuedTokens, OAuthError> {
        let user =
            self.user_named(form.get("username")).ok_or(OAuthError::new("invalid_grant", "authentication failure"))?;
        if !self.passwords.verify(user, form.get("password")) {
            return Err(OAuthError::new("invalid_grant", "authentication failure - Invalid Password"));
        }
        self.count_login_if_allowed(&app.client_id, user, form.from())?;
        let scope = app.settings.default_scope();
        Ok(self.open_session_without_grant(
            app,
            user,
            &super::flows::without_scopes(&scope, &["refresh_token", "offline_access", "openid"]),
            form.from(),
        ))
    }
}
