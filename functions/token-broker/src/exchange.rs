//! Makes a connection of a consent: code to tokens, then the connection is reserved, then the tokens go into the vault, and
//! only then the connection is active.

use runtime::Chain;
use runtime::token_broker::{Answer, Connected, ExchangeCode, RefusalCode};
use salesforce::auth::{self, CodeExchange, Identity, TokenAnswer};
use salesforce::{Classify as _, Retry};
use store::{
    Connection, ConnectionId, ConnectionKind, Consent, LeaseRequest, Org, OrgState, Origin, Reserved, TokenVersion,
    Tokens,
};
use uuid::Uuid;

use crate::app::{Door, door};
use crate::refusal::{of_salesforce, refused, refused_for_now};
use crate::{Deps, Error, Reply, grants, permissions};

/// How often the new tokens are stored when others store theirs in between, or AWS is not available.
const STORE_ATTEMPTS: u32 = 5;

/// How often the connection is made active when AWS does not answer.
const CONNECT_ATTEMPTS: u32 = 2;

/// Trades the code, and keeps what it brings if the org may be connected for this tenant.
pub(crate) async fn exchange_code(deps: &Deps, exchange: &ExchangeCode) -> Result<Reply, Error> {
    let door = door(deps, &exchange.app, &exchange.login_url).await?;
    let Some(door) = door.filter(|door| !door.is_stopped) else {
        return Ok(refused(RefusalCode::UnknownApp));
    };
    let code = CodeExchange {
        redirect_uri: exchange.redirect_uri.clone(),
        code: exchange.code.clone(),
        code_verifier: exchange.code_verifier.clone(),
        nonce: exchange.nonce.clone(),
    };
    match auth::exchange_code(&deps.http, &door.app, &door.login, &code).await {
        Ok(answer) => keep_or_give_back(deps, exchange, &door, answer).await,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "Salesforce did not turn a code into tokens");
            Ok(of_salesforce(&error))
        }
    }
}

/// A grant that is not kept is revoked, so that none is left lying about in the customer's org. The grant that it displaced
/// is gone all the same.
async fn keep_or_give_back(
    deps: &Deps,
    exchange: &ExchangeCode,
    door: &Door,
    answer: TokenAnswer,
) -> Result<Reply, Error> {
    let grant = answer.refresh_token.clone().unwrap_or_else(|| answer.access_token.clone());
    let consent = consent(exchange, &answer);
    let kept = match tokens(exchange, answer) {
        Ok(tokens) => keep(deps, exchange, &consent, &tokens).await,
        Err(code) => Ok(refused(code)),
    };
    if !matches!(&kept, Ok(Reply { answer: Answer::Connected(_), .. })) {
        let displaced = grants::note_displaced(deps, &consent, None).await;
        grants::revoke_quietly(deps, &door.login, &grant).await;
        grants::revoke_displaced(deps, consent.org_id, &displaced?.displaced).await?;
    }
    kept
}

fn consent(exchange: &ExchangeCode, answer: &TokenAnswer) -> Consent {
    Consent {
        org_id: answer.identity.org_id,
        kind: exchange.kind.clone(),
        tenant: exchange.tenant.clone(),
        user_id: answer.identity.user_id,
        app: exchange.app.clone(),
        login_url: exchange.login_url.clone(),
        instance_url: answer.instance_url.as_ref().map(ToString::to_string).unwrap_or_default(),
        granted_at: answer.issued_at,
        username: None,
    }
}

/// A token answer has to bring everything that a connection lives on.
fn tokens(exchange: &ExchangeCode, answer: TokenAnswer) -> Result<Tokens, RefusalCode> {
    let origin =
        Origin { user_id: answer.identity.user_id, app: exchange.app.clone(), login_url: exchange.login_url.clone() };
    match (answer.refresh_token, answer.instance_url) {
        (Some(refresh_token), Some(instance_url)) => Ok(Tokens {
            access_token: answer.access_token,
            refresh_token,
            instance_url: instance_url.to_string(),
            issued_at: answer.issued_at,
            origin: Some(origin),
        }),
        (None, _) => Err(RefusalCode::AppRefused),
        (_, None) => Err(RefusalCode::Untrusted),
    }
}

