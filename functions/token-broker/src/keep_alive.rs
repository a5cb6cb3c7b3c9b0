//! Refreshes connections that were idle for long, before Salesforce ends their refresh token, tries those that could not be
//! refreshed, and checks their app's sunset.

use runtime::token_broker::{ConnectionRef, Refusal, RefusalCode, Response, RetryHint};
use store::connections::keep_alive;
use store::{Connection, ConnectionState};

use crate::refresh;
use crate::refusal::refused;
use crate::token_request::TokenRequest;
use crate::{Deps, Error, Reply, status, sunset};

/// Refreshes the connection if it is due, and returns its status. A connection that is not due, or that a user has to connect
/// again, costs one read of its row.
pub(crate) async fn keep_alive(deps: &Deps, reference: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(reference.org_id, &reference.connection_id).await;
    let Some(connection) = loaded? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    if !may_be_refreshed(&connection) {
        return Ok(status::from_connection(connection));
    }
    if sunset::check_sunset(deps, &connection).await? {
        return status::load_status(deps, reference).await;
    }
    let request = match connection.condition {
        // A refresh would not show whether the org accepts sessions again.
        Some(state) if !state.condition.is_of_sessions() => TokenRequest::Recovered,
        _ if keep_alive::is_due(&connection, deps.clock.now()) => TokenRequest::RecentlyUsed,
        _ => return Ok(status::from_connection(connection)),
    };
    let reply = refresh::fetch_token(deps, connection, request).await?;
    match &reply.answer {
        // It was reported: the status says it, and there is nothing to try again before the next hour.
        Response::Refused(Refusal { condition: met @ Some(_), retry: RetryHint::NeedsHuman, .. }) => {
            status::load_status(deps, reference).await.map(|reply| reply.met(*met))
        }
        Response::Token(_)
        | Response::Refused(Refusal { code: RefusalCode::ReauthRequired | RefusalCode::Revoked, .. }) => {
            let refreshed = reply.is_refreshed();
            status::load_status(deps, reference).await.map(|reply| reply.refreshed(refreshed))
        }
        _ => Ok(reply),
    }
}

/// Returns whether a refresh may succeed. The refresh token of an uncertain connection may be valid, so it is tried.
fn may_be_refreshed(connection: &Connection) -> bool {
    matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain)
}
