//! Warns the platform when an org's API calls run out.

use runtime::Chain;
use salesforce::OrgId;
use store::Allocation;
use tracing::warn;

use crate::Deps;

/// Stores the warnings that the org's budget has reached, each once a day: the table's stream publishes them. A failure is
/// logged; the next task of the org, at the latest that of the hourly upkeep, stores them.
pub(crate) async fn store(deps: &Deps, org: OrgId, allocation: Option<Allocation>) {
    if let Err(error) = deps.budgets.warn(org, allocation, deps.clock.now()).await {
        warn!(org.id = %org, "could not store the warnings of the org's API budget: {}", Chain(&error));
    }
}
