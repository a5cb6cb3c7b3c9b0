//! Uses a refresh token that has been idle for long, so that Salesforce does not end it, and sees to the end of its app.

use runtime::token_broker::{Answer, ConnectionRef, Refusal, RefusalCode};
use store::connections::keep_alive;
use store::{Connection, ConnectionState};

use crate::refresh::{self, Goal};
use crate::refusal::refused;
use crate::{Deps, Error, Reply, status, sunset};

/// Refreshes the connection if it is due, and tells how it is. One that is not due, and one that needs its person, cost one
/// read of its row.
pub(crate) async fn keep_alive(deps: &Deps, wanted: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(wanted.org_id, &wanted.connection_id).await;
    let Some(connection) = loaded.map_err(Error::state("load the connection"))? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    if !is_alive(&connection) {
        return Ok(status::of(connection));
    }
    if sunset::tend(deps, &connection).await? {
        return status::status(deps, wanted).await;
    }
    if !keep_alive::is_due(&connection, deps.clock.now()) {
        return Ok(status::of(connection));
    }
    let reply = refresh::get(deps, connection, Goal::Fresh).await?;
    match &reply.answer {
        Answer::Token(_)
        | Answer::Refused(Refusal { code: RefusalCode::ReauthRequired | RefusalCode::Revoked, .. }) => {
            let refreshed = reply.is_refreshed();
            status::status(deps, wanted).await.map(|reply| reply.refreshed(refreshed))
        }
        _ => Ok(reply),
    }
}

/// An uncertain connection is tried: its refresh token may be good.
fn is_alive(connection: &Connection) -> bool {
    matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain)
}
