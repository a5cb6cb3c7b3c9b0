//! The one route: each step either refuses the message or hands it on.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use jiff::SignedDuration;
use runtime::{Chain, StateError};
use salesforce::OrgId;
use secrecy::ExposeSecret as _;
use soap_receiver::{Rejection, SoapMessage, acknowledgement, receiver};
use store::DetectedCopy;
use tracing::{error, info, warn};

use crate::{Deps, Error, hints};

/// How long the queue may take. The HTTP API gives up after 30 seconds, Salesforce after 60.
const QUEUE_PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// Answers Salesforce's outbound messages.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/webhooks/salesforce/{org_id}/{secret}", receiver(receive))
        .fallback(|| async { Rejection::UnknownAddress })
        .with_state(deps)
}

async fn receive(State(deps): State<Deps>, message: Result<SoapMessage, Rejection>) -> Result<Response, Error> {
    let message = message?;
    message.verify_client(&deps.client)?;
    let org = authenticate(&deps, &message).await?;
    queue(&deps, org, &message).await?;
    Ok(acknowledgement())
}

/// The org whose address this is: known from a moment ago, or looked up. Whatever is wrong with an address, the same work is
/// done to find out.
async fn authenticate(deps: &Deps, message: &SoapMessage) -> Result<OrgId, Error> {
    let (org, secret) = (message.org, message.secret.expose_secret());
    let now = deps.clock.now();
    if let Some(org) = deps.known_orgs.prove(org, secret, now) {
        return Ok(org);
    }
    let found = match org {
        Some(org) => deps.orgs.load(org).await.map_err(StateError::during("load the org"))?,
        None => None,
    };
    let proven = deps.known_orgs.learn(org, found.as_ref(), secret, now);
    Ok(proven.ok_or(Rejection::UnknownAddress)?)
}

async fn queue(deps: &Deps, org: OrgId, message: &SoapMessage) -> Result<(), Error> {
    let now = deps.clock.now();
    let hints = match message.parse_for(org) {
        Ok(said) => hints::of(&said, org, now).map_err(Rejection::from)?,
        Err(Rejection::OtherOrg { named }) => {
            quarantine(deps, DetectedCopy { org_id: named, copy_of: org, at: now }).await;
            return Err(Rejection::OtherOrg { named }.into());
        }
        Err(refused) => return Err(refused.into()),
    };
    let deadline = now.saturating_add(QUEUE_PATIENCE).unwrap_or(now);
    deps.hints.send_all(&hints, deadline).await.map_err(StateError::during("queue the notifications"))?;
    let without_record = hints.iter().filter(|hint| hint.record.is_none()).count();
    info!(org.id = %org, queued = hints.len(), without_record, "acknowledged {} notifications", hints.len());
    Ok(())
}

/// Whoever has the org's secret and names another org is a copy of the org: a sandbox, which has its settings. What the copy
/// says is refused either way; that it cannot be noted is no reason to say something else.
async fn quarantine(deps: &Deps, seen: DetectedCopy) {
    let (copy, original) = (seen.org_id, seen.copy_of);
    match deps.orgs.quarantine(&seen).await {
        Ok(true) => {
            warn!(org.id = %copy, org.copy_of = %original, "org {copy} is quarantined: it is a copy of {original}")
        }
        Ok(false) => warn!(org.id = %copy, org.copy_of = %original, "org {copy} sent to the address of {original}"),
        Err(error) => error!(org.id = %copy, error = %Chain(&error), "org {copy} was not quarantined"),
    }
}
