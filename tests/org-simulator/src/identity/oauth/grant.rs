//! The refresh of tokens, with rotation and reuse detection.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Form, IssuedTokens};
use crate::model::logins::apps::App;
use crate::model::logins::error::{BUSY, EXPIRED_TOKEN, OAuthError};
use crate::model::logins::{Login, Logins};

/// The text that clients report for this error is `invalid_grant: ip restricted`.
const IP_RESTRICTED: OAuthError = OAuthError::new("invalid_grant", "ip restricted");

/// A refresh in progress.
#[derive(Debug)]
pub(crate) struct Refresh {
    grant: u64,
    token: String,
    app: App,
    from: Option<IpAddr>,
}

impl Logins {
    /// Starts a refresh, which [`Logins::finish_refresh`] completes. The reuse of a rotated token revokes its grant.
    pub(crate) fn begin_refresh(&mut self, form: &Form, now: Timestamp) -> Result<Refresh, OAuthError> {
        let app = self.apps.authenticate(form.get("client_id"), form.get("client_secret"))?;
        let token = form.get("refresh_token");
        let number = *self.refresh_tokens.get(token).ok_or(EXPIRED_TOKEN)?;
        let grant = self.grants.get_mut(&number).ok_or(EXPIRED_TOKEN)?;
        if grant.revoked || grant.client_id != app.client_id || grant.expired(&app, now) {
            return Err(EXPIRED_TOKEN);
        }
        if !app.settings.allows_address(form.from()) {
            return Err(IP_RESTRICTED);
        }
        if grant.current.as_deref() != Some(token) {
            self.revoke_grant(number);
            return Err(EXPIRED_TOKEN);
        }
        if std::mem::replace(&mut grant.busy, true) {
            return Err(BUSY);
        }
        Ok(Refresh { grant: number, token: token.to_owned(), app, from: form.from() })
    }

    /// Completes a refresh and issues the new tokens.
    pub(crate) fn finish_refresh(
        &mut self,
        refresh: Refresh,
        org: &str,
        now: Timestamp,
    ) -> Result<IssuedTokens, OAuthError> {
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
        let login = Login { user, grant: Some(refresh.grant), client_id, scope: scope.clone(), from: refresh.from };
        let access_token = self.log_in(org, login, now);
        Ok(IssuedTokens { app, user, scope, access_token, refresh_token, nonce: None, issued_at: now })
    }
}
