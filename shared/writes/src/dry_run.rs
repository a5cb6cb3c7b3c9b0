//! The plan of a write: what it would do, without doing it.

use std::collections::BTreeMap;

use runtime::BudgetView;
use salesforce::{Client, OrgId};
use serde::Serialize;
use store::owner_policy::{OwnerChoice, OwnerReason, Route};
use store::{ConnectionId, Org};

use crate::attempt::{MAX_TRIES, find_route, is_for_another_route};
use crate::ledger::require_active;
use crate::{Error, WriteOperation, WriteRequest};

/// The purpose of the call that looks up the rep's Salesforce user.
const USER_LOOK_UP: &str = "user_look_up";

/// What an operation would do.
#[derive(Clone, Debug)]
pub struct Planned<P> {
    /// The calls to Salesforce by their purposes, if nothing were remembered.
    pub calls: Vec<(&'static str, usize)>,
    /// The plan. Its members are beside those that every plan has ([`Plan`]).
    pub plan: P,
}

/// An operation that can say what it would do.
pub trait PlannedOperation: WriteOperation {
    /// The plan.
    type Plan: Serialize + Send;

    /// Plans one attempt through this connection, which only reads.
    ///
    /// # Errors
    /// Those for which the write itself would not be made. What the write would be refused for is in the plan.
    fn plan(
        &self,
        deps: &Self::Deps,
        client: &Client,
        route: &Route,
        org: OrgId,
    ) -> impl Future<Output = Result<Planned<Self::Plan>, Error>> + Send;
}

/// The plan of a write, as the platform reads it.
#[derive(Debug, Serialize)]
pub struct Plan<P> {
    /// Always `true`: nothing was written or stored.
    dry_run: bool,
    connection: ConnectionId,
    owner_choice: OwnerChoice,
    owner_reason: OwnerReason,
    /// The remedy after which later writes are made as the rep.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    calls: PlannedCalls,
    /// What the operation adds.
    #[serde(flatten)]
    operation: P,
    /// The org's API calls, the dry run's own included.
    budget: Option<BudgetView>,
}

/// The calls to Salesforce that a write would cost. Those that only read are remembered for minutes, and then cost nothing.
#[derive(Debug, Serialize)]
struct PlannedCalls {
    /// The number of all.
    total: usize,
    #[serde(flatten)]
    by_purpose: BTreeMap<&'static str, usize>,
}

impl PlannedCalls {
    fn new(calls: impl IntoIterator<Item = (&'static str, usize)>) -> Self {
        let by_purpose: BTreeMap<_, _> = calls.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { total: by_purpose.values().sum(), by_purpose }
    }
}

/// Plans a write: chooses the connection as the write would, and asks the operation. Stores nothing but the calls that the org
/// has used.
///
/// # Errors
/// Those for which the write itself would not be made, for example if no connection can be used.
pub async fn dry_run<O: PlannedOperation>(
    deps: &O::Deps,
    org: &Org,
    request: &WriteRequest<O>,
) -> Result<Plan<O::Plan>, Error> {
    require_active(org)?;
    request.operation.require_allowed(deps)?;
    let mut tries = 1;
    loop {
        let mut owner_choice = None;
        match plan_once(deps, org.org_id, request, &mut owner_choice).await {
            Err(error) if tries < MAX_TRIES && is_for_another_route(&error, owner_choice) => tries += 1,
            planned => return planned,
        }
    }
}

async fn plan_once<O: PlannedOperation>(
    deps: &O::Deps,
    org: OrgId,
    request: &WriteRequest<O>,
    owner_choice: &mut Option<OwnerChoice>,
) -> Result<Plan<O::Plan>, Error> {
    let ledger = deps.as_ref();
    let (route, looks_user_up) = find_route(ledger, org, request).await?;
    *owner_choice = Some(route.write_route.owner_choice);
    let client = ledger.salesforce.client(org, &route.write_route.connection_id);
    let planned = request.operation.plan(deps, &client, &route, org).await;
    ledger.count_calls(org, &client).await;
    let budget = ledger.budgets.load(org, ledger.clock.now()).await?;
    let owner_reason = route.write_route.owner_reason;
    let Planned { calls, plan } = planned?;
    Ok(Plan {
        dry_run: true,
        connection: route.write_route.connection_id,
        owner_choice: route.write_route.owner_choice,
        owner_reason,
        next: owner_reason.next(),
        calls: PlannedCalls::new(calls.into_iter().chain([(USER_LOOK_UP, usize::from(looks_user_up))])),
        operation: plan,
        budget: budget.map(BudgetView::from),
    })
}
