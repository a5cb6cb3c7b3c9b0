//! Records API calls in the org's budget.

use salesforce::{Client, Clock, OrgId};
use store::{Budgets, Lane, Observation};

use crate::Chain;

/// Adds the calls of a client to the org's budget: those since its meter was last read, with the usage that Salesforce reported.
///
/// A failure is logged and does not undo the work of the calls.
pub async fn record_api_calls(budgets: &Budgets, org: OrgId, lane: Lane, client: &Client, clock: &Clock) {
    let Some(reading) = client.read_meter() else { return };
    let observation = Observation { used: reading.usage.used, max: reading.usage.max, lane, calls: reading.calls };
    if let Err(error) = budgets.observe(org, observation, clock.now()).await {
        tracing::warn!(org.id = %org, error = %Chain(&error), "could not update the org's budget");
    }
}
