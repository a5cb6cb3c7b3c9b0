//! The authorization endpoint: checks the request, asks the person, and sends the browser back.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use url::Url;

use super::code::Consent;
use super::consent_page;
use super::host::Host;
use super::{App, Form, Refusal, browser};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::wire::html;

const DENIED: Refusal = Refusal::new("access_denied", "end-user denied authorization");
const PROMPTS: [&str; 4] = ["login", "consent", "select_account", "none"];
const DISPLAYS: [&str; 5] = ["", "page", "popup", "touch", "mobile"];

/// An authorization request whose app and redirect URI are known.
pub(super) struct Request<'a> {
    pub(super) form: &'a Form,
    pub(super) app: App,
    redirect: Url,
}

impl<'a> Request<'a> {
    /// Fails where nobody is sent back: the request cannot be trusted to say where to.
    fn checked(host: &Host, form: &'a Form) -> Result<Self, Refusal> {
        let app = host.apps().known(form.get("client_id"))?;
        let given = form.get("redirect_uri");
        let mismatch = Refusal::new("redirect_uri_mismatch", "redirect_uri must match configuration");
        if !app.redirect_uris.iter().any(|known| known == given) {
            return Err(mismatch);
        }
        Ok(Self { form, app, redirect: Url::parse(given).map_err(|_| mismatch)? })
    }

    fn prompts(&self, prompt: &str) -> bool {
        self.form.get("prompt").split_whitespace().any(|asked| asked == prompt)
    }

    /// Nobody may be asked: `prompt=none`, or Salesforce's own `immediate=true`.
    fn is_silent(&self) -> bool {
        self.prompts("none") || self.form.get("immediate") == "true"
    }

    /// The person must log in, whoever is logged in already.
    fn wants_login(&self) -> bool {
        self.prompts("login") || self.prompts("select_account")
    }

    /// Who is logged in in the browser, unless the client asks for a login or hints at somebody else.
    fn logged_in(&self, host: &Host, headers: &HeaderMap) -> Option<(Shared, RecordId)> {
        if self.wants_login() {
            return None;
        }
        let (shared, user) = browser::user(host, headers)?;
        let hint = self.form.get("login_hint");
        let is_meant = hint.is_empty() || shared.org().user_named(hint) == Some(user);
        is_meant.then_some((shared, user))
    }

    /// Answers a browser: asks the person what there is to ask.
    fn ask(&self, host: &Host, headers: &HeaderMap) -> Response {
        let Some((shared, user)) = self.logged_in(host, headers) else {
            if self.is_silent() {
                return self.silent_refusal("login_required", "user is not logged in");
            }
            return Html(consent_page::render(host, self, None)).into_response();
        };
        let approved = shared.org().is_approved(&self.app.client_id, user);
        if approved && !self.prompts("consent") {
            return self.allow((&shared, user));
        }
        if self.is_silent() {
            return self.silent_refusal("consent_required", "user has not approved this app");
        }
        Html(consent_page::render(host, self, Some((&shared, user)))).into_response()
    }

    /// A refusal of a silent request; the word for it depends on how silence was asked for. The texts are unverified.
    fn silent_refusal(&self, error: &'static str, description: &'static str) -> Response {
        let error = if self.prompts("none") { error } else { "immediate_unsuccessful" };
        self.refuse(&Refusal::new(error, description))
    }

    /// What is wrong with the rest, for which the client is told through the redirect.
    fn fault(&self) -> Option<Refusal> {
        if self.form.get("response_type") != "code" {
            return Some(Refusal::new("unsupported_response_type", "response type not supported"));
        }
        let challenge = self.form.get("code_challenge");
        if !challenge.is_empty() && !matches!(self.form.get("code_challenge_method"), "" | "S256") {
            return Some(Refusal::new("invalid_request", "code challenge method must be S256"));
        }
        if challenge.is_empty() && self.app.settings.requires_pkce {
            return Some(Refusal::new("invalid_request", "missing required code challenge"));
        }
        if let Some(scope) = self.app.settings.foreign_scope(self.form.get("scope")) {
            tracing::warn!(scope, "the app may not ask for this scope");
            return Some(Refusal::new("invalid_scope", "the requested scope is not allowed"));
        }
        let prompt = self.form.get("prompt");
        let unknown = prompt.split_whitespace().find(|asked| !PROMPTS.contains(asked));
        let contradicts = self.prompts("none") && prompt.trim() != "none";
        if unknown.is_some() || contradicts {
            tracing::warn!(prompt, "the simulator does not know this prompt");
            return Some(Refusal::new("invalid_request", "invalid prompt value"));
        }
        let shown_as = self.form.get("display");
        if !DISPLAYS.contains(&shown_as) {
            tracing::warn!(display = shown_as, "the simulator does not know this display");
            return Some(Refusal::new("invalid_request", "invalid display value"));
        }
        None
    }

