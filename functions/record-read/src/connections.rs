//! The connections of an org.

use runtime::Chain;
use salesforce::OrgId;
use store::connections::reservation::NOT_CONNECTED_YET;
use store::{ConnectionId, ConnectionState, PlatformUser};

use crate::views::ConnectionView;
use crate::{Deps, Error};

/// A page of connections, and the id after which the next one begins.
type Page = (Vec<ConnectionView>, Option<ConnectionId>);

/// Lists a page of the org's connections.
pub(crate) async fn list(deps: &Deps, org: OrgId, after: Option<&ConnectionId>, limit: u16) -> Result<Page, Error> {
    let newest = newest_app(deps).await;
    let (connections, next) = deps.connections.page(org, after, limit).await?;
    let views = connections.into_iter().map(|connection| ConnectionView::new(connection, newest.as_deref()));
    Ok((views.collect(), next))
}

/// Lists all of the org's connections, or only that of one user.
pub(crate) async fn list_all(
    deps: &Deps,
    org: OrgId,
    only: Option<&PlatformUser>,
) -> Result<Vec<ConnectionView>, Error> {
    if let Some(user) = only {
        return Ok(list_own(deps, org, user).await?.0);
    }
    let newest = newest_app(deps).await;
    let connections = deps.connections.list(org).await?;
    Ok(connections.into_iter().map(|connection| ConnectionView::new(connection, newest.as_deref())).collect())
}

/// Lists the connection of one user, if there is one.
pub(crate) async fn list_own(deps: &Deps, org: OrgId, user: &PlatformUser) -> Result<Page, Error> {
    let connection = load(deps, org, &ConnectionId::personal(user)).await?;
    Ok((connection.into_iter().collect(), None))
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

pub(crate) fn is_connection(state: &ConnectionState) -> bool {
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
