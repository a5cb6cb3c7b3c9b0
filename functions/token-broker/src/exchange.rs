//! Creates a connection from a consent: exchanges the code for tokens, reserves the connection, stores the tokens in the
//! vault, and only then marks the connection as active.

use runtime::Chain;
use runtime::token_broker::{Connected, ExchangeCode, RefusalCode, Response};
use salesforce::auth::{self, CodeExchange, Identity, TokenResponse};
use salesforce::{Classify as _, Retry};
use store::connections::binding_right;
use store::orgs::rule;
use store::{
    BindingRight, Connection, ConnectionId, ConnectionKind, Consent, Lease, LeaseRequest, Org, OrgState, Reservation,
    TokenGrant, TokenVersion, Tokens,
};
use uuid::Uuid;

use crate::app::{AppLogin, load_app_login};
use crate::refusal::{from_salesforce_error, refused, refused_for_now};
use crate::{Deps, Error, Reply, grants, permissions, protection};

/// The number of attempts to mark the connection as active while AWS does not respond.
const CONNECT_ATTEMPTS: u32 = 2;

/// Exchanges the code for tokens, and stores them if this tenant may connect the org.
pub(crate) async fn exchange_code(deps: &Deps, exchange: &ExchangeCode) -> Result<Reply, Error> {
    let login = load_app_login(deps, &exchange.app, &exchange.login_url).await?;
    let Some(login) = login.filter(|login| !login.is_stopped) else {
        return Ok(refused(RefusalCode::UnknownApp));
    };
    let code = CodeExchange {
        redirect_uri: exchange.redirect_uri.clone(),
        code: exchange.code.clone(),
        code_verifier: exchange.code_verifier.clone(),
        nonce: exchange.nonce.clone(),
    };
    match auth::exchange_code(&deps.http, &login.app, &login.host, &code).await {
        Ok(response) => connect_or_revoke(deps, exchange, &login, response).await,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "could not exchange a code for tokens");
            Ok(from_salesforce_error(&error))
        }
    }
}

/// Revokes the grant if it does not become a connection, so that no unused grant stays in the customer's org. The grant that
/// it displaced has ended in both cases.
async fn connect_or_revoke(
    deps: &Deps,
    exchange: &ExchangeCode,
    login: &AppLogin,
    response: TokenResponse,
) -> Result<Reply, Error> {
    let token = response.refresh_token.clone().unwrap_or_else(|| response.access_token.clone());
    let consent = consent(exchange, &response);
    let reply = match tokens(exchange, response) {
        Ok(tokens) => connect(deps, exchange, &consent, &tokens).await,
        Err(code) => Ok(refused(code)),
    };
    if !matches!(&reply, Ok(Reply { answer: Response::Connected(_), .. })) {
        let displaced = grants::record_displaced(deps, &consent, None).await;
        grants::try_revoke(deps, &login.host, &token).await;
        grants::revoke_displaced(deps, consent.org_id, &displaced?.displaced).await?;
    }
    reply
}

fn consent(exchange: &ExchangeCode, response: &TokenResponse) -> Consent {
    Consent {
        org_id: response.identity.org_id,
        kind: exchange.kind.clone(),
        tenant: exchange.tenant.clone(),
        user_id: response.identity.user_id,
        app: exchange.app.clone(),
        login_url: exchange.login_url.clone(),
        instance_url: response.instance_url.as_ref().map(ToString::to_string).unwrap_or_default(),
        granted_at: response.issued_at,
        username: None,
        rights: None,
    }
}

/// Returns the tokens to store. A connection needs a refresh token and an instance URL.
fn tokens(exchange: &ExchangeCode, response: TokenResponse) -> Result<Tokens, RefusalCode> {
    let origin = TokenGrant {
        user_id: response.identity.user_id,
        app: exchange.app.clone(),
        login_url: exchange.login_url.clone(),
    };
    match (response.refresh_token, response.instance_url) {
        (Some(refresh_token), Some(instance_url)) => Ok(Tokens {
            access_token: response.access_token,
            refresh_token,
            instance_url: instance_url.to_string(),
            issued_at: response.issued_at,
            grant: Some(origin),
            protection: None,
        }),
        (None, _) => Err(RefusalCode::AppRefused),
        (_, None) => Err(RefusalCode::Untrusted),
    }
}

