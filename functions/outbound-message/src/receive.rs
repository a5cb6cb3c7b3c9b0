//! The one route: each step either refuses the message or hands it on.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::SignedDuration;
use runtime::Chain;
use runtime::soap_message::{MAX_BODY_BYTES, check_headers};
use salesforce::OrgId;
use salesforce::soap::outbound_message::ACK;
use store::{CopySeen, OrgState, webhook_secret};
use tracing::{error, info, warn};

use crate::{Deps, Error, hints};

/// How long the queue may take. The HTTP API gives up after 30 seconds, Salesforce after 60.
const QUEUE_PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// Answers Salesforce's outbound messages.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/webhooks/salesforce/{org_id}/{secret}", post(receive).fallback(wrong_method))
        .fallback(unknown_address)
        .with_state(deps)
}

async fn wrong_method() -> Error {
    Error::WrongMethod
}

async fn unknown_address() -> Error {
    Error::UnknownAddress
}

type Address = Result<Path<(String, String)>, PathRejection>;

async fn receive(
    State(deps): State<Deps>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    check_headers(&headers)?;
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Error::TooLarge)?;
    let Path((org, secret)) = address.map_err(|_| Error::UnknownAddress)?;
    let org = authenticate(&deps, &org, &secret).await?;
    queue(&deps, org, body).await?;
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], ACK).into_response())
}

/// The org whose address this is. Whatever is wrong with an address, the same work is done to find out.
async fn authenticate(deps: &Deps, org: &str, secret: &str) -> Result<OrgId, Error> {
    let org: Option<OrgId> = org.parse().ok();
    let known = match org {
        Some(org) => deps.orgs.load(org).await.map_err(state("loading the org"))?,
        None => None,
    };
    let active = known.filter(|org| org.state == OrgState::Active);
    let proven = webhook_secret::verify(active.as_ref(), secret);
    org.filter(|_| proven).ok_or(Error::UnknownAddress)
}

async fn queue(deps: &Deps, org: OrgId, body: Bytes) -> Result<(), Error> {
    let now = deps.clock.now();
    let hints::Hints { changes, without_record } = match hints::read(&body, org, now) {
        Ok(hints) => hints,
        Err(Error::OtherOrg { named }) => {
            quarantine(deps, CopySeen { org_id: named, copy_of: org, at: now }).await;
            return Err(Error::OtherOrg { named });
        }
        Err(error) => return Err(error),
    };
    let deadline = now.saturating_add(QUEUE_PATIENCE).unwrap_or(now);
    deps.hints.send_all(&changes, deadline).await.map_err(state("queueing the notifications"))?;
    info!(org.id = %org, queued = changes.len(), without_record, "acknowledged {} notifications", changes.len() + without_record);
    Ok(())
}

/// Whoever has the org's secret and names another org is a copy of the org: a sandbox, which has its settings. What the copy
/// says is refused either way; that it cannot be noted is no reason to say something else.
async fn quarantine(deps: &Deps, seen: CopySeen) {
    let (copy, original) = (seen.org_id, seen.copy_of);
    match deps.orgs.quarantine(&seen).await {
        Ok(true) => {
            warn!(org.id = %copy, org.copy_of = %original, "org {copy} is quarantined: it is a copy of {original}")
        }
        Ok(false) => warn!(org.id = %copy, org.copy_of = %original, "org {copy} sent to the address of {original}"),
        Err(error) => error!(org.id = %copy, error = %Chain(&error), "org {copy} was not quarantined"),
    }
}

fn state(operation: &'static str) -> impl FnOnce(store::Error) -> Error {
    move |source| Error::State { operation, source }
}
