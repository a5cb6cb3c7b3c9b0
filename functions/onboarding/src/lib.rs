//! Claims orgs when the package is installed, and activates them when their admin connects.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | `POST /webhooks/salesforce/installs` | the package's install notice | 202; an unknown org is `claimed` until the claim expires | 400, 413, 415, 503 |
//! | `POST /webhooks/licenses/{org_id}/{secret}` | an outbound message of the vendor's License Management Org | `<Ack>true</Ack>`; an unknown org is `claimed`, an org whose package was removed is closed | 400, 403, 404, 405, 413, 415, 503, without an acknowledgement |
//! | direct invoke | [`connecting::onboarding::Event`] | [`connecting::onboarding::Onboarded`]; the org is `active`, its backfill is queued, its outbound messages have the webhook address | the org belongs to another tenant; the table is unavailable |
//!
//! An install notice only claims; only a token response of that very org activates. See `docs/connections-and-tokens.md`.

mod activation;
mod config;
mod edition;
mod endpoints;
mod error;
#[cfg(test)]
mod error_texts;
mod install;
mod license_message;
mod licenses;

use axum::Router;
use axum::routing::post;
use connecting::onboarding::Event;
use soap_receiver::receiver;

pub use activation::Reply;
pub use config::{Config, Deps};
pub use error::Error;

/// Returns the router of the two webhook routes.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/webhooks/salesforce/installs", post(install::claim))
        .route("/webhooks/licenses/{org_id}/{secret}", receiver(licenses::receive))
        .with_state(deps)
}

/// Handles an event of another function or of the operator.
///
/// # Errors
/// [`Error::Activate`]: the org belongs to another tenant; [`Error::State`]: Ferry's own state is unavailable.
pub async fn handle(deps: &Deps, event: Event) -> Result<Reply, Error> {
    match event {
        Event::TeamConnected(connected) => activation::team_connected(deps, connected).await,
        Event::RotateWebhookSecret(request) => activation::rotate_webhook_secret(deps, request.org_id).await,
    }
}
