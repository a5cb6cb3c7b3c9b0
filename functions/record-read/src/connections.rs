//! The connections of an org.

use runtime::Chain;
use salesforce::OrgId;
use store::connections::reservation::NOT_CONNECTED_YET;
use store::{ConnectionId, ConnectionState, PlatformUser};

use crate::views::ConnectionView;
use crate::{Deps, Error};

/// Lists the org's connections, or only that of one user.
pub(crate) async fn list(deps: &Deps, org: OrgId, only: Option<&PlatformUser>) -> Result<Vec<ConnectionView>, Error> {
    let newest = newest_app(deps).await;
    let connections = match only {
        Some(user) => deps.connections.load(org, &ConnectionId::personal(user)).await?.into_iter().collect(),
        None => deps.connections.list(org).await?,
    };
    Ok(connections.into_iter().map(|connection| ConnectionView::new(connection, newest.as_deref())).collect())
}

/// Returns one connection.
pub(crate) async fn load(deps: &Deps, org: OrgId, id: &ConnectionId) -> Result<Option<ConnectionView>, Error> {
    let connection = deps.connections.load(org, id).await?;
    let newest = newest_app(deps).await;
    Ok(connection.map(|connection| ConnectionView::new(connection, newest.as_deref())))
}

/// Returns the connection of a rep, including one that has to reconnect. One that was never completed or was disconnected
/// does not count.
pub(crate) async fn load_for_rep(deps: &Deps, org: OrgId, user: &PlatformUser) -> Result<ConnectionView, Error> {
    let connection = deps.connections.load(org, &ConnectionId::personal(user)).await?;
    let connection = connection.filter(|connection| is_connection(&connection.state)).ok_or(Error::RepNotConnected)?;
    Ok(ConnectionView::new(connection, newest_app(deps).await.as_deref()))
}

fn is_connection(state: &ConnectionState) -> bool {
    match state {
        ConnectionState::Active | ConnectionState::Uncertain => true,
        ConnectionState::ReauthRequired { reason } => reason != NOT_CONNECTED_YET,
        ConnectionState::Revoked => false,
    }
}

/// Returns the name of the app that new consents use. A failure is only logged: the connections are shown without it.
async fn newest_app(deps: &Deps) -> Option<String> {
    match deps.apps.newest().await {
        Ok(app) => Some(app.name),
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "could not read the app registrations");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_or_revoked_connection_does_not_count() {
        let reauth = |reason: &str| ConnectionState::ReauthRequired { reason: reason.to_owned() };
        for connected in [ConnectionState::Active, ConnectionState::Uncertain, reauth("grant_ended")] {
            assert!(is_connection(&connected));
        }
        for not_connected in [ConnectionState::Revoked, reauth(NOT_CONNECTED_YET)] {
            assert!(!is_connection(&not_connected));
        }
    }
}
