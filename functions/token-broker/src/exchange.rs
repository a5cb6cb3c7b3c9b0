//! Makes a connection of a consent: code to tokens, tokens into the vault, and only then the connection's row.

use runtime::Chain;
use runtime::token_broker::{Answer, Connected, ExchangeCode, RefusalCode};
use salesforce::auth::{self, CodeExchange, Identity, TokenAnswer};
use salesforce::{Error as Salesforce, LoginHost};
use store::{Connection, ConnectionKind, ConnectionState, Org, OrgState, TokenVersion, Tokens};

use crate::app::{Door, door};
use crate::refusal::{of_salesforce, refused, refused_for_now};
use crate::{Deps, Error, Reply};

/// How often the new tokens are stored when a refresh of the old ones comes in between.
const STORE_ATTEMPTS: u32 = 5;

/// Trades the code, and keeps what it brings if the org may be connected for this tenant.
pub(crate) async fn exchange_code(deps: &Deps, exchange: &ExchangeCode) -> Result<Reply, Error> {
    let Some(door) = door(deps, &exchange.app, &exchange.login_url).await? else {
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

/// A grant that is not kept is revoked, so that none is left lying about in the customer's org.
async fn keep_or_give_back(
    deps: &Deps,
    exchange: &ExchangeCode,
    door: &Door,
    answer: TokenAnswer,
) -> Result<Reply, Error> {
    let identity = answer.identity;
    let grant = answer.refresh_token.clone().unwrap_or_else(|| answer.access_token.clone());
    let kept = match tokens(answer) {
        Ok(tokens) => keep(deps, exchange, identity, tokens).await,
        Err(code) => Ok(refused(code)),
    };
    if !matches!(&kept, Ok(Reply { answer: Answer::Connected(_), .. })) {
        revoke_quietly(deps, &door.login, &grant).await;
    }
    kept
}

async fn keep(deps: &Deps, exchange: &ExchangeCode, identity: Identity, tokens: Tokens) -> Result<Reply, Error> {
    let connection_id = exchange.kind.connection_id();
    let org = deps.orgs.load(identity.org_id).await.map_err(Error::state("load the org"))?;
    let existing = deps.connections.load(identity.org_id, &connection_id).await;
    let existing = existing.map_err(Error::state("load the connection"))?;
    if let Err(code) = admit(exchange, identity, org.as_ref(), existing.as_ref()) {
        tracing::warn!(org.id = %identity.org_id, "refused to connect org {}: {code:?}", identity.org_id);
        return Ok(refused(code));
    }
    let Some((token_version, replaced)) = store_tokens(deps, exchange, identity, &tokens).await? else {
        return Ok(refused_for_now(RefusalCode::Busy, deps.limits.busy_pause));
    };
    let connected = store::Connected {
        org_id: identity.org_id,
        kind: exchange.kind.clone(),
        tenant: exchange.tenant.clone(),
        user_id: identity.user_id,
        app: exchange.app.clone(),
        login_url: exchange.login_url.clone(),
        instance_url: tokens.instance_url.clone(),
        token_version,
        now: deps.clock.now(),
    };
    match deps.connections.upsert_connected(&connected).await {
        Ok(_) => {}
        Err(store::Error::OwnedByAnotherTenant { .. }) => return Ok(refused(RefusalCode::OrgOwnedByAnotherTenant)),
        Err(source) => return Err(Error::State { doing: "make the connection active", source }),
    }
    if let Some((existing, replaced)) = existing.zip(replaced) {
        revoke_replaced(deps, &existing, &replaced, &tokens).await;
    }
    Ok(Reply::of(Answer::Connected(Connected {
        org_id: identity.org_id,
        connection_id,
        user_id: identity.user_id,
        instance_url: tokens.instance_url,
    })))
}

/// A token answer has to bring everything that a connection lives on.
fn tokens(answer: TokenAnswer) -> Result<Tokens, RefusalCode> {
    match (answer.refresh_token, answer.instance_url) {
        (Some(refresh_token), Some(instance_url)) => Ok(Tokens {
            access_token: answer.access_token,
            refresh_token,
            instance_url: instance_url.to_string(),
            issued_at: answer.issued_at,
        }),
        (None, _) => Err(RefusalCode::AppRefused),
        (_, None) => Err(RefusalCode::Untrusted),
    }
}

/// Whether this org may be connected in this way for this tenant.
fn admit(
    exchange: &ExchangeCode,
    identity: Identity,
    org: Option<&Org>,
    existing: Option<&Connection>,
) -> Result<(), RefusalCode> {
    if exchange.expected_org_id.is_some_and(|expected| expected != identity.org_id) {
        return Err(RefusalCode::WrongOrg);
    }
    let owner = org.and_then(|org| org.tenant.as_ref());
    let live = existing.filter(|connection| connection.state != ConnectionState::Revoked);
    let foreign =
        owner.into_iter().chain(live.map(|connection| &connection.tenant)).any(|owner| *owner != exchange.tenant);
    if foreign {
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

/// Stores the new tokens as the successor of what is in the vault, and says what that was. `None` when refreshes of the old
/// ones kept coming in between.
async fn store_tokens(
    deps: &Deps,
    exchange: &ExchangeCode,
    identity: Identity,
    tokens: &Tokens,
) -> Result<Option<(TokenVersion, Option<Tokens>)>, Error> {
    let connection_id = exchange.kind.connection_id();
    for _ in 0..STORE_ATTEMPTS {
        let current = deps.vault.load(identity.org_id, &connection_id).await;
        let current = current.map_err(Error::state("load the tokens"))?;
        let replaces = current.as_ref().map(|(_, version)| version);
        match deps.vault.store(identity.org_id, &connection_id, tokens, replaces).await {
            Ok(version) => return Ok(Some((version, current.map(|(replaced, _)| replaced)))),
            Err(store::Error::Conflict { .. }) => deps.timer.pause(deps.limits.pause).await,
            Err(source) => return Err(Error::State { doing: "store the tokens", source }),
        }
    }
    Ok(None)
}

/// Ends the grant that the new one replaces, at the login host that it came from. The new one is stored already.
async fn revoke_replaced(deps: &Deps, existing: &Connection, replaced: &Tokens, tokens: &Tokens) {
    use secrecy::ExposeSecret as _;
    let same = replaced.refresh_token.expose_secret() == tokens.refresh_token.expose_secret();
    let login = LoginHost::parse(&existing.login_url, deps.http.policy());
    if let (false, Ok(login)) = (same || existing.state == ConnectionState::Revoked, login) {
        revoke_quietly(deps, &login, &replaced.refresh_token).await;
    }
}

/// Revokes a grant that nothing depends on; a failure is only worth a line in the log.
async fn revoke_quietly(deps: &Deps, login: &LoginHost, grant: &secrecy::SecretString) {
    let revoked: Result<(), Salesforce> = auth::revoke(&deps.http, login, grant).await;
    if let Err(error) = revoked {
        tracing::warn!(error = %Chain(&error), "a grant that is not kept could not be revoked");
    }
}

#[cfg(test)]
mod tests;
