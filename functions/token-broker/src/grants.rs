//! Counts the grants of a user to an app in an org, and ends on purpose what a new consent displaced.

use runtime::Chain;
use salesforce::{LoginHost, OrgId, auth};
use secrecy::SecretString;
use store::connections::grants::{self, Weight};
use store::{Connection, ConnectionId, ConnectionState, Consent, Tokens};

use crate::{Deps, Error};

/// Weighs a consent that Salesforce has turned into a grant, and notes which connections it displaced. `kept_by` is the
/// connection that gets the grant.
pub(crate) async fn note_displaced(
    deps: &Deps,
    consent: &Consent,
    kept_by: Option<&ConnectionId>,
) -> Result<Weight, Error> {
    let connections = deps.connections.list(consent.org_id).await.map_err(Error::state("list the connections"))?;
    let mut known = Vec::new();
    for connection in &connections {
        known.extend(grants::pending(connection));
        if is_alive(deps, consent, connection).await? {
            known.push(grants::in_use(connection));
        }
    }
    let Weight { grants, displaced } = grants::weigh(&known, kept_by, &consent.grant());
    let mut noted = Vec::new();
    for connection in connections.iter().filter(|known| displaced.contains(&known.connection_id)) {
        let is_noted = deps.connections.displace(connection, deps.clock.now()).await;
        if is_noted.map_err(Error::state("note the displaced connection"))? {
            noted.push(connection.connection_id.clone());
        }
    }
    let weight = Weight { grants, displaced: noted };
    warn(consent, &weight);
    Ok(weight)
}

/// Whether the connection's grant may live at Salesforce. That of a revoked one does while its secret is there, which is
/// kept until Salesforce has heard of the end.
async fn is_alive(deps: &Deps, consent: &Consent, connection: &Connection) -> Result<bool, Error> {
    let rival = connection.user_id == consent.user_id && connection.app == consent.app;
    if rival && connection.state == ConnectionState::Revoked {
        let tokens = deps.vault.load(connection.org_id, &connection.connection_id).await;
        return Ok(tokens.map_err(Error::state("load the tokens"))?.is_some());
    }
    Ok(grants::may_live(connection))
}

fn warn(consent: &Consent, weight: &Weight) {
    let Consent { org_id, user_id, app, .. } = consent;
    if !weight.displaced.is_empty() {
        tracing::warn!(org.id = %org_id, displaced = ?weight.displaced,
            "a consent of user {user_id} of org {org_id} to app {app} ended older grants of theirs");
    }
    if weight.is_full() {
        let grants = weight.grants;
        tracing::warn!(org.id = %org_id, grants,
            "user {user_id} of org {org_id} has {grants} grants to app {app}; the next consent ends the oldest");
    }
}

/// Ends the displaced grants at Salesforce too, so that nothing is left to chance.
pub(crate) async fn revoke_displaced(deps: &Deps, org: OrgId, displaced: &[ConnectionId]) -> Result<(), Error> {
    for connection_id in displaced {
        let connection =
            deps.connections.load(org, connection_id).await.map_err(Error::state("load the connection"))?;
        let tokens = deps.vault.load(org, connection_id).await.map_err(Error::state("load the tokens"))?;
        let (Some(connection), Some((tokens, _))) = (connection, tokens) else { continue };
        let reason = grants::DISPLACED.to_owned();
        let is_displaced = connection.state == ConnectionState::ReauthRequired { reason };
        if let Some(login) = login_of(deps, &connection, &tokens).filter(|_| is_displaced) {
            revoke_quietly(deps, &login, &tokens.refresh_token).await;
        }
    }
    Ok(())
}

/// The login host that the tokens' grant is revoked at.
pub(crate) fn login_of(deps: &Deps, connection: &Connection, tokens: &Tokens) -> Option<LoginHost> {
    let login_url = tokens.origin.as_ref().map_or(&connection.login_url, |origin| &origin.login_url);
    LoginHost::parse(login_url, deps.http.policy()).ok()
}

/// Revokes a grant that nothing depends on; a failure is only worth a line in the log.
pub(crate) async fn revoke_quietly(deps: &Deps, login: &LoginHost, grant: &SecretString) {
    if let Err(error) = auth::revoke(&deps.http, login, grant).await {
        tracing::warn!(error = %Chain(&error), "a grant that is not kept could not be revoked");
    }
}
