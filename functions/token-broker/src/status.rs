//! The status of a connection, from its row.

use runtime::token_broker::{ConnectionRef, ConnectionStatus, RefusalCode, Response};
use store::Connection;

use crate::refusal::refused;
use crate::{Deps, Error, Reply};

/// Loads the connection's row and returns its status.
pub(crate) async fn load_status(deps: &Deps, reference: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(reference.org_id, &reference.connection_id).await;
    let connection = loaded?;
    Ok(connection.map_or_else(|| refused(RefusalCode::UnknownConnection), from_connection))
}

/// Returns the status of a row that was loaded.
pub(crate) fn from_connection(connection: Connection) -> Reply {
    Reply::new(Response::Status(ConnectionStatus {
        org_id: connection.org_id,
        connection_id: connection.connection_id,
        state: connection.state,
        app: connection.app,
    }))
}
