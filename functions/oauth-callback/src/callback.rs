//! `GET /oauth/callback`: Salesforce redirects the browser here with a code or an error.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use connecting::onboarding::{OutboundMessages, TeamConnected};
use connecting::one_time::is_well_formed;
use http::HeaderMap;
use runtime::Chain;
use runtime::token_broker::{Connected, ExchangeCode, RefusalCode};
use salesforce::{Classify as _, Retry};
use secrecy::{ExposeSecret as _, SecretString};
use store::connections::grants::MAX_GRANTS;
use store::{AuthorizationId, OrgState, Purpose};
use url::form_urlencoded;

use crate::Deps;
use crate::admin::name_of;
use crate::connect_failure::{ConnectFailure, unavailable};
use crate::cookie::Cookie;
use crate::pages::{ConnectedPage, environment_label, failed, host_of, missing_permissions};
use crate::ticket::{PendingConsent, install_url};

/// The maximum length of an authorization code in bytes. Salesforce's codes have about 100.
const MAX_CODE_LENGTH: usize = 2048;

/// The authorization response of Salesforce (RFC 6749, section 4.1.2), from the query.
#[derive(Debug)]
struct AuthorizationResponse {
    state: SecretString,
    /// The authorization code, or the failure of the error code.
    code: Result<SecretString, ConnectFailure>,
}

/// Completes the consent. Its state is valid once, and only in the browser in which the consent was started.
pub(crate) async fn finish(State(deps): State<Deps>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Some(AuthorizationResponse { state, code }) = parse(query.as_deref().unwrap_or_default()) else {
        return failed(ConnectFailure::MalformedCallback, None);
    };
    let pending = match consume(&deps, &state, &headers).await {
        Ok(pending) => pending,
        Err(failure) => return failed(failure, None),
    };
    let finished = match code {
        Ok(code) => connect(&deps, &pending, code, Cookie::Admin.read(&headers).is_some()).await,
        Err(failure) => Err(failure),
    };
    match finished {
        Ok(response) => response,
        Err(failure) => failed(failure, package_url(&deps, &pending).await.as_deref()),
    }
}

/// Parses the query: one state, and either one code or one error. A repeated parameter is refused.
fn parse(query: &str) -> Option<AuthorizationResponse> {
    let (mut state, mut code, mut error, mut description) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match name.as_ref() {
            "state" => &mut state,
            "code" => &mut code,
            "error" => &mut error,
            "error_description" => &mut description,
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let code = match (code, error) {
        (Some(code), None) if (1..=MAX_CODE_LENGTH).contains(&code.len()) => Ok(code.into()),
        (None, Some(error)) => Err(ConnectFailure::of_callback(&error, &description.unwrap_or_default())),
        _ => return None,
    };
    let state = state.filter(|state| is_well_formed(state))?;
    Some(AuthorizationResponse { state: state.into(), code })
}

/// Consumes the stored consent of the state, and checks that this is the browser in which it was started.
async fn consume(deps: &Deps, state: &SecretString, headers: &HeaderMap) -> Result<PendingConsent, ConnectFailure> {
    let id = AuthorizationId::derive(Purpose::State, state.expose_secret());
    let consumed = deps.authorizations.consume::<PendingConsent>(&id, deps.clock.now()).await;
    let pending = consumed.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::ConsentUsed)?;
    let cookie = Cookie::Consent.read(headers);
    let cookie = cookie.as_ref().map(|secret| secret.expose_secret()).unwrap_or_default();
    if pending.browser.matches(cookie) { Ok(pending) } else { Err(ConnectFailure::OtherBrowser) }
}

async fn connect(
    deps: &Deps,
    pending: &PendingConsent,
    code: SecretString,
    is_admin: bool,
) -> Result<Response, ConnectFailure> {
    let exchange = ExchangeCode {
        kind: pending.ticket.kind.clone(),
        tenant: pending.ticket.tenant.clone(),
        expected_org_id: pending.ticket.org_id,
        app: pending.app.clone(),
        login_url: pending.login_url.clone(),
        redirect_uri: deps.redirect_uri(),
        code,
        code_verifier: pending.code_verifier.clone(),
        nonce: Some(pending.nonce.clone()),
    };
    let connected = match deps.connection_manager.exchange_code(exchange).await {
        Ok(connected) => connected,
        Err(runtime::Error::Refused(refusal)) if refusal.code == RefusalCode::MissingPermissions => {
            return Ok(missing_permissions(&refusal.reason));
        }
        Err(error) => return Err(exchange_failure(&error)),
    };
    let (webhook_url, messages) = match pending.ticket.is_team() {
        true => activate(deps, pending, &connected).await?,
        false => (None, None),
    };
    tracing::info!(org.id = %connected.org_id, "connected org {}", connected.org_id);
    let displaced = displaced_names(deps, &connected).await;
    let page = ConnectedPage {
        team: pending.ticket.is_team(),
        tenant: pending.ticket.tenant.as_str(),
        org_id: connected.org_id,
        org_host: host_of(&connected.instance_url),
        user_id: connected.user_id,
        platform_user: pending.ticket.platform_user().map(|user| user.as_str()),
        limited_objects: &connected.limited_objects,
        username: connected.username.as_deref(),
        environment: environment_label(pending.ticket.environment),
        webhook_url: webhook_url.as_ref().map(|url| url.expose_secret()),
        configured: matches!(messages, Some(OutboundMessages::Configured { .. })),
        polled: messages == Some(OutboundMessages::NotInEdition),
        displaced: &displaced,
        is_last: displaced.is_empty() && connected.grants >= MAX_GRANTS,
        is_admin,
    };
    Ok(page.respond())
}

