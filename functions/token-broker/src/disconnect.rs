//! Disconnects a connection: first in the table, so that no caller gets a token any more, then at Salesforce, then in the
//! vault.

use runtime::Chain;
use runtime::token_broker::{ConnectionRef, RefusalCode, Response};
use salesforce::auth;
use store::{Connection, ConnectionState, Lease, LeaseClaim, LeaseOutcome, LeaseRequest};
use uuid::Uuid;

use crate::grants::login_host;
use crate::refusal::{from_salesforce_error, refused, refused_for_now};
use crate::{Deps, Error, Reply};

/// Disconnects the connection. Idempotent: a repetition completes what an earlier attempt could not.
pub(crate) async fn revoke(deps: &Deps, reference: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(reference.org_id, &reference.connection_id).await;
    let Some(connection) = loaded? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    if connection.state != ConnectionState::Revoked {
        let Some(lease) = claim_lease(deps, reference).await? else {
            return Ok(refused_for_now(RefusalCode::Busy, deps.limits.retry_delay));
        };
        mark_revoked(deps, reference, &lease).await?;
    }
    revoke_at_salesforce(deps, reference, &connection).await
}

/// Claims the lease, so that no refresh is running. `None` if another broker held it for the whole
/// [`max_wait`](crate::protocol::Limits::max_wait).
async fn claim_lease(deps: &Deps, reference: &ConnectionRef) -> Result<Option<Lease>, Error> {
    let started_at = deps.clock.now();
    while deps.clock.now().duration_since(started_at) < deps.limits.max_wait {
        let request = LeaseRequest {
            owner: Uuid::new_v4().to_string(),
            now: deps.clock.now(),
            length: deps.limits.lease,
            seen_fence: None,
        };
        let claim = deps.connections.claim_lease(reference.org_id, &reference.connection_id, &request).await;
        match claim? {
            LeaseClaim::Granted(lease) => return Ok(Some(lease)),
            LeaseClaim::Held(_) => deps.timer.wait(deps.limits.retry_delay).await,
        }
    }
    Ok(None)
}

async fn mark_revoked(deps: &Deps, reference: &ConnectionRef, lease: &Lease) -> Result<(), Error> {
    let settlement = LeaseOutcome::StateChanged { state: ConnectionState::Revoked, now: deps.clock.now() };
    let settled = deps.connections.release_lease(reference.org_id, &reference.connection_id, lease, &settlement).await;
    settled?;
    Ok(())
}

/// Revokes the grant and deletes its tokens. The tokens stay until Salesforce has revoked the grant, so that a repetition can
/// still revoke it.
async fn revoke_at_salesforce(deps: &Deps, reference: &ConnectionRef, connection: &Connection) -> Result<Reply, Error> {
    let tokens = deps.vault.load(reference.org_id, &reference.connection_id).await;
    if let Some((tokens, _)) = tokens? {
        let Some(host) = login_host(deps, connection, &tokens) else {
            return Ok(refused(RefusalCode::UnknownApp));
        };
        if let Err(error) = auth::revoke(&deps.http, &host, &tokens.refresh_token).await {
            let org = reference.org_id;
            tracing::warn!(org.id = %org, error = %Chain(&error), "could not revoke a grant of org {org} at Salesforce; Ferry no longer uses it");
            return Ok(from_salesforce_error(&error));
        }
        let deleted = deps.vault.delete(reference.org_id, &reference.connection_id).await;
        deleted?;
    }
    Ok(Reply::new(Response::Revoked(reference.clone())))
}
