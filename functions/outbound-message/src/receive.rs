//! The webhook route: authenticates a message, queues its hints, and acknowledges it.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use jiff::SignedDuration;
use runtime::Chain;
use salesforce::OrgId;
use secrecy::ExposeSecret as _;
use soap_receiver::{Rejection, SoapMessage, acknowledgement, receiver};
use store::SeenCopy;
use tracing::{error, info, warn};

use crate::limits::NOTIFICATIONS_PER_MINUTE;
use crate::{Deps, Error, hints};

/// The time limit for queueing. The HTTP API ends a request after 30 seconds, Salesforce after 60.
const QUEUE_TIMEOUT: SignedDuration = SignedDuration::from_secs(15);

/// Returns the router of the webhook route.
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

/// Returns the org whose secret is in the address, from the cache or the `orgs` table. Every wrong address costs the same work.
async fn authenticate(deps: &Deps, message: &SoapMessage) -> Result<OrgId, Error> {
    let (org, secret) = (message.org, message.secret.expose_secret());
    let now = deps.clock.now();
    if let Some(org) = deps.org_cache.verify(org, secret, now) {
        return Ok(org);
    }
    let row = match org {
        Some(org) => deps.orgs.load(org).await?,
        None => None,
    };
    let verified = deps.org_cache.verify_row(org, row.as_ref(), secret, now);
    Ok(verified.ok_or(Rejection::UnknownAddress)?)
}

async fn queue(deps: &Deps, org: OrgId, message: &SoapMessage) -> Result<(), Error> {
    let now = deps.clock.now();
    let hints = match message.parse_for(org) {
        Ok(message) => hints::from_message(&message, org, now).map_err(Rejection::from)?,
        Err(Rejection::OtherOrg { named }) => {
            note_copy(deps, org, SeenCopy { org_id: named, seen_at: now }).await;
            return Err(Rejection::OtherOrg { named }.into());
        }
        Err(rejection) => return Err(rejection.into()),
    };
    if !deps.limits.admits(org, hints.len(), now) {
        return Err(Error::TooManyNotifications { org, limit: NOTIFICATIONS_PER_MINUTE });
    }
    let deadline = now.saturating_add(QUEUE_TIMEOUT).unwrap_or(now);
    deps.hints.send_all(&hints, deadline).await?;
    let without_record = hints.iter().filter(|hint| hint.record.is_none()).count();
    info!(org.id = %org, queued = hints.len(), without_record, "acknowledged {} notifications", hints.len());
    Ok(())
}

/// Notes on the item of the original that a copy of it uses its secret: most often a sandbox, which is created with the
/// settings of production. The message is refused also when that cannot be stored. Nothing happens to the org that the
/// message names, because the holder of the secret can name any.
async fn note_copy(deps: &Deps, original: OrgId, copy: SeenCopy) {
    let id = copy.org_id;
    match deps.orgs.note_copy(original, &copy).await {
        Ok(_) => warn!(org.id = %original, org.copy = %id, "a message names org {id} and has the secret of {original}"),
        Err(error) => {
            error!(org.id = %original, org.copy = %id, error = %Chain(&error), "could not note a copy of org {original}");
        }
    }
}
