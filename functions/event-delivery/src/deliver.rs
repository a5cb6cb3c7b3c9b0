//! Works on a task: sends the events of one partition key to an endpoint, one after the other.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use store::deferral::MAX_DELAY;
use store::event_deliveries::rule::{self, Step};
use store::event_deliveries::{Attempt, End, end_of_lane};
use store::event_endpoints::health::Health;
use store::event_endpoints::{Pause, PauseReason};
use store::{BusEvent, EndpointId, EventDeliveryTask, EventEndpoint, EventKind, Tenant, WaitingEvent, time};

use crate::sender::{Answer, NoAnswer};
use crate::{Counts, Deps, Error, request};

/// The longest random addition to the delay of a task whose endpoint is on hold, so that not all of them come back at once.
const SPREAD: Duration = Duration::from_secs(30);

pub(crate) async fn work(
    deps: &Deps,
    task: &EventDeliveryTask,
    stop_at: Timestamp,
    counts: &mut Counts,
) -> Result<(), Error> {
    match task {
        EventDeliveryTask::Deliver { tenant, endpoint_id, place } => {
            deliver(deps, (tenant, endpoint_id, place.clone()), stop_at, counts).await
        }
        EventDeliveryTask::Resume { tenant, endpoint_id, after } => {
            resume(deps, tenant, endpoint_id, after.clone(), stop_at).await
        }
    }
}

/// Sends events until none waits, or the rule says otherwise.
async fn deliver(
    deps: &Deps,
    (tenant, id, mut place): (&Tenant, &EndpointId, String),
    stop_at: Timestamp,
    counts: &mut Counts,
) -> Result<(), Error> {
    while let Some(first) = deps.deliveries.first(id, &place).await? {
        let now = deps.clock.now();
        let endpoint = deps.endpoints.load(tenant, id).await?;
        let step = rule::next(&place, &first, endpoint.as_ref(), now);
        if now >= stop_at && !matches!(step, Step::Leave | Step::Wait(_)) {
            // The message goes on with the event that is first now.
            return Ok(deps.tasks.send(&first.task(tenant.clone()), Duration::ZERO).await?);
        }
        if first.place < place && step != Step::Leave {
            place.clone_from(&first.place);
        }
        match step {
            Step::Leave => return Ok(()),
            Step::Drop => deps.deliveries.drop_waiting(&first).await?,
            Step::GiveUp => {
                counts.given_up += 1;
                tracing::warn!(endpoint.id = %id, event.id = first.event_id, "gave up an event after {} attempts", first.attempts);
                deps.deliveries.end(&first, End::GivenUp, None, now).await?;
            }
            Step::Wait(until) => {
                // What waits for a resumption is not late.
                if endpoint.is_some_and(|endpoint| endpoint.paused.is_none()) {
                    let age = u64::try_from(now.duration_since(first.accepted_at).as_secs()).unwrap_or_default();
                    counts.oldest_s = counts.oldest_s.max(Some(age));
                }
                return Ok(wait(deps, tenant, &first, until).await?);
            }
            step @ (Step::Send | Step::SendAlone(_)) => {
                let Some(mut endpoint) = endpoint else { return Ok(()) };
                if let Step::SendAlone(health) = step {
                    endpoint.health = health;
                    match deps.endpoints.save(&mut endpoint).await {
                        Ok(()) => {}
                        // Another worker has the turn; the endpoint is read again.
                        Err(store::Error::Conflict { .. }) => continue,
                        Err(error) => return Err(error.into()),
                    }
                }
                attempt(deps, &endpoint, first, counts).await?;
            }
        }
    }
    Ok(())
}

/// Queues the task of an event again.
async fn wait(deps: &Deps, tenant: &Tenant, first: &WaitingEvent, until: Timestamp) -> Result<(), store::Error> {
    let pause = Duration::try_from(until.duration_since(deps.clock.now())).unwrap_or_default();
    let spread = if first.next_attempt_at < until { SPREAD.mul_f64(rand::random::<f64>()) } else { Duration::ZERO };
    deps.tasks.send(&first.task(tenant.clone()), (pause + spread).min(MAX_DELAY)).await
}

