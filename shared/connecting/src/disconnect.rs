//! Disconnecting: ends one connection or all connections of an org.
//!
//! Ferry's own state is closed first, so that no token is issued from then on: the org, then its connections. After that each
//! grant is revoked at Salesforce and its secret is deleted. The report names each step that failed; a repeated call completes
//! it.

use futures::{StreamExt as _, stream};
use runtime::token_broker::RefusalCode;
use runtime::{Chain, ConnectionManager, Error};
use salesforce::{Classify as _, Clock, OrgId, Retry};
use serde::Serialize;
use store::{ConnectionId, Connections, OrgState, Orgs};

/// The number of connections of an org that are ended concurrently.
const CONCURRENCY: usize = 10;

/// Disconnects orgs and connections.
#[derive(Clone)]
pub struct Disconnect {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// Revokes grants and deletes secrets.
    pub connection_manager: ConnectionManager,
    /// The clock.
    pub clock: Clock,
}

/// The report on an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrgReport {
    /// The org.
    pub org_id: OrgId,
    /// The state of the org now.
    pub state: OrgState,
    /// The reports on its connections.
    pub connections: Vec<ConnectionReport>,
}

/// The report on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// The connection.
    pub connection_id: ConnectionId,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The outcome of ending a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The grant was revoked at Salesforce and its secret deleted.
    Ended,
    /// A step failed. A repeated call completes it.
    Unfinished {
        /// The failed step, as a clause: "could not …".
        reason: String,
        /// `true` if a repeated call may succeed without a person's help.
        repeat: bool,
    },
}

impl Disconnect {
    /// Ends one connection. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// The table is unavailable.
    pub async fn connection(
        &self,
        org: OrgId,
        connection: &ConnectionId,
    ) -> Result<Option<ConnectionReport>, store::Error> {
        if self.connections.load(org, connection).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(self.end(org, connection.clone()).await))
    }

    /// Closes the org and ends all of its connections. Returns `None` if the org does not exist.
    ///
    /// # Errors
    /// A table is unavailable.
    pub async fn org(&self, org: OrgId) -> Result<Option<OrgReport>, store::Error> {
        let state = match self.orgs.close(org, self.clock.now()).await {
            Ok(closed) => closed.state,
            Err(store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let connections = self.connections.list(org).await?;
        let ends = connections.into_iter().map(|connection| self.end(org, connection.connection_id));
        let connections = stream::iter(ends).buffered(CONCURRENCY).collect().await;
        Ok(Some(OrgReport { org_id: org, state, connections }))
    }

    async fn end(&self, org: OrgId, connection_id: ConnectionId) -> ConnectionReport {
        let outcome = match self.connection_manager.revoke(org, &connection_id).await {
            Ok(()) => Outcome::Ended,
            Err(error) => {
                tracing::warn!(org.id = %org, error = %Chain(&error), "could not end a connection of org {org}");
                unfinished(&error)
            }
        };
        ConnectionReport { connection_id, outcome }
    }
}

fn unfinished(error: &Error) -> Outcome {
    let reason = match error {
        Error::Refused(refusal) => match refusal.code {
            RefusalCode::UnknownApp => "could not revoke the grant: its login host is not a Salesforce host".to_owned(),
            _ => format!("could not revoke the grant at Salesforce: {}", refusal.reason),
        },
        error => error.to_string(),
    };
    Outcome::Unfinished { reason, repeat: matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)) }
}
