//! The exchange of authorization codes.

use jiff::Timestamp;

use super::{Form, IssuedTokens, sha256_url};
use crate::model::logins::error::OAuthError;
use crate::model::logins::{Consent, Login, Logins};

pub(super) const EXPIRED_CODE: OAuthError = OAuthError::new("invalid_grant", "expired authorization code");
const INVALID_CODE: OAuthError = OAuthError::new("invalid_grant", "invalid authorization code");

impl Logins {
    /// Exchanges a code for tokens, once. `org` is the org's 15-character id, with which an access token begins.
    pub(crate) fn exchange(&mut self, form: &Form, org: &str, now: Timestamp) -> Result<IssuedTokens, OAuthError> {
        let app = self.apps.authenticate(form.get("client_id"), form.get("client_secret"))?;
        let code = self.codes.get_mut(form.get("code")).ok_or(INVALID_CODE)?;
        if code.used || now >= code.expires_at {
            return Err(EXPIRED_CODE);
        }
        code.used = true;
        let consent = code.consent.clone();
        if consent.client_id != app.client_id {
            return Err(INVALID_CODE);
        }
        if consent.redirect_uri != form.get("redirect_uri") {
            return Err(OAuthError::new("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        check_verifier(&consent, form.get("code_verifier"))?;
        let Consent { client_id, user, scope, nonce, .. } = consent;
        let grant = self.open_grant(&client_id, user, &scope, now);
        let refresh_token = may_refresh(&scope).then(|| self.new_refresh_token(grant));
        let login = Login { user, grant: Some(grant), client_id, scope: scope.clone(), from: form.from() };
        let access_token = self.log_in(org, login, now);
        Ok(IssuedTokens { app, user, scope, access_token, refresh_token, nonce, issued_at: now })
    }
}

/// Returns whether the scopes include a refresh token.
pub(super) fn may_refresh(scope: &str) -> bool {
    scope.split_whitespace().any(|scope| matches!(scope, "refresh_token" | "offline_access"))
}

/// Lengths of a code verifier: at least those of RFC 7636, and 128 random bytes in Base64, as jsforce makes it.
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=172;

fn check_verifier(consent: &Consent, verifier: &str) -> Result<(), OAuthError> {
    match &consent.code_challenge {
        None => Ok(()),
        Some(_) if verifier.is_empty() => Err(OAuthError::new("invalid_grant", "code verifier is required")),
        Some(challenge) if VERIFIER_LENGTHS.contains(&verifier.len()) && sha256_url(verifier) == *challenge => Ok(()),
        Some(_) => Err(OAuthError::new("invalid_request", "invalid code verifier")),
    }
}
