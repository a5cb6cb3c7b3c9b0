//! Grants: what a user allowed an app, and the chain of refresh tokens that lives on it.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::session::Login;
use super::{App, BUSY, EXPIRED_TOKEN, Form, Granted, Logins, Refusal};
use crate::model::ids::RecordId;

const GRANTS_PER_USER_AND_APP: usize = 5;
/// The text of the refusal is that of `invalid_grant: ip restricted`, which clients report.
const IP_RESTRICTED: Refusal = Refusal::new("invalid_grant", "ip restricted");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) user: RecordId,
    pub(super) scope: String,
    opened_at: Timestamp,
    pub(super) used_at: Timestamp,
    /// A refresh is being worked on; nothing is after a restart.
    #[serde(skip)]
    busy: bool,
    pub(super) revoked: bool,
    /// The refresh token that is good now.
    pub(super) current: Option<String>,
}

impl Grant {
    /// Too old or too long unused, by the app's policy.
    fn expired(&self, app: &App, now: Timestamp) -> bool {
        let over = |days: Option<u32>, since: Timestamp| {
            days.is_some_and(|days| now.duration_since(since) > SignedDuration::from_hours(24 * i64::from(days)))
        };
        over(app.settings.idle_days, self.used_at) || over(app.settings.life_days, self.opened_at)
    }
}

/// A refresh that was accepted and is being worked on.
#[derive(Debug)]
pub(crate) struct Refresh {
    grant: u64,
    token: String,
    app: App,
}

impl Logins {
    /// A new grant; the oldest of too many for one user and app is revoked.
    pub(super) fn open_grant(&mut self, client_id: &str, user: RecordId, scope: &str, now: Timestamp) -> u64 {
        let living = self.living_grants(client_id, user);
        if let Some(oldest) = living.first().filter(|_| living.len() >= GRANTS_PER_USER_AND_APP) {
            self.revoke_grant(*oldest);
        }
        let number = self.grants.keys().next_back().map_or(1, |last| last + 1);
        let (client_id, scope) = (client_id.to_owned(), scope.to_owned());
        let (opened_at, used_at) = (now, now);
        let grant = Grant { client_id, user, scope, opened_at, used_at, busy: false, revoked: false, current: None };
        self.grants.insert(number, grant);
        number
    }

    /// Numbers of the grants of a user to an app, oldest first.
    pub(super) fn living_grants(&self, client_id: &str, user: RecordId) -> Vec<u64> {
        let same = |grant: &Grant| !grant.revoked && grant.user == user && grant.client_id == client_id;
        self.grants.iter().filter(|(_, grant)| same(grant)).map(|(number, _)| *number).collect()
    }

    pub(super) fn new_refresh_token(&mut self, grant: u64) -> String {
        let token = format!("5Aep861{}{}", self.random.text(), self.random.text());
        self.refresh_tokens.insert(token.clone(), grant);
        if let Some(grant) = self.grants.get_mut(&grant) {
            grant.current = Some(token.clone());
        }
        token
    }

    /// The grant of a refresh token that was ever given out.
    pub(super) fn grant_of(&self, refresh_token: &str) -> Option<&Grant> {
        self.grants.get(self.refresh_tokens.get(refresh_token)?)
    }

    /// The grant of a refresh token that can still be used.
    pub(super) fn live_grant(&self, refresh_token: &str, now: Timestamp) -> Option<&Grant> {
        let grant = self.grant_of(refresh_token)?;
        let app = self.apps.get(&grant.client_id)?;
        let is_current = grant.current.as_deref() == Some(refresh_token);
        (is_current && !grant.revoked && !grant.expired(&app, now)).then_some(grant)
    }

    /// Accepts a refresh, which then is finished with [`Logins::finish_refresh`]. The reuse of a spent token revokes its grant.
    pub(crate) fn begin_refresh(
        &mut self,
        form: &Form,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Refresh, Refusal> {
        let app = self.apps.client(form)?;
        let token = form.get("refresh_token");
        let number = *self.refresh_tokens.get(token).ok_or(EXPIRED_TOKEN)?;
        let grant = self.grants.get_mut(&number).ok_or(EXPIRED_TOKEN)?;
        if grant.revoked || grant.client_id != app.client_id || grant.expired(&app, now) {
            return Err(EXPIRED_TOKEN);
        }
        if !app.settings.admits(from) {
            return Err(IP_RESTRICTED);
        }
        if grant.current.as_deref() != Some(token) {
            self.revoke_grant(number);
            return Err(EXPIRED_TOKEN);
        }
        if std::mem::replace(&mut grant.busy, true) {
            return Err(BUSY);
        }
        Ok(Refresh { grant: number, token: token.to_owned(), app })
    }

    /// Gives out the new tokens of an accepted refresh.
    pub(crate) fn finish_refresh(&mut self, refresh: Refresh, org: &str, now: Timestamp) -> Result<Granted, Refusal> {
        let grant = self.grants.get_mut(&refresh.grant).ok_or(EXPIRED_TOKEN)?;
        grant.busy = false;
        grant.used_at = now;
        if grant.revoked || grant.current.as_ref() != Some(&refresh.token) {
            return Err(EXPIRED_TOKEN);
        }
        let (user, scope, app) = (grant.user, grant.scope.clone(), refresh.app);
        let rotates = app.settings.rotates_refresh_tokens.unwrap_or(self.rotates);
        let refresh_token = rotates.then(|| self.new_refresh_token(refresh.grant));
        let client_id = app.client_id.clone();
        let login = Login { user, grant: Some(refresh.grant), client_id, scope: scope.clone() };
        let access_token = self.log_in(org, login, now);
        Ok(Granted { app, user, scope, access_token, refresh_token, nonce: None, issued_at: now })
    }

    /// Ends a grant: its refresh tokens and its sessions.
    pub(super) fn revoke_grant(&mut self, number: u64) {
        if let Some(grant) = self.grants.get_mut(&number) {
            grant.revoked = true;
        }
        self.sessions.retain(|_, session| session.login.grant != Some(number));
    }

    /// Revokes a refresh token with the access tokens that came from it, or an access token alone (Mobile SDK guide, Revoking OAuth
    /// Tokens); `false` when it is unknown or dead.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(grant) = self.refresh_tokens.get(token).copied() {
            let living = self.grants.get(&grant).is_some_and(|grant| !grant.revoked);
            self.revoke_grant(grant);
            return living;
        }
        self.sessions.remove(token).is_some()
    }

    /// Revokes all grants of a user and ends the sessions.
    pub(crate) fn revoke_user(&mut self, user: RecordId) {
        self.revoke_where(|grant| grant.user == user);
        self.expire_sessions(user);
    }

    /// Revokes all grants to an app and ends its sessions.
    pub(crate) fn revoke_app(&mut self, client_id: &str) {
        self.revoke_where(|grant| grant.client_id == client_id);
        self.sessions.retain(|_, session| session.login.client_id != client_id);
    }

    fn revoke_where(&mut self, which: impl Fn(&Grant) -> bool) {
        let numbers: Vec<u64> =
            self.grants.iter().filter(|(_, grant)| which(grant)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.revoke_grant(number));
    }
}
