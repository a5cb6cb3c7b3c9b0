//! The handle's methods for OAuth: login hosts, apps with their settings and policies, sessions and grants.

use std::time::Duration;

use super::{Port, Server, Simulator};
use crate::Error;
use crate::identity::registrations;
use crate::model::kind::Environment;
use crate::model::logins::policy::{AppPolicy, AppSettings};
use crate::model::people;

impl Simulator {
    /// Returns the address of the login host of production orgs and Developer Editions, without a trailing slash.
    #[must_use]
    pub fn login_url(&self) -> &str {
        self.shared.realm.login_url(Environment::Production)
    }

    /// Returns the address of the login host of sandboxes.
    #[must_use]
    pub fn sandbox_login_url(&self) -> &str {
        self.shared.realm.login_url(Environment::Sandbox)
    }

    /// Registers an OAuth app; for a registered client id, adds the redirect URI and replaces the secret.
    pub fn add_app(&self, name: &str, client_id: &str, client_secret: &str, redirect_uri: &str) {
        self.shared.org().logins.add_app(name, client_id, client_secret, redirect_uri);
    }

    /// Sets the vendor's settings of an app, in every org.
    pub fn set_app_settings(&self, client_id: &str, settings: AppSettings) -> Result<(), Error> {
        registrations::set_app_settings(&self.shared.realm, client_id, settings)
    }

    /// Sets the policy of this org's administrator for an app. Blocking or uninstalling it revokes its tokens.
    pub fn set_app_policy(&self, client_id: &str, policy: AppPolicy) -> Result<(), Error> {
        registrations::set_app_policy(&self.shared, client_id, policy)
    }

    /// Issues a new secret for an app. The old one stays valid until [`Simulator::delete_older_app_secret`].
    pub fn rotate_app_secret(&self, client_id: &str) -> Result<String, Error> {
        registrations::rotate_app_secret(&self.shared, client_id)
    }

    /// Deletes the secret that an app had before the last rotation. All tokens of the app are revoked, in every org.
    pub fn delete_older_app_secret(&self, client_id: &str) -> Result<(), Error> {
        registrations::delete_older_app_secret(&self.shared.realm, client_id)
    }

    /// Ends all access tokens of the user; refresh tokens stay valid.
    pub fn expire_sessions(&self, username: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let user = people::actor(&org, username)?.user;
        org.logins.expire_sessions(user);
        Ok(())
    }

    /// Revokes all grants of the user: access and refresh tokens.
    pub fn revoke_grants(&self, username: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let user = people::actor(&org, username)?.user;
        org.logins.revoke_user(user);
        Ok(())
    }

    /// Enables (the default) or disables the rotation of refresh tokens.
    pub fn rotate_refresh_tokens(&self, on: bool) {
        self.shared.org().logins.rotates = on;
    }

    /// Enables the username-password flow in the org, or disables it (the default).
    pub fn allow_password_flow(&self, on: bool) {
        self.shared.org().logins.password_flow = on;
    }

    /// Sets the time that the token endpoint takes for a refresh; a second refresh within that time is rejected as
    /// already being processed.
    pub fn set_token_processing_time(&self, time: Duration) {
        self.shared.org().logins.processing = time;
    }

    /// Sets the time after which an unused access token expires; two hours by default. Existing sessions keep their
    /// expiry until they are used.
    pub fn set_session_life(&self, life: Duration) {
        self.shared.org().logins.session_life = life;
    }

    /// Ends each session that is opened from now on after this number of uses.
    pub fn end_sessions_after(&self, uses: Option<u32>) {
        self.shared.org().logins.calls_per_session = uses;
    }

    /// Sets the number of times a user may log in within an hour; 3,600 by default.
    pub fn set_logins_per_hour(&self, logins: u32) {
        self.shared.org().logins.logins_per_hour = logins;
    }

    /// Moves the org to another instance and returns its address, which is the `instance_url` of the next tokens. The
    /// org's own host at [`Simulator::url`] continues to serve OAuth, and redirects requests for data.
    pub async fn move_instance(&self) -> Result<String, Error> {
        let port = Port::take(self.shared.realm.address(), 0).await?;
        let url = port.url.clone();
        self.shared.realm.keep(Server::of_instance(port, self.shared.clone()));
        let mut org = self.shared.org();
        let before = std::mem::replace(&mut org.base_url, url.clone());
        org.login_url.get_or_insert(before);
        Ok(url)
    }

    /// Freezes a user, who then can neither log in nor refresh, or unfreezes the user.
    pub fn set_user_frozen(&self, username: &str, frozen: bool) -> Result<(), Error> {
        people::set_frozen(&mut self.shared.org(), username, frozen)
    }

    /// Grants a user the permission "API Enabled", which all users have at first, or removes it.
    pub fn set_user_api_enabled(&self, username: &str, enabled: bool) -> Result<(), Error> {
        let mut org = self.shared.org();
        let user = people::actor(&org, username)?.user;
        if enabled {
            org.logins.without_api.remove(&user)
        } else {
            org.logins.without_api.insert(user)
        };
        Ok(())
    }
}
