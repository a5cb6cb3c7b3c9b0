//! Who is connected.

use runtime::Chain;
use salesforce::OrgId;
use store::connections::reservation::NOT_CONNECTED_YET;
use store::{ConnectionId, ConnectionState, PlatformUser};

use crate::views::ConnectionView;
use crate::{Deps, Error};

/// The org's connections.
pub(crate) async fn list(deps: &Deps, org: OrgId) -> Result<Vec<ConnectionView>, Error> {
    let newest = newest_app(deps).await;
    let connections = deps.connections.list(org).await?;
    Ok(connections.into_iter().map(|connection| ConnectionView::new(connection, newest.as_deref())).collect())
}

/// One connection.
pub(crate) async fn load(deps: &Deps, org: OrgId, id: &ConnectionId) -> Result<Option<ConnectionView>, Error> {
    let connection = deps.connections.load(org, id).await?;
    let newest = newest_app(deps).await;
    Ok(connection.map(|connection| ConnectionView::new(connection, newest.as_deref())))
}

/// The connection of a rep, which may have died; not one that was never finished or that was ended on purpose.
pub(crate) async fn of_rep(deps: &Deps, org: OrgId, user: &PlatformUser) -> Result<ConnectionView, Error> {
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

/// The name of the app that new consents use. That there is none just now must not hide how the connections are.
async fn newest_app(deps: &Deps) -> Option<String> {
    match deps.apps.newest().await {
        Ok(registration) => Some(registration.app.name),
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "which app is the newest could not be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_finished_or_was_disconnected_is_not_connected() {
        let reauth = |reason: &str| ConnectionState::ReauthRequired { reason: reason.to_owned() };
        for connected in [ConnectionState::Active, ConnectionState::Uncertain, reauth("grant_ended")] {
            assert!(is_connection(&connected));
        }
        for not_connected in [ConnectionState::Revoked, reauth(NOT_CONNECTED_YET)] {
            assert!(!is_connection(&not_connected));
        }
    }
}