/// Sends an event, and stores the outcome.
async fn attempt(deps: &Deps, endpoint: &EventEndpoint, event: WaitingEvent, counts: &mut Counts) -> Result<(), Error> {
    let sent_at = deps.clock.now();
    let headers = request::headers(endpoint, &event.event_id, &event.body, sent_at)?;
    let answer = deps.sender.post(&endpoint.url, headers, event.body.clone()).await;
    let now = deps.clock.now();
    match answer {
        Ok(Answer { status, .. }) if (200..300).contains(&status) => {
            counts.delivered += 1;
            let last = Attempt { at: time::to_millis(sent_at), status: Some(status), error: None };
            deps.deliveries.end(&event, End::Delivered, Some(last), now).await?;
            if endpoint.health != Health::default() {
                let recovered = |endpoint: &mut EventEndpoint| {
                    let had_failed = endpoint.health != Health::default();
                    endpoint.health = Health::default();
                    had_failed
                };
                deps.endpoints.change(&endpoint.tenant, &endpoint.endpoint_id, recovered).await?;
            }
            Ok(())
        }
        failure => {
            counts.failed += 1;
            fail(deps, endpoint, event, failure, counts).await
        }
    }
}

/// Stores a failed attempt with the event, and then with the endpoint, which it may pause.
async fn fail(
    deps: &Deps,
    endpoint: &EventEndpoint,
    mut event: WaitingEvent,
    failure: Result<Answer, NoAnswer>,
    counts: &mut Counts,
) -> Result<(), Error> {
    let now = deps.clock.now();
    let (status, code, retry_after) = match failure {
        Ok(Answer { status, retry_after }) => (Some(status), "status", retry_after),
        Err(reason) => (None, reason.as_str(), None),
    };
    let id = &endpoint.endpoint_id;
    tracing::warn!(endpoint.id = %id, event.id = event.event_id, error = code, status, "could not deliver an event");
    event.attempts = event.attempts.saturating_add(1);
    event.last = Some(Attempt { at: time::to_millis(now), status, error: Some(code.to_owned()) });
    event.next_attempt_at = rule::next_attempt_at(event.attempts, retry_after, rand::random(), now);
    deps.deliveries.store_failure(&event).await?;
    let gone = status == Some(StatusCode::GONE.as_u16());
    let failing = endpoint.health.after_failure(now);
    // The event is published before the pause is stored: a worker that is killed between the two publishes it again.
    if let Some(reason) = failing.pause(gone, now) {
        deps.bus
            .publish(&[paused_event(endpoint, failing, reason, now)])
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
        counts.paused += 1;
        tracing::error!(endpoint.id = %id, "paused an endpoint: {reason:?}");
    }
    let failed = |endpoint: &mut EventEndpoint| {
        endpoint.health = endpoint.health.after_failure(now);
        if let Some(reason) = endpoint.health.pause(gone, now).filter(|_| endpoint.paused.is_none()) {
            endpoint.paused = Some(Pause { at: time::to_millis(now), reason });
            endpoint.updated_at = time::to_millis(now);
        }
        true
    };
    match deps.endpoints.change(&endpoint.tenant, id, failed).await {
        // So many failures at the same time are counted by the others.
        Ok(_) | Err(store::Error::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Builds the event of a pause. One that is published twice is the same event, unless the endpoint was gone at its first
/// failure.
pub(crate) fn paused_event(endpoint: &EventEndpoint, health: Health, reason: PauseReason, now: Timestamp) -> BusEvent {
    let (id, since) = (&endpoint.endpoint_id, time::format(health.failing_since.unwrap_or(now)));
    // A query may have a token of the platform's, which the subscribers of the bus must not see.
    let url = endpoint.url.split('?').next();
    let mut event = BusEvent::of_endpoint(EventKind::WebhookEndpointPaused, id, format!("{id}/paused/{since}"));
    event.time = time::to_millis(now);
    event.sequence = Some(time::format(now));
    event.data = serde_json::json!({
        "tenant": endpoint.tenant, "endpoint_id": id, "url": url, "reason": reason, "failing_since": since,
        "failures": health.failures,
    });
    event
}

/// Queues a delivery for each partition key of which events wait.
async fn resume(
    deps: &Deps,
    tenant: &Tenant,
    id: &EndpointId,
    mut after: Option<String>,
    stop_at: Timestamp,
) -> Result<(), Error> {
    loop {
        let page = deps.deliveries.waiting(id, after.as_deref()).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let next = end_of_lane(&last.place);
        let mut tasks = Vec::new();
        let mut lane_ends = String::new();
        for first in &page {
            if first.place.as_str() > lane_ends.as_str() {
                lane_ends = end_of_lane(&first.place);
                tasks.push(first.task(tenant.clone()));
            }
        }
        deps.tasks.send_all(&tasks, stop_at).await?;
        if deps.clock.now() >= stop_at {
            let rest = EventDeliveryTask::Resume { tenant: tenant.clone(), endpoint_id: id.clone(), after: Some(next) };
            return Ok(deps.tasks.send(&rest, Duration::ZERO).await?);
        }
        after = Some(next);
    }
}
