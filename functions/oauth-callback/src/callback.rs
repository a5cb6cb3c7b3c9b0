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
use crate::consent::{host_of, install_url, unavailable};
use crate::cookie::Cookie;
use crate::pages::{ConnectedPage, environment, failed, lacking};
use crate::ticket::Pending;
use crate::trouble::Trouble;

/// The maximum length of an authorization code. Salesforce's have about 100 characters.
const MAX_CODE: usize = 2048;

/// The result of the consent, from the query.
#[derive(Debug)]
struct Callback {
    state: SecretString,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Code(SecretString),
    Error(Trouble),
}

/// Completes the consent. Its state is valid once, and only in the browser in which the consent started.
pub(crate) async fn finish(State(deps): State<Deps>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Some(Callback { state, answer }) = parse(query.as_deref().unwrap_or_default()) else {
        return failed(Trouble::Malformed, None);
    };
    let pending = match take(&deps, &state, &headers).await {
        Ok(pending) => pending,
        Err(trouble) => return failed(trouble, None),
    };
    let finished = match answer {
        Answer::Code(code) => connect(&deps, &pending, code, Cookie::Admin.presented(&headers).is_some()).await,
        Answer::Error(trouble) => Err(trouble),
    };
    match finished {
        Ok(response) => response,
        Err(trouble) => failed(trouble, package_link(&deps, &pending).await.as_deref()),
    }
}

/// Parses the query: one state, and either one code or one error. A repeated parameter is refused.
fn parse(query: &str) -> Option<Callback> {
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
    let answer = match (code, error) {
        (Some(code), None) if (1..=MAX_CODE).contains(&code.len()) => Answer::Code(code.into()),
        (None, Some(error)) => Answer::Error(Trouble::of_callback(&error, &description.unwrap_or_default())),
        _ => return None,
    };
    let state = state.filter(|state| is_well_formed(state))?;
    Some(Callback { state: state.into(), answer })
}

/// Consumes the stored consent of the state, if the browser is the one in which it started.
async fn take(deps: &Deps, state: &SecretString, headers: &HeaderMap) -> Result<Pending, Trouble> {
    let id = AuthorizationId::derive(Purpose::State, state.expose_secret());
    let taken = deps.authorizations.consume::<Pending>(&id, deps.clock.now()).await;
    let pending = taken.map_err(|error| unavailable(&error))?.ok_or(Trouble::ConsentUsed)?;
    let presented = Cookie::Consent.presented(headers);
    let presented = presented.as_ref().map(|secret| secret.expose_secret()).unwrap_or_default();
    if pending.browser.matches(presented) { Ok(pending) } else { Err(Trouble::OtherBrowser) }
}

async fn connect(deps: &Deps, pending: &Pending, code: SecretString, is_admin: bool) -> Result<Response, Trouble> {
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
    let connected = match deps.broker.exchange_code(exchange).await {
        Ok(connected) => connected,
        Err(runtime::Error::Refused(refusal)) if refusal.code == RefusalCode::MissingPermissions => {
            return Ok(lacking(&refusal.reason));
        }
        Err(error) => return Err(not_connected(&error)),
    };
    let (webhook_url, messages) = match pending.ticket.is_team() {
        true => activate(deps, pending, &connected).await?,
        false => (None, None),
    };
    tracing::info!(org.id = %connected.org_id, "connected org {}", connected.org_id);
    let displaced = names(deps, &connected).await;
    let page = ConnectedPage {
        team: pending.ticket.is_team(),
        tenant: pending.ticket.tenant.as_str(),
        org_id: connected.org_id,
        org_host: host_of(&connected.instance_url),
        user_id: connected.user_id,
        username: connected.username.as_deref(),
        environment: environment(pending.ticket.environment),
        webhook_url: webhook_url.as_ref().map(|url| url.expose_secret()),
        configured: matches!(messages, Some(OutboundMessages::Configured { .. })),
        polled: messages == Some(OutboundMessages::NotInEdition),
        displaced: &displaced,
        is_last: displaced.is_empty() && connected.grants >= MAX_GRANTS,
        is_admin,
    };
    Ok(page.respond())
}

/// Returns the users whose connections were displaced by this one.
async fn names(deps: &Deps, connected: &Connected) -> Vec<String> {
    let mut names = Vec::new();
    for id in &connected.displaced {
        let connection = deps.connections.load(connected.org_id, id).await.ok().flatten();
        names.push(connection.map_or_else(|| id.to_string(), |connection| name_of(&connection)));
    }
    names
}

