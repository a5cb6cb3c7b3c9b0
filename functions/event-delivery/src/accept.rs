//! Accepts an event of the bus: stores it for each endpoint that wants it, and then queues its delivery.

use std::time::Duration;

use jiff::SignedDuration;
use salesforce::OrgId;
use store::{BusEvent, Tenant, WaitingEvent};

use crate::{Deps, Error};

/// The time in which the deliveries of an event have to be queued.
const QUEUE_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// Accepts an event. Repeated, it stores nothing again and queues the deliveries again, which do no harm.
pub(crate) async fn accept(deps: &Deps, event: &BusEvent) -> Result<(), Error> {
    let named = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
    // An org that no tenant has connected has no endpoint.
    let Some(tenant) = named("tenant").and_then(|tenant| tenant.parse::<Tenant>().ok()) else { return Ok(()) };
    let org: Option<OrgId> = named("org_id").and_then(|org| org.parse().ok());
    let endpoints = deps.endpoints.list(&tenant).await?;
    let now = deps.clock.now();
    let mut tasks = Vec::new();
    for endpoint in endpoints.into_iter().filter(|endpoint| endpoint.wants(event.kind, org)) {
        let waiting = WaitingEvent::new(endpoint.endpoint_id, event, now)?;
        deps.deliveries.accept(&waiting).await?;
        tasks.push(waiting.task(tenant.clone()));
    }
    if !tasks.is_empty() {
        let deadline = now.saturating_add(QUEUE_WITHIN).unwrap_or(now);
        deps.tasks.send_all(&tasks, deadline).await?;
    }
    Ok(())
}

/// Stores an event for one endpoint, whatever it wants, and queues its delivery.
pub(crate) async fn accept_for(deps: &Deps, tenant: &Tenant, waiting: &WaitingEvent) -> Result<(), Error> {
    deps.deliveries.accept(waiting).await?;
    Ok(deps.tasks.send(&waiting.task(tenant.clone()), Duration::ZERO).await?)
}
