//! Grants: a user's approval of an app, with its chain of refresh tokens.

use jiff::Timestamp;

use crate::model::ids::RecordId;
use crate::model::logins::{Grant, Logins};

const GRANTS_PER_USER_AND_APP: usize = 5;

impl Logins {
    /// Creates a grant; when the user has too many for this app, the oldest is revoked.
    pub(crate) fn open_grant(&mut self, client_id: &str, user: RecordId, scope: &str, now: Timestamp) -> u64 {
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

    /// Returns the numbers of the user's grants to an app that are not revoked, oldest first.
    pub(crate) fn living_grants(&self, client_id: &str, user: RecordId) -> Vec<u64> {
        let same = |grant: &Grant| !grant.revoked && grant.user == user && grant.client_id == client_id;
        self.grants.iter().filter(|(_, grant)| same(grant)).map(|(number, _)| *number).collect()
    }

    pub(crate) fn new_refresh_token(&mut self, grant: u64) -> String {
        let token = format!("5Aep861{}{}", self.random.text(), self.random.text());
        self.refresh_tokens.insert(token.clone(), grant);
        if let Some(grant) = self.grants.get_mut(&grant) {
            grant.current = Some(token.clone());
        }
        token
    }

    /// Returns the grant of a refresh token, valid or not.
    pub(crate) fn grant_of(&self, refresh_token: &str) -> Option<&Grant> {
        self.grants.get(self.refresh_tokens.get(refresh_token)?)
    }

    /// Returns the grant of a refresh token that is still valid.
    pub(crate) fn live_grant(&self, refresh_token: &str, now: Timestamp) -> Option<&Grant> {
        let grant = self.grant_of(refresh_token)?;
        let app = self.apps.get(&grant.client_id)?;
        let is_current = grant.current.as_deref() == Some(refresh_token);
        (is_current && !grant.revoked && !grant.expired(&app, now)).then_some(grant)
    }

    /// Revokes a grant with its refresh tokens and its sessions.
    pub(crate) fn revoke_grant(&mut self, number: u64) {
        if let Some(grant) = self.grants.get_mut(&number) {
            grant.revoked = true;
        }
        self.sessions.retain(|_, session| session.login.grant != Some(number));
    }

    /// Revokes a refresh token with the access tokens issued from it, or one access token alone (Mobile SDK guide,
    /// Revoking OAuth Tokens). Returns `false` when the token is unknown or no longer valid.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(grant) = self.refresh_tokens.get(token).copied() {
            let living = self.grants.get(&grant).is_some_and(|grant| !grant.revoked);
            self.revoke_grant(grant);
            return living;
        }
        self.sessions.remove(token).is_some()
    }

    /// Revokes all grants of a user and ends the user's sessions.
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