/// Checks the org and the user's permissions, stores the tokens, and activates the connection.
async fn connect(deps: &Deps, exchange: &ExchangeCode, consent: &Consent, tokens: &Tokens) -> Result<Reply, Error> {
    let identity = Identity { org_id: consent.org_id, user_id: consent.user_id };
    let org = deps.orgs.load(identity.org_id).await?;
    if let Err(code) = check_org(exchange, identity, org.as_ref()) {
        tracing::warn!(org.id = %identity.org_id, "refused to connect org {}: {code:?}", identity.org_id);
        return Ok(refused(code));
    }
    let consent = match permissions::check(deps, exchange, identity.user_id, tokens).await {
        Ok(user) => &Consent { username: user.username, rights: user.rights, ..consent.clone() },
        Err(refusal) => return Ok(refusal),
    };
    if let Some(rights) = &consent.rights {
        let connections = deps.connections.list(identity.org_id).await?;
        let right = binding_right(rights, &connections, &exchange.tenant);
        if let Err(refusal) = rule::check_binding(org.as_ref(), &exchange.tenant, right) {
            tracing::warn!(org.id = %identity.org_id, "refused to bind org {}: {refusal:?}", identity.org_id);
            return Ok(refused(binding_refusal(refusal)));
        }
        // The team's own row is replaced below.
        let is_former = |other: &&Connection| other.tenant != exchange.tenant && !other.connection_id.is_team();
        if !grants::forget(deps, connections.iter().filter(is_former)).await? {
            return Ok(refused_for_now(RefusalCode::Busy, deps.limits.busy_delay));
        }
    }
    let stored = match store_and_activate(deps, consent, tokens).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(refused_for_now(RefusalCode::Busy, deps.limits.busy_delay)),
        Err(Error::State(store::Error::OwnedByAnotherTenant { .. })) => {
            return Ok(refused(RefusalCode::OrgOwnedByAnotherTenant));
        }
        Err(error) => return Err(error),
    };
    for (before, replaced) in &stored.replaced {
        revoke_replaced(deps, before, replaced).await;
    }
    grants::revoke_displaced(deps, consent.org_id, &stored.displaced).await?;
    Ok(Reply::new(Response::Connected(Connected {
        org_id: identity.org_id,
        connection_id: exchange.kind.connection_id(),
        user_id: identity.user_id,
        instance_url: tokens.instance_url.clone(),
        username: consent.username.clone(),
        limited_objects: consent.rights.as_ref().map(|rights| rights.limited_objects.clone()).unwrap_or_default(),
        grants: stored.grants,
        displaced: stored.displaced,
    })))
}

/// Checks that the tenant may connect this org. The owner of the connection is checked when it is reserved.
fn check_org(exchange: &ExchangeCode, identity: Identity, org: Option<&Org>) -> Result<(), RefusalCode> {
    if exchange.expected_org_id.is_some_and(|expected| expected != identity.org_id) {
        return Err(RefusalCode::WrongOrg);
    }
    match &exchange.kind {
        // With the greatest right, only an org that another tenant uses is refused.
        ConnectionKind::Team => rule::check_binding(org, &exchange.tenant, BindingRight::Left).map_err(binding_refusal),
        ConnectionKind::Personal { .. } => match org {
            Some(org) if org.tenant.as_ref().is_some_and(|owner| *owner != exchange.tenant) => {
                Err(RefusalCode::OrgOwnedByAnotherTenant)
            }
            Some(org) if org.state == OrgState::Active => Ok(()),
            _ => Err(RefusalCode::WrongOrg),
        },
    }
}

fn binding_refusal(refusal: rule::Refusal) -> RefusalCode {
    match refusal {
        rule::Refusal::OwnedByAnotherTenant => RefusalCode::OrgOwnedByAnotherTenant,
        rule::Refusal::NotAnAdministrator => RefusalCode::AdministratorNeeded,
    }
}

/// The findings and changes of the attempts to store a consent.
#[derive(Default)]
struct StoredGrant {
    /// The new tokens were stored.
    is_stored: bool,
    /// The tokens of other grants that the new ones replaced, each with the connection as it was before.
    replaced: Vec<(Connection, Tokens)>,
    /// The number of the user's grants to the app.
    grants: usize,
    /// The connections whose grants the new one displaced.
    displaced: Vec<ConnectionId>,
}

