//! The kill switch: ends one connection, or all of an org, and says of each what was done.
//!
//! What Ferry can do alone comes first, so that from the first moment on nobody gets a token: the org's lanes and the
//! connections are closed in Ferry's state, then the grants are revoked at Salesforce, then their secrets deleted. What could
//! not be reached is told, and repeating the call finishes it.

use futures::{StreamExt as _, stream};
use runtime::token_broker::{RefusalCode, TokenBroker};
use runtime::{Chain, Error};
use salesforce::{Classify as _, Clock, OrgId, Retry};
use serde::Serialize;
use store::{ConnectionId, Connections, OrgState, Orgs};

/// How many connections of an org are ended at the same time.
const AT_ONCE: usize = 10;

/// What the kill switch works with.
#[derive(Clone)]
pub struct Disconnect {
    /// The orgs.
    pub orgs: Orgs,
    /// The connections.
    pub connections: Connections,
    /// Revokes the grants and deletes the secrets.
    pub broker: TokenBroker,
    /// The time.
    pub clock: Clock,
}

/// What became of an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrgReport {
    /// The org.
    pub org_id: OrgId,
    /// How it stands now.
    pub state: OrgState,
    /// Each of its connections.
    pub connections: Vec<ConnectionReport>,
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// The connection.
    pub connection_id: ConnectionId,
    /// What was done.
    #[serde(flatten)]
    pub end: End,
}

/// How far the end of a connection came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum End {
    /// The grant is revoked at Salesforce, and its secret deleted.
    Ended,
    /// Something was not reachable. Repeating finishes it.
    Unfinished {
        /// What, in a sentence.
        reason: String,
        /// Whether it is worth repeating without a person's help.
        repeat: bool,
    },
}

impl OrgReport {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.connections.iter().all(|connection| connection.end == End::Ended)
    }
}

impl Disconnect {
    /// Ends one connection; `None` when there is none with this id.
    ///
    /// # Errors
    /// Only those of the table.
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

    /// Closes the org and ends all of its connections; `None` when the org is not known.
    ///
    /// # Errors
    /// Only those of the tables.
    pub async fn org(&self, org: OrgId) -> Result<Option<OrgReport>, store::Error> {
        let state = match self.orgs.close(org, self.clock.now()).await {
            Ok(closed) => closed.state,
            Err(store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let connections = self.connections.list(org).await?;
        let ends = connections.into_iter().map(|connection| self.end(org, connection.connection_id));
        let connections = stream::iter(ends).buffered(AT_ONCE).collect().await;
        Ok(Some(OrgReport { org_id: org, state, connections }))
    }

    async fn end(&self, org: OrgId, connection_id: ConnectionId) -> ConnectionReport {
        let end = match self.broker.revoke(org, &connection_id).await {
            Ok(()) => End::Ended,
            Err(error) => {
                tracing::warn!(org.id = %org, error = %Chain(&error), "a connection of org {org} is not wholly ended");
                unfinished(&error)
            }
        };
        ConnectionReport { connection_id, end }
    }
}

fn unfinished(error: &Error) -> End {
    let reason = match error {
        Error::Refused(refusal) => match refusal.code {
            RefusalCode::UnknownApp => {
                "its login host is not one of Salesforce's, so nobody could be asked to revoke it".to_owned()
            }
            _ => format!("closed here, but not revoked at Salesforce: {}", refusal.reason),
        },
        error => format!("the token broker was not reached: {error}"),
    };
    End::Unfinished { reason, repeat: matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)) }
}
