//! Counts the grants of a user to an app in an org, and revokes those that a new consent displaced.

use runtime::Chain;
use salesforce::{LoginHost, OrgId, auth};
use secrecy::SecretString;
use store::connections::grants::{self, GrantCount};
use store::{Connection, ConnectionId, ConnectionState, Consent, Tokens};

use crate::{Deps, Error};

/// Counts the grants after Salesforce issued one for `consent`, and records which connections it displaced. `kept_by` is the
/// connection that gets the grant; `None` if the grant is revoked.
pub(crate) async fn record_displaced(
    deps: &Deps,
    consent: &Consent,
    kept_by: Option<&ConnectionId>,
) -> Result<GrantCount, Error> {
    let connections = deps.connections.list(consent.org_id).await?;
    let mut live = Vec::new();
    for connection in &connections {
        live.extend(grants::pending_grant(connection));
        if has_live_grant(deps, consent, connection).await? {
            live.push(grants::active_grant(connection));
        }
    }
    let GrantCount { live, displaced } = grants::count_grants(&live, kept_by, &consent.grant());
    let mut recorded = Vec::new();
    for connection in connections.iter().filter(|connection| displaced.contains(&connection.connection_id)) {
        let is_recorded = deps.connections.mark_displaced(connection, deps.clock.now()).await;
        if is_recorded? {
            recorded.push(connection.connection_id.clone());
        }
    }
    let weight = GrantCount { live, displaced: recorded };
    warn(consent, &weight);
    Ok(weight)
}

/// Returns whether the connection's grant may still exist at Salesforce. The tokens of a revoked connection are deleted only
/// after Salesforce has revoked the grant, so a stored secret means that it exists.
async fn has_live_grant(deps: &Deps, consent: &Consent, connection: &Connection) -> Result<bool, Error> {
    let same_user_and_app = connection.user_id == consent.user_id && connection.app == consent.app;
    if same_user_and_app && connection.state == ConnectionState::Revoked {
        let tokens = deps.vault.load(connection.org_id, &connection.connection_id).await;
        return Ok(tokens?.is_some());
    }
    Ok(grants::may_be_live(connection))
}

fn warn(consent: &Consent, weight: &GrantCount) {
    let Consent { org_id, user_id, app, .. } = consent;
    if !weight.displaced.is_empty() {
        tracing::warn!(org.id = %org_id, displaced = ?weight.displaced,
            "a consent of user {user_id} of org {org_id} to app {app} ended the user's oldest grants");
    }
    if weight.is_full() {
        let grants = weight.live;
        tracing::warn!(org.id = %org_id, grants,
            "user {user_id} of org {org_id} has {grants} grants to app {app}; the next consent ends the oldest");
    }
}

/// Revokes the displaced grants at Salesforce. Salesforce ends the oldest itself; this covers a wrong count.
pub(crate) async fn revoke_displaced(deps: &Deps, org: OrgId, displaced: &[ConnectionId]) -> Result<(), Error> {
    for connection_id in displaced {
        let connection = deps.connections.load(org, connection_id).await?;
        let tokens = deps.vault.load(org, connection_id).await?;
        let (Some(connection), Some((tokens, _))) = (connection, tokens) else { continue };
        let reason = grants::DISPLACED.to_owned();
        let is_displaced = connection.state == ConnectionState::ReauthRequired { reason };
        if let Some(host) = login_host(deps, &connection, &tokens).filter(|_| is_displaced) {
            try_revoke(deps, &host, &tokens.refresh_token).await;
        }
    }
    Ok(())
}

/// Deletes the ended connections of former tenants of an org, with their tokens, so that the new tenant is shown nothing of
/// them. Returns `false` if one was changed in between, or its grant could not be revoked.
pub(crate) async fn forget(deps: &Deps, former: impl Iterator<Item = &Connection>) -> Result<bool, Error> {
    for connection in former {
        let Connection { org_id, connection_id, tenant, .. } = connection;
        if let Some((tokens, _)) = deps.vault.load(*org_id, connection_id).await? {
            if let Some(host) = login_host(deps, connection, &tokens)
                && !try_revoke(deps, &host, &tokens.refresh_token).await
            {
                return Ok(false);
            }
            deps.vault.delete(*org_id, connection_id).await?;
        }
        if !deps.connections.forget(connection).await? {
            return Ok(false);
        }
        tracing::info!(org.id = %org_id, "deleted connection {connection_id} of the former tenant {tenant} of org {org_id}");
    }
    Ok(true)
}

/// Returns the login host at which the tokens' grant is revoked.
pub(crate) fn login_host(deps: &Deps, connection: &Connection, tokens: &Tokens) -> Option<LoginHost> {
    let login_url = tokens.grant.as_ref().map_or(&connection.login_url, |origin| &origin.login_url);
    LoginHost::parse(login_url, deps.http.policy()).ok()
}

/// Revokes a grant that no connection uses. Returns `false` if Salesforce did not confirm it, which is logged.
pub(crate) async fn try_revoke(deps: &Deps, host: &LoginHost, token: &SecretString) -> bool {
    let revoked = auth::revoke(&deps.http, host, token).await;
    if let Err(error) = &revoked {
        tracing::warn!(error = %Chain(error), "could not revoke an unused grant");
    }
    revoked.is_ok()
}