/// Returns the names of the connections that this one displaced.
async fn displaced_names(deps: &Deps, connected: &Connected) -> Vec<String> {
    let mut names = Vec::new();
    for id in &connected.displaced {
        let connection = deps.connections.load(connected.org_id, id).await.ok().flatten();
        names.push(connection.map_or_else(|| id.to_string(), |connection| name_of(&connection)));
    }
    names
}

/// Activates the org through `onboarding`. Returns the webhook URL to enter by hand, if any, and the set-up of the org's outbound
/// messages. The unused grant is revoked if the org may not be activated, and remains after a temporary failure.
async fn activate(
    deps: &Deps,
    pending: &PendingConsent,
    connected: &Connected,
) -> Result<(Option<SecretString>, Option<OutboundMessages>), ConnectFailure> {
    let event = TeamConnected {
        org_id: connected.org_id,
        tenant: pending.ticket.tenant.clone(),
        environment: pending.ticket.environment,
        login_url: pending.login_url.clone(),
    };
    let failure = match deps.onboarding.team_connected(event).await {
        Ok(onboarded) if onboarded.state == OrgState::Active => {
            return Ok((onboarded.webhook_url, onboarded.outbound_messages));
        }
        Ok(_) => ConnectFailure::NotActivated,
        Err(error) => activation_failure(&error),
    };
    if failure != ConnectFailure::NotActivated {
        revoke(deps, connected).await;
    }
    Err(failure)
}

async fn revoke(deps: &Deps, connected: &Connected) {
    if let Err(error) = deps.connection_manager.revoke(connected.org_id, &connected.connection_id).await {
        let org = connected.org_id;
        tracing::error!(org.id = %org, error = %Chain(&error), "could not revoke the unused grant of org {org}");
    }
}

fn activation_failure(error: &runtime::Error) -> ConnectFailure {
    tracing::error!(error = %Chain(error), "could not activate the org");
    match error.retry() {
        Retry::NeedsHuman => ConnectFailure::OwnedByOtherTenant,
        Retry::Never | Retry::After(_) | Retry::Unknown(_) => ConnectFailure::NotActivated,
    }
}

fn exchange_failure(error: &runtime::Error) -> ConnectFailure {
    tracing::warn!(error = %Chain(error), "could not exchange the authorization code");
    match error {
        runtime::Error::Refused(refusal) => {
            refusal.condition.map_or_else(|| refusal_failure(refusal.code), ConnectFailure::of_condition)
        }
        _ => ConnectFailure::Unavailable,
    }
}

/// Maps a refusal of the token broker to its failure page.
fn refusal_failure(code: RefusalCode) -> ConnectFailure {
    match code {
        RefusalCode::WrongOrg => ConnectFailure::WrongOrg,
        RefusalCode::OrgOwnedByAnotherTenant => ConnectFailure::OwnedByOtherTenant,
        RefusalCode::MissingPermissions => ConnectFailure::MissingPermissions,
        RefusalCode::AdministratorNeeded => ConnectFailure::AdministratorNeeded,
        RefusalCode::GrantRefused => ConnectFailure::CodeRefused,
        RefusalCode::AppRefused | RefusalCode::UnknownApp | RefusalCode::Untrusted => ConnectFailure::Misconfigured,
        RefusalCode::Busy
        | RefusalCode::Unavailable
        | RefusalCode::ReauthRequired
        | RefusalCode::UnknownConnection
        | RefusalCode::Revoked => ConnectFailure::Unavailable,
    }
}

/// Returns the install URL of the package of the consent's app.
async fn package_url(deps: &Deps, pending: &PendingConsent) -> Option<String> {
    let app = deps.apps.find(&pending.app).await.ok().flatten()?;
    install_url(&app, &pending.ticket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_code_is_decoded_exactly_once() {
        let response = parse(&format!("code=aPrx%253D%3D&state={STATE}")).unwrap();
        assert_eq!(response.code.unwrap().expose_secret(), "aPrx%3D=");
    }

    #[test]
    fn an_error_is_mapped_to_its_failure() {
        let query = format!("error=access_denied&error_description=end-user+denied+authorization&state={STATE}");
        assert_eq!(parse(&query).unwrap().code.unwrap_err(), ConnectFailure::Denied);
    }

    #[test]
    fn incomplete_and_repeated_parameters_are_refused() {
        for query in [
            String::new(),
            format!("state={STATE}"),
            "code=abc".to_owned(),
            "code=abc&state=short".to_owned(),
            format!("code=&state={STATE}"),
            format!("code=a&code=b&state={STATE}"),
            format!("code=a&error=access_denied&state={STATE}"),
            format!("code=a&state={STATE}&state={STATE}"),
            format!("code={}&state={STATE}", "a".repeat(MAX_CODE_LENGTH + 1)),
        ] {
            assert!(parse(&query).is_none(), "{query}");
        }
    }

    #[test]
    fn debug_output_holds_neither_code_nor_state() {
        let response = parse(&format!("code=the-code&state={STATE}")).unwrap();
        let debug = format!("{response:?}");
        assert!(!debug.contains("the-code") && !debug.contains(STATE));
    }
}
