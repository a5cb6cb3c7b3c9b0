//! OAuth as the handle drives it: login hosts, apps with their settings and policies, sessions and grants.

use std::time::Duration;

use super::{Port, Server, Simulator};
use crate::Error;
use crate::identity::registrations;
use crate::model::kind::Environment;
use crate::model::logins::policy::{AppPolicy, AppSettings};
use crate::model::people;

impl Simulator {
    /// Address of the login host of production orgs and Developer Editions, without a trailing slash.
    #[must_use]
    pub fn login_url(&self) -> &str {
        self.shared.realm.login_url(Environment::Production)
    }

    /// Address of the login host of sandboxes.
    #[must_use]
    pub fn sandbox_login_url(&self) -> &str {
        self.shared.realm.login_url(Environment::Sandbox)
    }

    /// Registers an OAuth app; for a client id that is known, adds the redirect URI and replaces the secret.
    pub fn add_app(&self, name: &str, client_id: &str, client_secret: &str, redirect_uri: &str) {
        self.shared.org().logins.add_app(name, client_id, client_secret, redirect_uri);
    }

    /// Sets what the vendor settles for an app, in every org.
    pub fn set_app_settings(&self, client_id: &str, settings: AppSettings) -> Result<(), Error> {
        registrations::set_app_settings(&self.shared.realm, client_id, settings)
    }

    /// Sets what this org's administrator settles for an app. Blocking or uninstalling it revokes its tokens.
    pub fn set_app_policy(&self, client_id: &str, policy: AppPolicy) -> Result<(), Error> {
        registrations::set_app_policy(&self.shared, client_id, policy)
    }

    /// Gives an app a new secret. The old one is good too until [`Simulator::delete_older_app_secret`].
    pub fn rotate_app_secret(&self, client_id: &str) -> Result<String, Error> {
        registrations::rotate_app_secret(&self.shared, client_id)
    }

    /// Ends the secret that an app had before the last rotation. All tokens of the app are revoked, in every org.
    pub fn delete_older_app_secret(&self, client_id: &str) -> Result<(), Error> {
        registrations::delete_older_app_secret(&self.shared.realm, client_id)
    }

    /// Ends all access tokens of the user; refresh tokens live on.
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

    /// Switches rotation of refresh tokens on (the default) or off.
    pub fn rotate_refresh_tokens(&self, on: bool) {
        self.shared.org().logins.rotates = on;
    }

    /// Allows the username-password flow in the org, or forbids it (the default).
    pub fn allow_password_flow(&self, on: bool) {
        self.shared.org().logins.password_flow = on;
    }

    /// How long the token endpoint works on a refresh; a second refresh within that time is refused as already being processed.
    pub fn set_token_processing_time(&self, time: Duration) {
        self.shared.org().logins.processing = time;
    }

    /// How long an access token lives after its last use; two hours unless told otherwise. Sessions there are keep their end
    /// until they are used.
    pub fn set_session_life(&self, life: Duration) {
        self.shared.org().logins.session_life = life;
    }

    /// Ends each session that is opened from now on after so many uses.
    pub fn end_sessions_after(&self, uses: Option<u32>) {
        self.shared.org().logins.calls_per_session = uses;
    }

    /// How often a user may log in within an hour; 3,600 unless told otherwise.
    pub fn set_logins_per_hour(&self, logins: u32) {
        self.shared.org().logins.logins_per_hour = logins;
    }

    /// Moves the org to another instance, and gives its address, which the next tokens bring as `instance_url`. The org's own host
    /// at [`Simulator::url`] goes on logging people in, and redirects requests for data.
    pub async fn move_instance(&self) -> Result<String, Error> {
        let port = Port::take(self.shared.realm.address(), 0).await?;
        let url = port.url.clone();
        self.shared.realm.keep(Server::of_instance(port, self.shared.clone()));
        let mut org = self.shared.org();
        let before = std::mem::replace(&mut org.base_url, url.clone());
        org.login_url.get_or_insert(before);
        Ok(url)
    }

    /// Freezes a user, who then can neither log in nor refresh, or lets the user in again.
    pub fn set_user_frozen(&self, username: &str, frozen: bool) -> Result<(), Error> {
        people::set_frozen(&mut self.shared.org(), username, frozen)
    }

    /// Gives a user the permission "API Enabled", which all users have at first, or takes it.
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
