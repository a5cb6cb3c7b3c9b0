//! How a connection is.

use runtime::token_broker::{Answer, ConnectionRef, ConnectionStatus, RefusalCode};
use store::Connection;

use crate::refusal::refused;
use crate::{Deps, Error, Reply};

/// Tells how the connection is, from its row.
pub(crate) async fn status(deps: &Deps, wanted: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(wanted.org_id, &wanted.connection_id).await;
    let connection = loaded.map_err(Error::state("load the connection"))?;
    Ok(connection.map_or_else(|| refused(RefusalCode::UnknownConnection), of))
}

/// The answer about a connection whose row was read.
pub(crate) fn of(connection: Connection) -> Reply {
    Reply::of(Answer::Status(ConnectionStatus {
        org_id: connection.org_id,
        connection_id: connection.connection_id,
        state: connection.state,
        app: connection.app,
    }))
}
