//! The flows of an org: which users may log in with an app, and the flows without a page (JWT bearer and client
//! credentials).

use std::net::IpAddr;

use super::assertion::Claims;
use super::code::may_refresh;
use super::{Form, Granted, Refresh};
use crate::model::ids::RecordId;
use crate::model::logins::Login;
use crate::model::logins::apps::App;
use crate::model::logins::policy::AppPolicy;
use crate::model::logins::refusal::Refusal;
use crate::model::org::Org;
use crate::model::value::Value;

const NOT_APPROVED: Refusal = Refusal::new("invalid_grant", "user hasn't approved this consumer");

impl Org {
    /// Returns the username and the name of the user's profile.
    fn names(&self, user: RecordId) -> (String, String) {
        let row = self.store.get("User", user);
        let value = |field: &str| row.map_or(Value::Null, |row| self.value("User", row, field).clone());
        let profile = value("ProfileId").as_id().and_then(|id| self.store.get("Profile", id));
        let profile = profile.map_or(String::new(), |row| self.value("Profile", row, "Name").as_text().to_owned());
        (value("Username").as_text().to_owned(), profile)
    }

    /// Returns an error when the user is inactive or frozen.
    pub(super) fn may_log_in(&self, user: RecordId) -> Result<(), Refusal> {
        let frozen = self.logins.frozen.contains(&user);
        if frozen || self.actor(user).is_none() { Err(Refusal::new("invalid_grant", "inactive user")) } else { Ok(()) }
    }

    /// Returns the error when the administrator's policy does not let the user authorize the app.
    pub(super) fn app_refusal(&self, client_id: &str, user: RecordId) -> Option<Refusal> {
        let (username, profile) = self.names(user);
        self.logins.policy(client_id).refusal(&username, &profile)
    }

    /// Returns whether no consent is needed: the user approved the app before, or the administrator did.
    pub(super) fn is_approved(&self, client_id: &str, user: RecordId) -> bool {
        let (username, profile) = self.names(user);
        self.logins.policy(client_id).approves(&username, &profile)
            || !self.logins.living_grants(client_id, user).is_empty()
    }

    /// Counts a login, if the user, the policy and the login rate permit it.
    pub(super) fn admit(&mut self, client_id: &str, user: RecordId) -> Result<(), Refusal> {
        self.may_log_in(user)?;
        if let Some(refusal) = self.app_refusal(client_id, user) {
            return Err(Refusal::new("invalid_app_access", refusal.description));
        }
        let now = self.clock.now();
        self.logins.count_login(user, now)
    }

    /// Exchanges a code for tokens.
    pub(super) fn exchange_code(&mut self, form: &Form) -> Result<Granted, Refusal> {
        self.logins.apps.client(form.get("client_id"), form.get("client_secret"))?;
        if let Some(consent) = self.logins.consent(form.get("code")) {
            let (client_id, user) = (consent.client_id.clone(), consent.user);
            self.admit(&client_id, user)?;
        }
        let (now, id) = (self.clock.now(), self.id);
        self.logins.exchange(form, id.short(), now)
    }

    /// Starts a refresh for a user who may log in.
    pub(super) fn begin_refresh(&mut self, form: &Form, from: Option<IpAddr>) -> Result<Refresh, Refusal> {
        let now = self.clock.now();
        self.logins.apps.client(form.get("client_id"), form.get("client_secret"))?;
        if let Some(grant) = self.logins.live_grant(form.get("refresh_token"), now) {
            let (client_id, user) = (grant.client_id.clone(), grant.user);
            self.admit(&client_id, user)?;
        }
        self.logins.begin_refresh(form, from, now)
    }

    /// Runs the JWT bearer flow (OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration), for users who approved
    /// the app with a refresh token before, or whom the administrator approved.
    pub(super) fn bearer_assertion(&mut self, app: App, claims: &Claims) -> Result<Granted, Refusal> {
        let user = self.user_named(&claims.subject).ok_or(NOT_APPROVED)?;
        let (username, profile) = self.names(user);
        let pre_approved = self.logins.policy(&app.client_id).approves(&username, &profile);
        let scope =
            if pre_approved { without(&app.settings.usual_scope(), &[]) } else { self.approved_scope(&app, user)? };
        self.admit(&app.client_id, user)?;
        Ok(self.unattended(app, user, &without(&scope, &["refresh_token", "offline_access"])))
    }

    /// Returns all scopes of the user's grants that include a refresh token.
    fn approved_scope(&self, app: &App, user: RecordId) -> Result<String, Refusal> {
        let grants = self.logins.living_grants(&app.client_id, user);
        let scopes = grants.iter().filter_map(|n| self.logins.grants.get(n)).map(|grant| grant.scope.as_str());
        let mut all: Vec<&str> = scopes.filter(|scope| may_refresh(scope)).flat_map(str::split_whitespace).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() { Err(NOT_APPROVED) } else { Ok(all.join(" ")) }
    }

    /// Runs the client credentials flow, as the user whom the administrator selected.
    pub(super) fn client_credentials(&mut self, form: &Form) -> Result<Granted, Refusal> {
        let app = self.logins.apps.client(form.get("client_id"), form.get("client_secret"))?;
        let AppPolicy { run_as, installed, blocked, .. } = self.logins.policy(&app.client_id);
        if !installed || blocked {
            return Err(Refusal::new("invalid_app_access", "app is not installed or is blocked in this org"));
        }
        let user = run_as.and_then(|username| self.user_named(&username));
        let user = user.ok_or(Refusal::new("invalid_grant", "no client credentials user enabled"))?;
        self.may_log_in(user)?;
        let now = self.clock.now();
        self.logins.count_login(user, now)?;
        let scope = without(&app.settings.usual_scope(), &["full", "web", "refresh_token", "offline_access"]);
        Ok(self.unattended(app, user, &scope))
    }

    /// Opens a session without a grant.
    pub(super) fn unattended(&mut self, app: App, user: RecordId, scope: &str) -> Granted {
        let (now, id) = (self.clock.now(), self.id);
        let login = Login { user, grant: None, client_id: app.client_id.clone(), scope: scope.to_owned() };
        let access_token = self.logins.log_in(id.short(), login, now);
        let (refresh_token, nonce) = (None, None);
        Granted { app, user, scope: scope.to_owned(), access_token, refresh_token, nonce, issued_at: now }
    }
}

/// Returns a scope without some of its parts.
pub(super) fn without(scope: &str, left_out: &[&str]) -> String {
    scope.split_whitespace().filter(|scope| !left_out.contains(scope)).collect::<Vec<_>>().join(" ")
}
