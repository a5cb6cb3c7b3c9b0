//! The routes of the endpoints. Only the platform itself may call them: an endpoint gets events of every user.

use std::time::Duration;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use runtime::http::{JsonBody, NoQuery, PathOf, QueryOf};
use runtime::problem::refuse;
use runtime::{Caller, Problem};
use salesforce::OrgId;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use store::event_deliveries::End;
use store::event_endpoints::MAX_ENDPOINTS;
use store::{
    BusEvent, EndpointId, EventDeliveryTask, EventEndpoint, EventKind, SigningSecret, Tenant, WaitingEvent, time,
};

use crate::accept::accept_for;
use crate::views::{DeliveryState, DeliveryView, EndpointView, NewSecretView};
use crate::{Deps, Error};

/// The highest number of orgs in a filter.
const MAX_ORGS: usize = 100;
/// The longest description in characters.
const MAX_DESCRIPTION: usize = 500;
/// The deliveries of a response.
const MAX_DELIVERIES: usize = 100;

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/webhook-endpoints", post(create).get(list))
        .route("/v1/webhook-endpoints/{id}", get(show).patch(change).delete(remove))
        .route("/v1/webhook-endpoints/{id}/secrets", post(rotate))
        .route("/v1/webhook-endpoints/{id}/test", post(test))
        .route("/v1/webhook-endpoints/{id}/resume", post(resume))
        .route("/v1/webhook-endpoints/{id}/deliveries", get(deliveries))
        .with_state(deps)
}

/// A body that creates an endpoint, or changes members of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    events: Option<Vec<EventKind>>,
    #[serde(default)]
    orgs: Option<Vec<OrgId>>,
    /// `Some(None)` removes the description.
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    state: Option<DeliveryState>,
}

/// The tenant of a request by the platform itself.
fn platform(caller: &Caller) -> Result<&Tenant, Problem> {
    caller.require_platform("a webhook endpoint gets the events of every user")?;
    Ok(&caller.tenant)
}

fn refused(error: Error) -> Problem {
    refuse(&error)
}

async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    NoQuery {}: NoQuery,
    JsonBody(members): JsonBody<Members>,
) -> Result<Response, Problem> {
    let tenant = platform(&caller)?;
    let endpoint = async {
        let members = checked(&deps, members).await?;
        let url = members.url.clone().ok_or(Error::Invalid("the url is missing"))?;
        if deps.endpoints.list(tenant).await?.len() >= MAX_ENDPOINTS {
            return Err(Error::TooMany);
        }
        let now = deps.clock.now();
        let mut endpoint = EventEndpoint::new(tenant.clone(), url, now, &mut rand::rng());
        members.assign_to(&mut endpoint, now);
        deps.endpoints.save(&mut endpoint).await?;
        Ok(endpoint)
    };
    let endpoint = endpoint.await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(NewSecretView::from(&endpoint))).into_response())
}

/// Checks members, and returns them as they are stored.
async fn checked(deps: &Deps, mut members: Members) -> Result<Members, Error> {
    if let Some(url) = &mut members.url {
        *url = deps.sender.check(url).await?.into();
    }
    if let Some(events) = &mut members.events {
        events.sort_unstable();
        events.dedup();
    }
    if let Some(orgs) = &mut members.orgs {
        orgs.sort_unstable();
        orgs.dedup();
        if orgs.len() > MAX_ORGS {
            return Err(Error::Invalid("orgs has more than 100 members"));
        }
    }
    if members.description.iter().flatten().any(|text| text.chars().count() > MAX_DESCRIPTION) {
        return Err(Error::Invalid("the description has more than 500 characters"));
    }
    Ok(members)
}

impl Members {
    /// Assigns the members that the request has; the others stay as somebody else may have changed them meanwhile.
    fn assign_to(&self, endpoint: &mut EventEndpoint, now: Timestamp) {
        let Self { url, events, orgs, description } = self;
        if let Some(url) = url {
            endpoint.url.clone_from(url);
        }
        if let Some(events) = events {
            endpoint.events.clone_from(events);
        }
        if let Some(orgs) = orgs {
            endpoint.orgs.clone_from(orgs);
        }
        if let Some(description) = description {
            endpoint.description.clone_from(description);
        }
        endpoint.updated_at = time::to_millis(now);
    }
}

async fn load(deps: &Deps, tenant: &Tenant, id: &EndpointId) -> Result<EventEndpoint, Error> {
    deps.endpoints.load(tenant, id).await?.ok_or(Error::NotFound)
}

async fn list(State(deps): State<Deps>, caller: Caller, NoQuery {}: NoQuery) -> Result<Response, Problem> {
    let tenant = platform(&caller)?;
    let mut endpoints = deps.endpoints.list(tenant).await.map_err(|error| refuse(&error))?;
    endpoints.sort_by(|a, b| (a.created_at, &a.endpoint_id).cmp(&(b.created_at, &b.endpoint_id)));
    let endpoints: Vec<_> = endpoints.iter().map(EndpointView::from).collect();
    Ok(Json(json!({ "endpoints": endpoints })).into_response())
}

