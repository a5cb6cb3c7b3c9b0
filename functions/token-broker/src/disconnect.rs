//! Ends a connection: first here, so that nobody gets a token any more, then at Salesforce, then in the vault.

use runtime::Chain;
use runtime::token_broker::{Answer, ConnectionRef, RefusalCode};
use salesforce::auth;
use store::{Connection, ConnectionState, Lease, LeaseClaim, LeaseRequest, Settlement};
use uuid::Uuid;

use crate::grants::login_of;
use crate::refusal::{of_salesforce, refused, refused_for_now};
use crate::{Deps, Error, Reply};

/// Ends the connection. Repeating it is safe, and finishes what an earlier attempt could not.
pub(crate) async fn revoke(deps: &Deps, wanted: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(wanted.org_id, &wanted.connection_id).await;
    let Some(connection) = loaded.map_err(Error::state("load the connection"))? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    if connection.state != ConnectionState::Revoked {
        let Some(lease) = claim(deps, wanted).await? else {
            return Ok(refused_for_now(RefusalCode::Busy, deps.limits.pause));
        };
        close(deps, wanted, &lease).await?;
    }
    revoke_at_salesforce(deps, wanted, &connection).await
}

/// Takes the lease, so that no refresh is under way; waits for it as long as the caller may be kept.
async fn claim(deps: &Deps, wanted: &ConnectionRef) -> Result<Option<Lease>, Error> {
    let begun = deps.clock.now();
    while deps.clock.now().duration_since(begun) < deps.limits.patience {
        let request = LeaseRequest {
            owner: Uuid::new_v4().to_string(),
            now: deps.clock.now(),
            length: deps.limits.lease,
            seen_fence: None,
        };
        let claim = deps.connections.claim_lease(wanted.org_id, &wanted.connection_id, &request).await;
        match claim.map_err(Error::state("claim the lease"))? {
            LeaseClaim::Granted(lease) => return Ok(Some(lease)),
            LeaseClaim::Held(_) => deps.timer.pause(deps.limits.pause).await,
        }
    }
    Ok(None)
}

async fn close(deps: &Deps, wanted: &ConnectionRef, lease: &Lease) -> Result<(), Error> {
    let settlement = Settlement::State { state: ConnectionState::Revoked, now: deps.clock.now() };
    let settled = deps.connections.settle(wanted.org_id, &wanted.connection_id, lease, &settlement).await;
    settled.map(drop).map_err(Error::state("close the connection"))
}

/// The secret stays until Salesforce has revoked the grant, so that a repetition still can.
async fn revoke_at_salesforce(deps: &Deps, wanted: &ConnectionRef, connection: &Connection) -> Result<Reply, Error> {
    let tokens = deps.vault.load(wanted.org_id, &wanted.connection_id).await;
    if let Some((tokens, _)) = tokens.map_err(Error::state("load the tokens"))? {
        let Some(login) = login_of(deps, connection, &tokens) else {
            return Ok(refused(RefusalCode::UnknownApp));
        };
        if let Err(error) = auth::revoke(&deps.http, &login, &tokens.refresh_token).await {
            let org = wanted.org_id;
            tracing::warn!(org.id = %org, error = %Chain(&error), "org {org} is disconnected here, but not at Salesforce yet");
            return Ok(of_salesforce(&error));
        }
        let deleted = deps.vault.delete(wanted.org_id, &wanted.connection_id).await;
        deleted.map_err(Error::state("delete the tokens"))?;
    }
    Ok(Reply::of(Answer::Revoked(wanted.clone())))
}
