//! The flows of an org: which users may log in with an app, and the flows without a page (JWT bearer and client
//! credentials).

use std::net::IpAddr;

use super::assertion::Claims;
use super::code::may_refresh;
use super::{Form, IssuedTokens, Refresh};
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::logins::Login;
use crate::model::logins::apps::App;
use crate::model::logins::error::OAuthError;
use crate::model::logins::policy::AppPolicy;
use crate::model::org::Org;
use crate::model::value::Value;

/// The error outside the login hours or the login IP ranges of a profile (OAuth 2.0 error codes).
const RESTRICTED: OAuthError = OAuthError::new("invalid_grant", "ip restricted or invalid login hours");
const NOT_APPROVED: OAuthError = OAuthError::new("invalid_grant", "user hasn't approved this consumer");

impl Org {
    /// Returns the username and the name of the user's profile.
    fn username_and_profile(&self, user: RecordId) -> (String, String) {
        let row = self.store.get("User", user);
        let value = |field: &str| row.map_or(Value::Null, |row| self.value("User", row, field).clone());
        let profile = value("ProfileId").as_id().and_then(|id| self.store.get("Profile", id));
        let profile = profile.map_or(String::new(), |row| self.value("Profile", row, "Name").as_text().to_owned());
        (value("Username").as_text().to_owned(), profile)
    }

    /// Returns an error when the user is inactive or frozen.
    pub(super) fn may_log_in(&self, user: RecordId) -> Result<(), OAuthError> {
        let frozen = self.logins.frozen.contains(&user);
        if frozen || self.actor(user).is_none() {
            Err(OAuthError::new("invalid_grant", "inactive user"))
        } else {
            Ok(())
        }
    }

    /// Returns an error when the user may not log in, or not now, or not from the address.
    pub(super) fn may_log_in_from(&self, user: RecordId, from: Option<IpAddr>) -> Result<(), OAuthError> {
        self.may_log_in(user)?;
        let allowed = |actor: Actor| self.is_login_time(&actor) && self.is_login_address(&actor, from);
        if self.actor(user).is_some_and(allowed) { Ok(()) } else { Err(RESTRICTED) }
    }

    /// Returns the error when the administrator's policy does not let the user authorize the app.
    pub(super) fn app_error(&self, client_id: &str, user: RecordId) -> Option<OAuthError> {
        let (username, profile) = self.username_and_profile(user);
        self.logins.policy(client_id).authorization_error(&username, &profile)
    }

    /// Returns whether no consent is needed: the user approved the app before, or the administrator did.
    pub(super) fn is_approved(&self, client_id: &str, user: RecordId) -> bool {
        let (username, profile) = self.username_and_profile(user);
        self.logins.policy(client_id).approves(&username, &profile)
            || !self.logins.active_grants(client_id, user).is_empty()
    }

    /// Counts a login, if the user, the policy and the login rate permit it.
    pub(super) fn count_login_if_allowed(
        &mut self,
        client_id: &str,
        user: RecordId,
        from: Option<IpAddr>,
    ) -> Result<(), OAuthError> {
        self.may_log_in_from(user, from)?;
        if let Some(error) = self.app_error(client_id, user) {
            return Err(OAuthError::new("invalid_app_access", error.description));
        }
        let now = self.clock.now();
        self.logins.count_login(user, now)
    }

    /// Exchanges a code for tokens.
    pub(super) fn exchange_code(&mut self, form: &Form) -> Result<IssuedTokens, OAuthError> {
        self.logins.apps.authenticate(form.get("client_id"), form.get("client_secret"))?;
        if let Some(consent) = self.logins.consent(form.get("code")) {
            let (client_id, user) = (consent.client_id.clone(), consent.user);
            self.count_login_if_allowed(&client_id, user, form.from())?;
        }
        let (now, id) = (self.clock.now(), self.id);
        self.logins.exchange(form, id.short(), now)
    }

