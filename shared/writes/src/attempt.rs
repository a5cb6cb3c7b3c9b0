//! One attempt at a write: chooses the connection and carries out the operation.

use salesforce::OrgId;
use store::owner_policy::{
    Connected, FoundUser, OwnerChoice, OwnerPolicy, Route, UserKey, WriteRoute, team_may_write_despite,
};
use store::{ConnectionId, Write};

use crate::{Attempted, Deps, Error, WriteOperation, WriteRequest};

/// The maximum number of tries of one attempt. The session of a connection can be refused twice although its grant is
/// alive or has ended: this process and the token broker may both hold a session that Salesforce has ended. The third try
/// finds a new session, or a connection whose state says that its grant has ended.
pub(crate) const MAX_TRIES: usize = 3;

/// The result of an attempt, and the connection that it was made through.
pub(crate) struct Made {
    pub(crate) write_route: WriteRoute,
    pub(crate) attempted: Attempted,
}

/// Makes one attempt. If a session turns out to be dead, or the rep's connection to be blocked, nothing was written: the owner
/// policy is applied again, because the token broker may have marked the connection by then.
pub(crate) async fn attempt<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
) -> Result<Made, Error> {
    let mut tries = 1;
    loop {
        let mut owner_choice = None;
        match try_once(deps, write, request, &mut owner_choice).await {
            Err(error) if tries < MAX_TRIES && is_for_another_route(&error, owner_choice) => tries += 1,
            outcome => return outcome,
        }
    }
}

/// Returns whether another connection may have to make the write that failed with this one.
pub(crate) fn is_for_another_route(error: &Error, owner_choice: Option<OwnerChoice>) -> bool {
    let may_be_teams = error.blocked_by().is_some_and(team_may_write_despite);
    error.is_dead_session() || (owner_choice == Some(OwnerChoice::Rep) && may_be_teams)
}

/// Makes the write once. Stores the choice of the owner policy in `owner_choice` before it writes.
async fn try_once<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
    owner_choice: &mut Option<OwnerChoice>,
) -> Result<Made, Error> {
    let (route, _) = find_route(deps.as_ref(), write.org_id, request).await?;
    *owner_choice = Some(route.write_route.owner_choice);
    write_through(deps, &route, write, request).await
}

/// Applies the owner policy. The team's connection looks up the rep's Salesforce user where the policy needs it: the
/// second value says so.
pub(crate) async fn find_route<O: WriteOperation>(
    deps: &Deps,
    org: OrgId,
    request: &WriteRequest<O>,
) -> Result<(Route, bool), Error> {
    let policy = if request.only_as_user { OwnerPolicy::RepOnly } else { deps.owner_policy };
    let connected =
        Connected::load(&deps.connections, &deps.user_mappings, org, request.platform_user.as_ref()).await?;
    let found = match connected.needed_look_up(policy) {
        Some(key) => Some(look_up(deps, org, key).await?),
        None => None,
    };
    let looks_up = found.is_some();
    let route = connected.route(policy, found).map_err(Error::NoRoute)?;
    Ok((if request.operation.names_owner() { route } else { route.without_owner() }, looks_up))
}

async fn look_up(deps: &Deps, org: OrgId, key: UserKey) -> Result<FoundUser, Error> {
    if let Some(known) = deps.users.known(org, &key) {
        return Ok(known);
    }
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let found = deps.users.find(&client, org, key).await;
    deps.count_calls(org, &client).await;
    Ok(found?)
}

async fn write_through<O: WriteOperation>(
    deps: &O::Deps,
    route: &Route,
    write: &Write,
    request: &WriteRequest<O>,
) -> Result<Made, Error> {
    let ledger = deps.as_ref();
    let client = ledger.salesforce.client(write.org_id, &route.write_route.connection_id);
    let attempted = request.operation.execute(deps, &client, route, write).await;
    ledger.count_calls(write.org_id, &client).await;
    // Stored before the result: a killed function leaves an attempt whose requests are taken for unanswered anyway.
    if client.has_lost_write() && !request.operation.records().is_empty() {
        ledger.writes.mark_unsettled(write).await?;
    }
    Ok(Made { write_route: route.write_route.clone(), attempted: attempted? })
}