/// Activates the org through `onboarding`. Returns the address to enter by hand, if any, and the state of the org's outbound
/// messages. Where the org cannot be activated, the grant is revoked.
async fn activate(
    deps: &Deps,
    pending: &Pending,
    connected: &Connected,
) -> Result<(Option<SecretString>, Option<OutboundMessages>), Trouble> {
    let event = TeamConnected {
        org_id: connected.org_id,
        tenant: pending.ticket.tenant.clone(),
        environment: pending.ticket.environment,
        login_url: pending.login_url.clone(),
    };
    let trouble = match deps.onboarding.team_connected(event).await {
        Ok(onboarded) if onboarded.state == OrgState::Active => {
            return Ok((onboarded.webhook_url, onboarded.outbound_messages));
        }
        Ok(_) => Trouble::Quarantined,
        Err(error) => not_activated(&error),
    };
    if trouble != Trouble::NotActivated {
        give_back(deps, connected).await;
    }
    Err(trouble)
}

async fn give_back(deps: &Deps, connected: &Connected) {
    if let Err(error) = deps.broker.revoke(connected.org_id, &connected.connection_id).await {
        let org = connected.org_id;
        tracing::error!(org.id = %org, error = %Chain(&error), "could not revoke the unused grant of org {org}");
    }
}

fn not_activated(error: &runtime::Error) -> Trouble {
    tracing::error!(error = %Chain(error), "could not activate a connected org");
    match error.retry() {
        Retry::NeedsHuman => Trouble::OwnedByAnother,
        Retry::Never | Retry::After(_) | Retry::Unknown(_) => Trouble::NotActivated,
    }
}

fn not_connected(error: &runtime::Error) -> Trouble {
    tracing::warn!(error = %Chain(error), "could not exchange the code for a connection");
    match error {
        runtime::Error::Refused(refusal) => refused(refusal.code),
        _ => Trouble::Unavailable,
    }
}

/// Maps a refusal of the token broker to a failure page.
fn refused(code: RefusalCode) -> Trouble {
    match code {
        RefusalCode::WrongOrg => Trouble::WrongOrg,
        RefusalCode::OrgOwnedByAnotherTenant => Trouble::OwnedByAnother,
        RefusalCode::MissingPermissions => Trouble::MissingPermissions,
        RefusalCode::GrantRefused => Trouble::CodeRefused,
        RefusalCode::AppRefused | RefusalCode::UnknownApp | RefusalCode::Untrusted => Trouble::Misconfigured,
        RefusalCode::Busy
        | RefusalCode::Unavailable
        | RefusalCode::ReauthRequired
        | RefusalCode::UnknownConnection
        | RefusalCode::Revoked => Trouble::Unavailable,
    }
}

/// Returns the install URL of the package of the consent's app.
async fn package_link(deps: &Deps, pending: &Pending) -> Option<String> {
    let registration = deps.apps.find(&pending.app).await.ok().flatten()?;
    install_url(&registration, &pending.ticket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_code_is_decoded_exactly_once() {
        let callback = parse(&format!("code=aPrx%253D%3D&state={STATE}")).unwrap();
        let Answer::Code(code) = callback.answer else { panic!("no code") };
        assert_eq!(code.expose_secret(), "aPrx%3D=");
    }

    #[test]
    fn an_error_becomes_its_trouble() {
        let query = format!("error=access_denied&error_description=end-user+denied+authorization&state={STATE}");
        assert!(matches!(parse(&query).unwrap().answer, Answer::Error(Trouble::Denied)));
    }

    #[test]
    fn half_answers_and_repeated_ones_are_refused() {
        for query in [
            String::new(),
            format!("state={STATE}"),
            "code=abc".to_owned(),
            "code=abc&state=short".to_owned(),
            format!("code=&state={STATE}"),
            format!("code=a&code=b&state={STATE}"),
            format!("code=a&error=access_denied&state={STATE}"),
            format!("code=a&state={STATE}&state={STATE}"),
            format!("code={}&state={STATE}", "a".repeat(MAX_CODE + 1)),
        ] {
            assert!(parse(&query).is_none(), "{query}");
        }
    }

    #[test]
    fn what_the_browser_brought_is_not_printed() {
        let callback = parse(&format!("code=the-code&state={STATE}")).unwrap();
        let debug = format!("{callback:?}");
        assert!(!debug.contains("the-code") && !debug.contains(STATE));
    }
}