async fn show(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
) -> Result<Json<EndpointView>, Problem> {
    let endpoint = load(&deps, platform(&caller)?, &id).await.map_err(refused)?;
    Ok(Json(EndpointView::from(&endpoint)))
}

async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
    JsonBody(members): JsonBody<Members>,
) -> Result<Json<EndpointView>, Problem> {
    let tenant = platform(&caller)?;
    let endpoint = async {
        let members = checked(&deps, members).await?;
        let now = deps.clock.now();
        let assigned = |endpoint: &mut EventEndpoint| {
            members.assign_to(endpoint, now);
            true
        };
        deps.endpoints.change(tenant, &id, assigned).await?.ok_or(Error::NotFound)
    };
    Ok(Json(EndpointView::from(&endpoint.await.map_err(refused)?)))
}

async fn remove(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
) -> Result<StatusCode, Problem> {
    let tenant = platform(&caller)?;
    let deleted = deps.endpoints.delete(tenant, &id).await.map_err(|error| refuse(&error))?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(refused(Error::NotFound)) }
}

async fn rotate(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    let tenant = platform(&caller)?;
    let (secret, now) = (SigningSecret::generate(&mut rand::rng()), deps.clock.now());
    let rotated = |endpoint: &mut EventEndpoint| {
        endpoint.rotate(secret.clone(), now);
        true
    };
    let endpoint = deps.endpoints.change(tenant, &id, rotated).await.map_err(|error| refuse(&error))?;
    let endpoint = endpoint.ok_or(Error::NotFound).map_err(refused)?;
    Ok((StatusCode::CREATED, Json(NewSecretView::from(&endpoint))).into_response())
}

async fn test(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    let tenant = platform(&caller)?;
    let sent = async {
        let endpoint = load(&deps, tenant, &id).await?;
        let event = test_event(&endpoint, deps.clock.now());
        accept_for(&deps, tenant, &WaitingEvent::new(id, &event, deps.clock.now())?).await?;
        Ok(event.id)
    };
    let event_id = sent.await.map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "event_id": event_id }))).into_response())
}

/// Builds an event that says nothing. It goes to one endpoint, and not onto the bus.
pub(crate) fn test_event(endpoint: &EventEndpoint, now: Timestamp) -> BusEvent {
    let id = format!("{}/test/{:016x}", endpoint.endpoint_id, rand::random::<u64>());
    let mut event = BusEvent::of_endpoint(EventKind::WebhookEndpointTest, &endpoint.endpoint_id, id);
    event.time = time::to_millis(now);
    event.data = json!({ "tenant": endpoint.tenant, "endpoint_id": endpoint.endpoint_id });
    event
}

async fn resume(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    NoQuery {}: NoQuery,
) -> Result<Json<EndpointView>, Problem> {
    let tenant = platform(&caller)?;
    let now = deps.clock.now();
    let resumed = async {
        let resumed = |endpoint: &mut EventEndpoint| {
            endpoint.resume(now);
            true
        };
        let endpoint = deps.endpoints.change(tenant, &id, resumed).await?.ok_or(Error::NotFound)?;
        // Without a pause too: a caller whose first request had no response repeats it.
        let task = EventDeliveryTask::Resume { tenant: tenant.clone(), endpoint_id: id.clone(), after: None };
        deps.tasks.send(&task, Duration::ZERO).await?;
        Ok(endpoint)
    };
    Ok(Json(EndpointView::from(&resumed.await.map_err(refused)?)))
}

async fn deliveries(
    State(deps): State<Deps>,
    caller: Caller,
    PathOf(id): PathOf<EndpointId>,
    QueryOf(query): QueryOf<DeliveriesQuery>,
) -> Result<Response, Problem> {
    let tenant = platform(&caller)?;
    let found = async {
        load(&deps, tenant, &id).await?;
        let mut found: Vec<DeliveryView> = Vec::new();
        if query.state.is_none_or(|wanted| wanted == DeliveryState::Waiting) {
            found.extend(deps.deliveries.waiting(&id, None).await?.into_iter().map(DeliveryView::from));
        }
        if query.state != Some(DeliveryState::Waiting) {
            let end = match query.state {
                Some(DeliveryState::Delivered) => Some(End::Delivered),
                Some(DeliveryState::GivenUp) => Some(End::GivenUp),
                Some(DeliveryState::Waiting) | None => None,
            };
            let ended = deps.deliveries.ended(&id, end, MAX_DELIVERIES).await?;
            found.extend(ended.into_iter().map(DeliveryView::from));
        }
        found.truncate(MAX_DELIVERIES);
        Ok(found)
    };
    let found = found.await.map_err(refused)?;
    Ok(Json(json!({ "deliveries": found })).into_response())
}
