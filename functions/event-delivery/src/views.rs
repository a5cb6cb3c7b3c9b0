//! The responses about endpoints and their deliveries.

use salesforce::OrgId;
use serde::Serialize;
use store::event_deliveries::{Attempt, End};
use store::event_endpoints::{EndpointState, PauseReason};
use store::{EndedEvent, EndpointId, EventEndpoint, EventKind, WaitingEvent, time};

/// An endpoint as the API returns it.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView {
    id: EndpointId,
    url: String,
    events: Vec<EventKind>,
    orgs: Vec<OrgId>,
    description: Option<String>,
    state: EndpointState,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<PauseView>,
    /// Missing unless the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    secrets: Vec<SecretView>,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct PauseView {
    at: String,
    reason: PauseReason,
}

/// A secret, without the secret.
#[derive(Debug, Serialize)]
struct SecretView {
    created_at: String,
    /// `None` for the newest.
    ends_at: Option<String>,
}

/// An endpoint with its newest secret, which is shown once.
#[derive(Debug, Serialize)]
pub(crate) struct NewSecretView {
    #[serde(flatten)]
    endpoint: EndpointView,
    secret: String,
}

impl From<&EventEndpoint> for EndpointView {
    fn from(endpoint: &EventEndpoint) -> Self {
        let secrets = endpoint.secrets.iter().map(|live| SecretView {
            created_at: time::format(live.created_at),
            ends_at: live.ends_at.map(time::format),
        });
        Self {
            id: endpoint.endpoint_id.clone(),
            url: endpoint.url.clone(),
            events: endpoint.events.clone(),
            orgs: endpoint.orgs.clone(),
            description: endpoint.description.clone(),
            state: endpoint.state(),
            paused: endpoint.paused.map(|pause| PauseView { at: time::format(pause.at), reason: pause.reason }),
            failing_since: endpoint.health.failing_since.map(time::format),
            secrets: secrets.collect(),
            created_at: time::format(endpoint.created_at),
            updated_at: time::format(endpoint.updated_at),
        }
    }
}

impl From<&EventEndpoint> for NewSecretView {
    fn from(endpoint: &EventEndpoint) -> Self {
        let secret = endpoint.secrets.first().map(|live| live.secret.reveal().to_owned());
        Self { endpoint: endpoint.into(), secret: secret.unwrap_or_default() }
    }
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// It is sent, or sent again.
    Waiting,
    /// The endpoint accepted it.
    Delivered,
    /// It was given up.
    GivenUp,
}

/// A delivery of an event to the endpoint.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryView {
    event_id: String,
    r#type: EventKind,
    subject: String,
    pub(crate) state: DeliveryState,
    failures: u32,
    last_attempt: Option<AttemptView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    accepted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    at: String,
    status: Option<u16>,
    error: Option<String>,
}

impl From<Attempt> for AttemptView {
    fn from(Attempt { at, status, error }: Attempt) -> Self {
        Self { at: time::format(at), status, error }
    }
}

impl From<WaitingEvent> for DeliveryView {
    fn from(event: WaitingEvent) -> Self {
        Self {
            event_id: event.event_id,
            r#type: event.kind,
            subject: event.subject,
            state: DeliveryState::Waiting,
            failures: event.attempts,
            last_attempt: event.last.map(AttemptView::from),
            next_attempt_at: Some(time::format(event.next_attempt_at)),
            accepted_at: time::format(event.accepted_at),
            ended_at: None,
        }
    }
}

impl From<EndedEvent> for DeliveryView {
    fn from(event: EndedEvent) -> Self {
        let state = match event.end {
            End::Delivered => DeliveryState::Delivered,
            End::GivenUp => DeliveryState::GivenUp,
        };
        Self {
            event_id: event.event_id,
            r#type: event.kind,
            subject: event.subject,
            state,
            failures: event.attempts,
            last_attempt: event.last.map(AttemptView::from),
            next_attempt_at: None,
            accepted_at: time::format(event.accepted_at),
            ended_at: Some(time::format(event.ended_at)),
        }
    }
}