async fn keep(deps: &Deps, exchange: &ExchangeCode, consent: &Consent, tokens: &Tokens) -> Result<Reply, Error> {
    let identity = Identity { org_id: consent.org_id, user_id: consent.user_id };
    let org = deps.orgs.load(identity.org_id).await.map_err(Error::state("load the org"))?;
    if let Err(code) = admit(exchange, identity, org.as_ref()) {
        tracing::warn!(org.id = %identity.org_id, "refused to connect org {}: {code:?}", identity.org_id);
        return Ok(refused(code));
    }
    let consent = match permissions::check(deps, exchange, tokens).await {
        Ok(user) => &Consent { username: user.username, ..consent.clone() },
        Err(refusal) => return Ok(refusal),
    };
    let stored = match store_tokens(deps, consent, tokens).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(refused_for_now(RefusalCode::Busy, deps.limits.busy_pause)),
        Err(Error::State { source: store::Error::OwnedByAnotherTenant { .. }, .. }) => {
            return Ok(refused(RefusalCode::OrgOwnedByAnotherTenant));
        }
        Err(error) => return Err(error),
    };
    match make_active(deps, consent, &stored).await {
        Ok(()) => {}
        Err(store::Error::LeaseLost { .. }) => return Ok(refused_for_now(RefusalCode::Busy, deps.limits.busy_pause)),
        Err(source) => return Err(Error::State { doing: "make the connection active", source }),
    }
    if let Some((before, replaced)) = stored.reserved.before.as_ref().zip(stored.replaced.as_ref()) {
        revoke_replaced(deps, before, replaced, tokens).await;
    }
    grants::revoke_displaced(deps, consent.org_id, &stored.displaced).await?;
    Ok(Reply::of(Answer::Connected(Connected {
        org_id: identity.org_id,
        connection_id: exchange.kind.connection_id(),
        user_id: identity.user_id,
        instance_url: tokens.instance_url.clone(),
        username: consent.username.clone(),
        grants: stored.grants,
        displaced: stored.displaced,
    })))
}

/// Whether this org may be connected in this way for this tenant. Whose the connection is, its reservation decides.
fn admit(exchange: &ExchangeCode, identity: Identity, org: Option<&Org>) -> Result<(), RefusalCode> {
    if exchange.expected_org_id.is_some_and(|expected| expected != identity.org_id) {
        return Err(RefusalCode::WrongOrg);
    }
    let owner = org.and_then(|org| org.tenant.as_ref());
    if owner.is_some_and(|owner| *owner != exchange.tenant) {
        return Err(RefusalCode::OrgOwnedByAnotherTenant);
    }
    match &exchange.kind {
        ConnectionKind::Team => Ok(()),
        ConnectionKind::Personal { .. } => match org {
            Some(org) if org.state == OrgState::Active => Ok(()),
            _ => Err(RefusalCode::WrongOrg),
        },
    }
}

/// New tokens in the vault, and the reserved connection that waits for them.
struct Stored {
    reserved: Reserved,
    version: TokenVersion,
    replaced: Option<Tokens>,
    grants: usize,
    displaced: Vec<ConnectionId>,
}

/// Reserves the connection, and stores the new tokens as the successor of what was in the vault before that. `None` when
/// others kept storing theirs in between.
async fn store_tokens(deps: &Deps, consent: &Consent, tokens: &Tokens) -> Result<Option<Stored>, Error> {
    let connection_id = consent.kind.connection_id();
    let mut displaced = Vec::new();
    for _ in 0..STORE_ATTEMPTS {
        let current = deps.vault.load(consent.org_id, &connection_id).await;
        let current = current.map_err(Error::state("load the tokens"))?;
        let reserved = deps.connections.reserve(consent, &request(deps)).await;
        let reserved = reserved.map_err(Error::state("reserve the connection"))?;
        let counted = grants::note_displaced(deps, consent, Some(&connection_id)).await?;
        displaced.extend(counted.displaced);
        let replaces = current.as_ref().map(|(_, version)| version);
        match deps.vault.store(consent.org_id, &connection_id, tokens, replaces).await {
            Ok(version) => {
                let replaced = current.map(|(replaced, _)| replaced);
                return Ok(Some(Stored { reserved, version, replaced, grants: counted.grants, displaced }));
            }
            Err(error) if matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)) => {
                tracing::warn!(error = %Chain(&error), "the tokens of a consent are not stored yet");
                withdraw(deps, consent, &reserved).await;
                deps.timer.pause(deps.limits.pause).await;
            }
            Err(source) => {
                withdraw(deps, consent, &reserved).await;
                return Err(Error::State { doing: "store the tokens", source });
            }
        }
    }
    Ok(None)
}

fn request(deps: &Deps) -> LeaseRequest {
    let owner = Uuid::new_v4().to_string();
    LeaseRequest { owner, now: deps.clock.now(), length: deps.limits.lease, seen_fence: None }
}

/// Where that fails too, the lease runs out by itself.
async fn withdraw(deps: &Deps, consent: &Consent, reserved: &Reserved) {
    if let Err(error) = deps.connections.withdraw(consent, &reserved.lease).await {
        tracing::warn!(error = %Chain(&error), "a reservation was not withdrawn");
    }
}

async fn make_active(deps: &Deps, consent: &Consent, stored: &Stored) -> Result<(), store::Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (lease, now) = (&stored.reserved.lease, deps.clock.now());
        match deps.connections.connect(consent, &stored.version, lease, now).await {
            Err(store::Error::NoAnswer { .. }) if attempts < CONNECT_ATTEMPTS => {}
            connected => return connected.map(drop),
        }
    }
}

/// Ends the grant that the new one replaces, at the login host that it came from. The new one is stored already.
async fn revoke_replaced(deps: &Deps, before: &Connection, replaced: &Tokens, tokens: &Tokens) {
    use secrecy::ExposeSecret as _;
    if replaced.refresh_token.expose_secret() == tokens.refresh_token.expose_secret() {
        return;
    }
    if let Some(login) = grants::login_of(deps, before, replaced) {
        grants::revoke_quietly(deps, &login, &replaced.refresh_token).await;
    }
}

#[cfg(test)]
mod tests;