    fn back(&self, parameters: &[(&str, &str)]) -> Response {
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

    fn refuse(&self, refusal: &Refusal) -> Response {
        self.back(&[("error", refusal.error), ("error_description", refusal.description)])
    }

    /// Consents for a user and sends the browser back with a code, where the org lets the user.
    fn allow(&self, (shared, user): (&Shared, RecordId)) -> Response {
        let mut org = shared.org();
        if org.may_log_in(user).is_err() {
            return no_such_user();
        }
        if let Some(refusal) = org.app_refusal(&self.app.client_id, user) {
            return self.refuse(&refusal);
        }
        let optional = |name: &str| Some(self.form.get(name)).filter(|value| !value.is_empty()).map(str::to_owned);
        let consent = Consent {
            client_id: self.app.client_id.clone(),
            user,
            redirect_uri: self.form.get("redirect_uri").to_owned(),
            scope: optional("scope").unwrap_or_else(|| self.app.settings.usual_scope()),
            code_challenge: optional("code_challenge"),
            nonce: optional("nonce"),
        };
        let now = org.clock.now();
        let code = org.logins.issue_code(consent, now);
        drop(org);
        self.back(&[("code", &code)])
    }
}

/// The user of that name in an org that is served here.
fn person(host: &Host, username: &str) -> Option<(Shared, RecordId)> {
    let mut found = None;
    let shared = host.find(|org| {
        found = org.user_named(username).filter(|user| org.actor(*user).is_some());
        found.is_some()
    })?;
    Some((shared, found?))
}

fn no_such_user() -> Response {
    (StatusCode::BAD_REQUEST, Html(html::message("There is no such active user."))).into_response()
}

fn refused_page(refusal: &Refusal) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Html(html::message(&format!("error={}&error_description={}", refusal.error, refusal.description))),
    )
        .into_response()
}

/// Asks the person, as far as he or she is not logged in or has not approved the app. Or decides at once for the user that
/// `X-Simulator-User` names: allows, unless `X-Simulator-Decision` is `deny`.
pub(super) async fn authorize(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let form = Form::new(query);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    if let Some(refusal) = request.fault() {
        return request.refuse(&refusal);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(username) = header("x-simulator-user") else {
        return request.ask(&host, &headers);
    };
    let Some((shared, user)) = person(&host, username) else { return no_such_user() };
    if request.is_silent() && !shared.org().is_approved(&request.app.client_id, user) {
        return request.silent_refusal("consent_required", "user has not approved this app");
    }
    match header("x-simulator-decision") {
        None | Some("allow") => request.allow((&shared, user)),
        Some("deny") => request.refuse(&DENIED),
        Some(other) => {
            tracing::warn!(decision = other, "the simulator does not know this decision");
            (StatusCode::BAD_REQUEST, Html(html::message("X-Simulator-Decision is allow or deny."))).into_response()
        }
    }
}

/// What the person decided on the consent page. Naming a user is the login; without one the browser's own is meant.
pub(super) async fn decide(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    fields.extend(query);
    let form = Form::new(fields);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    if let Some(refusal) = request.fault() {
        return request.refuse(&refusal);
    }
    if form.get("decision") != "allow" {
        return request.refuse(&DENIED);
    }
    let username = form.get("username");
    if username.is_empty() {
        return match request.logged_in(&host, &headers) {
            Some((shared, user)) => request.allow((&shared, user)),
            None => Html(consent_page::render(&host, &request, None)).into_response(),
        };
    }
    match person(&host, username) {
        Some((shared, user)) => browser::remember(request.allow((&shared, user)), &shared, user),
        None => no_such_user(),
    }
}
