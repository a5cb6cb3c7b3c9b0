//! The username-password flow, which older orgs may still allow (OAuth 2.0 Username-Password Flow for Special Scenarios).
//!
//! It is disabled by default, as in orgs created since Summer '23.

use super::{Form, Granted};
use crate::model::logins::apps::App;
use crate::model::logins::refusal::Refusal;
use crate::model::org::Org;

/// Grant type of the flow.
pub(super) const PASSWORD: &str = "password";

impl Org {
    /// Logs a user in with the password and the security token appended. The session has no grant, so there is no
    /// refresh token.
    pub(super) fn password_login(&mut self, app: App, form: &Form) -> Result<Granted, Refusal> {
        let user =
            self.user_named(form.get("username")).ok_or(Refusal::new("invalid_grant", "authentication failure"))?;
        if !self.passwords.admits(user, form.get("password")) {
            return Err(Refusal::new("invalid_grant", "authentication failure - Invalid Password"));
        }
        self.admit(&app.client_id, user)?;
        let scope = app.settings.usual_scope();
        Ok(self.unattended(
            app,
            user,
            &super::standing::without(&scope, &["refresh_token", "offline_access", "openid"]),
        ))
    }
}