/// Reserves the connection, stores the new tokens as the successor of the version that is in the vault, and marks the connection
/// as active. `None` if a later consent replaced the tokens, a disconnection ended them, or the connection was held, or AWS did
/// not respond, for the whole [`max_wait`](crate::protocol::Limits::max_wait): so long a disconnection may take, and Secrets
/// Manager may keep the name of a deleted secret.
///
/// A consent whose lease was taken before it activated the connection begins anew, because its tokens may be in the vault.
async fn store_and_activate(deps: &Deps, consent: &Consent, tokens: &Tokens) -> Result<Option<StoredGrant>, Error> {
    let started_at = deps.clock.now();
    let mut stored = StoredGrant::default();
    loop {
        match try_to_activate(deps, consent, tokens, &mut stored).await {
            Ok(true) => return Ok(Some(stored)),
            Ok(false) => return Ok(None),
            Err(error) if matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)) => {
                if deps.clock.now().duration_since(started_at) >= deps.limits.max_wait {
                    return Ok(None);
                }
                tracing::warn!(error = %Chain(&error), "could not store the tokens of a consent; trying again");
                deps.timer.wait(deps.limits.retry_delay).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes one attempt. Returns `false` if the tokens were stored by an earlier attempt and have been replaced or deleted since:
/// their grant is revoked.
async fn try_to_activate(
    deps: &Deps,
    consent: &Consent,
    tokens: &Tokens,
    stored: &mut StoredGrant,
) -> Result<bool, Error> {
    let reserved = deps.connections.reserve(consent, &lease_request(deps)).await?;
    match store_tokens(deps, consent, tokens, reserved.before.as_ref(), stored).await {
        Ok(Some(version)) => {
            activate(deps, consent, &version, &reserved.lease).await?;
            Ok(true)
        }
        Ok(None) => {
            withdraw(deps, consent, &reserved).await;
            Ok(false)
        }
        Err(error) => {
            withdraw(deps, consent, &reserved).await;
            Err(error)
        }
    }
}

/// Stores the tokens under the lease. The vault is read under it too: before, a disconnection could still delete what was read.
/// `None` if they were stored before and are not in the vault any more.
async fn store_tokens(
    deps: &Deps,
    consent: &Consent,
    tokens: &Tokens,
    before: Option<&Connection>,
    stored: &mut StoredGrant,
) -> Result<Option<TokenVersion>, Error> {
    let connection_id = consent.kind.connection_id();
    let current = deps.vault.load(consent.org_id, &connection_id).await?;
    if stored.is_stored && !current.as_ref().is_some_and(|(current, _)| is_same_grant(current, tokens)) {
        return Ok(None);
    }
    let weight = grants::record_displaced(deps, consent, Some(&connection_id)).await?;
    stored.displaced.extend(weight.displaced);
    stored.grants = weight.live;
    let replaces = current.as_ref().map(|(_, version)| version);
    let version = deps.vault.store(consent.org_id, &connection_id, tokens, replaces).await?;
    stored.is_stored = true;
    protection::protect(deps, consent.org_id, &connection_id, tokens).await;
    if let (Some(before), Some((replaced, _))) = (before, current)
        && !is_same_grant(&replaced, tokens)
    {
        stored.replaced.push((before.clone(), replaced));
    }
    Ok(Some(version))
}

fn is_same_grant(one: &Tokens, other: &Tokens) -> bool {
    use secrecy::ExposeSecret as _;
    one.refresh_token.expose_secret() == other.refresh_token.expose_secret()
}

fn lease_request(deps: &Deps) -> LeaseRequest {
    let owner = Uuid::new_v4().to_string();
    LeaseRequest { owner, now: deps.clock.now(), length: deps.limits.lease, seen_fence: None }
}

/// Withdraws the reservation. If that fails too, its lease expires.
async fn withdraw(deps: &Deps, consent: &Consent, reserved: &Reservation) {
    if let Err(error) = deps.connections.cancel_reservation(consent, &reserved.lease).await {
        tracing::warn!(error = %Chain(&error), "could not withdraw a reservation; its lease will expire");
    }
}

/// Marks the connection as active and releases the lease. A lost response of AWS is retried once.
async fn activate(deps: &Deps, consent: &Consent, version: &TokenVersion, lease: &Lease) -> Result<(), store::Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match deps.connections.connect(consent, version, lease, deps.clock.now()).await {
            Err(store::Error::NoResponse { .. }) if attempts < CONNECT_ATTEMPTS => {}
            connected => return connected.map(drop),
        }
    }
}

/// Revokes a grant that the new one replaces, at the login host that issued it. The new one is already stored.
async fn revoke_replaced(deps: &Deps, before: &Connection, replaced: &Tokens) {
    if let Some(host) = grants::login_host(deps, before, replaced) {
        grants::try_revoke(deps, &host, &replaced.refresh_token).await;
    }
}

#[cfg(test)]
mod tests;