    /// Starts a refresh for a user who may log in.
    pub(super) fn begin_refresh(&mut self, form: &Form) -> Result<Refresh, OAuthError> {
        let now = self.clock.now();
        self.logins.apps.authenticate(form.get("client_id"), form.get("client_secret"))?;
        if let Some(grant) = self.logins.active_grant(form.get("refresh_token"), now) {
            let (client_id, user) = (grant.client_id.clone(), grant.user);
            self.count_login_if_allowed(&client_id, user, form.from())?;
        }
        self.logins.begin_refresh(form, now)
    }

    /// Runs the JWT bearer flow (OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration), for users who approved
    /// the app with a refresh token before, or whom the administrator approved.
    pub(super) fn bearer_assertion(
        &mut self,
        app: App,
        claims: &Claims,
        from: Option<IpAddr>,
    ) -> Result<IssuedTokens, OAuthError> {
        let user = self.user_named(&claims.subject).ok_or(NOT_APPROVED)?;
        let (username, profile) = self.username_and_profile(user);
        let pre_approved = self.logins.policy(&app.client_id).approves(&username, &profile);
        let scope = if pre_approved {
            without_scopes(&app.settings.default_scope(), &[])
        } else {
            self.approved_scope(&app, user)?
        };
        self.count_login_if_allowed(&app.client_id, user, from)?;
        let scope = without_scopes(&scope, &["refresh_token", "offline_access"]);
        Ok(self.open_session_without_grant(app, user, &scope, from))
    }

    /// Returns all scopes of the user's grants that include a refresh token.
    fn approved_scope(&self, app: &App, user: RecordId) -> Result<String, OAuthError> {
        let grants = self.logins.active_grants(&app.client_id, user);
        let scopes = grants.iter().filter_map(|n| self.logins.grants.get(n)).map(|grant| grant.scope.as_str());
        let mut all: Vec<&str> = scopes.filter(|scope| may_refresh(scope)).flat_map(str::split_whitespace).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() { Err(NOT_APPROVED) } else { Ok(all.join(" ")) }
    }

    /// Runs the client credentials flow, as the user whom the administrator selected.
    pub(super) fn client_credentials(&mut self, form: &Form) -> Result<IssuedTokens, OAuthError> {
        let app = self.logins.apps.authenticate(form.get("client_id"), form.get("client_secret"))?;
        let AppPolicy { run_as, installed, blocked, .. } = self.logins.policy(&app.client_id);
        if !installed || blocked {
            return Err(OAuthError::new("invalid_app_access", "app is not installed or is blocked in this org"));
        }
        let user = run_as.and_then(|username| self.user_named(&username));
        let user = user.ok_or(OAuthError::new("invalid_grant", "no client credentials user enabled"))?;
        self.may_log_in_from(user, form.from())?;
        let now = self.clock.now();
        self.logins.count_login(user, now)?;
        let scope = without_scopes(&app.settings.default_scope(), &["full", "web", "refresh_token", "offline_access"]);
        Ok(self.open_session_without_grant(app, user, &scope, form.from()))
    }

    /// Opens a session without a grant.
    pub(super) fn open_session_without_grant(
        &mut self,
        app: App,
        user: RecordId,
        scope: &str,
        from: Option<IpAddr>,
    ) -> IssuedTokens {
        let (now, id) = (self.clock.now(), self.id);
        let login = Login { user, grant: None, client_id: app.client_id.clone(), scope: scope.to_owned(), from };
        let access_token = self.logins.log_in(id.short(), login, now);
        let (refresh_token, nonce) = (None, None);
        IssuedTokens { app, user, scope: scope.to_owned(), access_token, refresh_token, nonce, issued_at: now }
    }
}

/// Returns a scope without some of its parts.
pub(super) fn without_scopes(scope: &str, left_out: &[&str]) -> String {
    scope.split_whitespace().filter(|scope| !left_out.contains(scope)).collect::<Vec<_>>().join(" ")
}
