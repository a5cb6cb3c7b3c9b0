//! One attempt at a write: choose the connection, name the owner, call Salesforce once.

use runtime::Chain;
use salesforce::{Classify, Client, ObjectName, OrgId, Retry, SaveOutcome};
use serde::{Deserialize, Serialize};
use store::budgets::Observation;
use store::owner_policy::{Route, choose};
use store::writes::WriteRoute;
use store::{Lane, OrgState, PlatformUser};

use crate::batch::Batch;
use crate::ownership::{self, Existing};
use crate::{Deps, Error};

/// Everything that was asked for, as the ledger and the queue keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Which object.
    pub(crate) object: ObjectName,
    /// On whose behalf.
    pub(crate) platform_user: Option<PlatformUser>,
    /// The records.
    pub(crate) batch: Batch,
}

/// What Salesforce answered, and who asked it.
pub(crate) struct Done {
    pub(crate) way: WriteRoute,
    pub(crate) outcomes: Vec<SaveOutcome>,
}

/// Carries the write out, once. When the rep's session turns out to be dead, the owner policy is asked again: the token
/// broker has marked the connection by then.
pub(crate) async fn attempt(deps: &Deps, org: OrgId, asked: &Asked) -> Result<Done, Error> {
    let first = find_route(deps, org, asked).await?;
    match write_through(deps, org, &first, asked).await {
        Err(error) if error.retry() == Retry::NeedsHuman => {
            let second = find_route(deps, org, asked).await?;
            if second == first { Err(error) } else { write_through(deps, org, &second, asked).await }
        }
        outcome => outcome,
    }
}

/// Refuses orgs that are unknown or not active.
pub(crate) async fn require_active(deps: &Deps, org: OrgId) -> Result<(), Error> {
    match deps.orgs.load(org).await?.map(|org| org.state) {
        Some(OrgState::Active) => Ok(()),
        Some(state) => Err(Error::OrgNotActive(state)),
        None => Err(Error::UnknownOrg),
    }
}

async fn find_route(deps: &Deps, org: OrgId, asked: &Asked) -> Result<Route, Error> {
    let user = asked.platform_user.as_ref();
    choose(deps.owner_policy, &deps.connections, org, user).await?.map_err(Error::NoRoute)
}

async fn write_through(deps: &Deps, org: OrgId, route: &Route, asked: &Asked) -> Result<Done, Error> {
    let client = deps.salesforce.client(org, &route.way.connection_id);
    let outcomes = upsert(&client, route, asked).await;
    count(deps, org, &client).await;
    Ok(Done { way: route.way.clone(), outcomes: outcomes? })
}

async fn upsert(client: &Client, route: &Route, asked: &Asked) -> Result<Vec<SaveOutcome>, salesforce::Error> {
    let Asked { object, batch, .. } = asked;
    let records = match route.owner {
        Some(owner) if has_owner(client, object).await? => {
            ownership::with_owner(batch, owner, &existing(client, asked).await?)
        }
        _ => batch.records.clone(),
    };
    client.upsert(object, &batch.external_id_field, &records, batch.all_or_none).await
}

async fn has_owner(client: &Client, object: &ObjectName) -> Result<bool, salesforce::Error> {
    match ownership::has_owner(object) {
        Some(known) => Ok(known),
        None => Ok(client.describe(object).await?.fields.iter().any(|field| field.name.as_str() == "OwnerId")),
    }
}

async fn existing(client: &Client, asked: &Asked) -> Result<Existing, salesforce::Error> {
    let mut existing = Existing::default();
    for query in ownership::queries(&asked.object, &asked.batch) {
        existing.extend(&asked.batch.external_id_field, &client.query(&query).await?.records);
    }
    Ok(existing)
}

/// Feeds the org's budget. A count that is lost does not undo a write.
async fn count(deps: &Deps, org: OrgId, client: &Client) {
    let Some(usage) = client.api_usage() else { return };
    let seen = Observation { used: usage.used, max: usage.max, lane: Lane::Interactive, calls: 1 };
    if let Err(error) = deps.budgets.observe(org, seen, deps.clock.now()).await {
        tracing::warn!(org.id = %org, error = %Chain(&error), "the org's budget was not updated");
    }
}
