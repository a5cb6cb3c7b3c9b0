//! Authorization requests.

use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::identity::oauth::host::Host;
use crate::identity::oauth::{Form, browser};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::logins::Consent;
use crate::model::logins::apps::App;
use crate::model::logins::error::OAuthError;
use crate::wire::html;

/// An authorization request whose app and redirect URI are valid.
pub(crate) struct Request<'a> {
    pub(crate) form: &'a Form,
    pub(crate) app: App,
    redirect: Url,
}

impl<'a> Request<'a> {
    /// Checks the app and the redirect URI. An error is shown in the browser, because the redirect URI cannot be
    /// trusted.
    pub(crate) fn checked(host: &Host, form: &'a Form) -> Result<Self, OAuthError> {
        let app = host.apps().find(form.get("client_id"))?;
        let given = form.get("redirect_uri");
        let mismatch = OAuthError::new("redirect_uri_mismatch", "redirect_uri must match configuration");
        if !app.redirect_uris.iter().any(|known| known == given) {
            return Err(mismatch);
        }
        Ok(Self { form, app, redirect: Url::parse(given).map_err(|_| mismatch)? })
    }

    pub(super) fn has_prompt(&self, prompt: &str) -> bool {
        self.form.get("prompt").split_whitespace().any(|value| value == prompt)
    }

    /// Returns whether no page may be shown: `prompt=none`, or Salesforce's own `immediate=true`.
    pub(crate) fn is_silent(&self) -> bool {
        self.has_prompt("none") || self.form.get("immediate") == "true"
    }

    /// Returns whether the user must log in even when the browser has a session.
    fn requires_login(&self) -> bool {
        self.has_prompt("login") || self.has_prompt("select_account")
    }

    /// Returns the user who is logged in in the browser, unless the client requires a login or names another user as a
    /// hint.
    pub(crate) fn logged_in(&self, host: &Host, headers: &HeaderMap) -> Option<(Shared, RecordId)> {
        if self.requires_login() {
            return None;
        }
        let (shared, user) = browser::user(host, headers)?;
        let hint = self.form.get("login_hint");
        let is_meant = hint.is_empty() || shared.org().user_named(hint) == Some(user);
        is_meant.then_some((shared, user))
    }

    /// Returns the error of a request for which no page may be shown; the code depends on the parameter that said so.
    /// The texts are unverified.
    pub(crate) fn silent_error(&self, error: &'static str, description: &'static str) -> Response {
        let error = if self.has_prompt("none") { error } else { "immediate_unsuccessful" };
        self.redirect_error(&OAuthError::new(error, description))
    }

    /// Returns the error of an invalid request, which the client receives through the redirect.
    pub(crate) fn validation_error(&self) -> Option<OAuthError> {
        if self.form.get("response_type") != "code" {
            return Some(OAuthError::new("unsupported_response_type", "response type not supported"));
        }
        let challenge = self.form.get("code_challenge");
        if !challenge.is_empty() && !matches!(self.form.get("code_challenge_method"), "" | "S256") {
            return Some(OAuthError::new("invalid_request", "code challenge method must be S256"));
        }
        if challenge.is_empty() && self.app.settings.requires_pkce {
            return Some(OAuthError::new("invalid_request", "missing required code challenge"));
        }
        if let Some(scope) = self.app.settings.disallowed_scope(self.form.get("scope")) {
            tracing::warn!(scope, "the app may not request this scope");
            return Some(OAuthError::new("invalid_scope", "the requested scope is not allowed"));
        }
        let prompt = self.form.get("prompt");
        let unknown = prompt.split_whitespace().find(|value| !PROMPTS.contains(value));
        let contradicts = self.has_prompt("none") && prompt.trim() != "none";
        if unknown.is_some() || contradicts {
            tracing::warn!(prompt, "the simulator does not support this prompt");
            return Some(OAuthError::new("invalid_request", "invalid prompt value"));
        }
        let shown_as = self.form.get("display");
        if !DISPLAYS.contains(&shown_as) {
            tracing::warn!(display = shown_as, "the simulator does not support this display");
            return Some(OAuthError::new("invalid_request", "invalid display value"));
        }
        None
    }

    fn redirect_back(&self, parameters: &[(&str, &str)]) -> Response {
        let mut url = self.redirect.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(parameters);
            if !self.form.get("state").is_empty() {
                query.append_pair("state", self.form.get("state"));
            }
        }
        (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
    }

    pub(crate) fn redirect_error(&self, error: &OAuthError) -> Response {
        self.redirect_back(&[("error", error.error), ("error_description", error.description)])
    }

    /// Records the user's consent and redirects the browser with a code, if the org's policies permit.
    pub(crate) fn allow(&self, (shared, user): (&Shared, RecordId)) -> Response {
        let mut org = shared.org();
        if org.may_log_in(user).is_err() {
            return no_such_user();
        }
        if org.may_log_in_from(user, self.form.from()).is_err() {
            return login_restricted();
        }
        if let Some(error) = org.app_error(&self.app.client_id, user) {
            return self.redirect_error(&error);
        }
        let optional = |name: &str| Some(self.form.get(name)).filter(|value| !value.is_empty()).map(str::to_owned);
        let consent = Consent {
            client_id: self.app.client_id.clone(),
            user,
            redirect_uri: self.form.get("redirect_uri").to_owned(),
            scope: optional("scope").unwrap_or_else(|| self.app.settings.default_scope()),
            code_challenge: optional("code_challenge"),
            nonce: optional("nonce"),
        };
        let now = org.clock.now();
        let code = org.logins.issue_code(consent, now);
        drop(org);
        self.redirect_back(&[("code", &code)])
    }
}

pub(crate) const PROMPTS: [&str; 4] = ["login", "consent", "select_account", "none"];

pub(crate) const DISPLAYS: [&str; 5] = ["", "page", "popup", "touch", "mobile"];

/// Returns the page for a user outside the login hours or the login IP ranges. (Its text is unverified.)
fn login_restricted() -> Response {
    let message = "You can't log in now or from here. Contact your administrator.";
    (StatusCode::FORBIDDEN, Html(html::message(message))).into_response()
}

pub(crate) fn no_such_user() -> Response {
    (StatusCode::BAD_REQUEST, Html(html::message("There is no such active user."))).into_response()
}
