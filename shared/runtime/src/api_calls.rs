//! Records API calls in the org's budget.

use salesforce::{Client, Clock, MeterReading, OrgId};
use store::{Budgets, Lane, Observation};

use crate::Chain;

/// Adds the calls of a client to the org's budget: those since its meter was last read, with the usage that Salesforce reported.
///
/// A failure is logged and does not undo the work of the calls.
pub async fn record_api_calls(budgets: &Budgets, org: OrgId, lane: Lane, client: &Client, clock: &Clock) {
    let recorded = match client.read_meter() {
        Some(MeterReading { usage, calls }) => {
            let observation = Observation { used: usage.used, max: usage.max, lane, calls };
            budgets.observe(org, observation, clock.now()).await
        }
        // No call was answered, but Salesforce may have counted them.
        None => match client.take_calls() {
            0 => return,
            calls => budgets.count(org, lane, calls, clock.now()).await,
        },
    };
    if let Err(error) = recorded {
        tracing::warn!(org.id = %org, error = %Chain(&error), "could not update the org's budget");
    }
}
