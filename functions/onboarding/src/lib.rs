//! Makes orgs known, and makes them active.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | `POST /webhooks/salesforce/installs` | the package's post-install callout | 202; an unknown org is `claimed` | 400, 413, 415, 503 |
//! | `POST /webhooks/licenses/{org_id}/{secret}` | an outbound message of the vendor's License Management Org | `<Ack>true</Ack>`; an unknown org is `claimed`, one whose package was removed is closed | 400, 403, 404, 405, 413, 415, 503 and no Ack |
//! | direct invoke | [`connecting::onboarding::Event`] | [`connecting::onboarding::Onboarded`]; the org is `active`, its first copy is queued, its outbound messages are set up | the org is another tenant's; the table is not available |
//!
//! An install only claims; only the OAuth answer of that very org activates. See `ARCHITECTURE.md`.

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

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/webhooks/salesforce/installs", post(install::claim))
        .route("/webhooks/licenses/{org_id}/{secret}", receiver(licenses::receive))
        .with_state(deps)
}

/// Carries out an event.
///
/// # Errors
/// [`Error::Activate`]: the org is another tenant's; [`Error::State`]: Ferry's own state is not available.
pub async fn handle(deps: &Deps, event: Event) -> Result<Reply, Error> {
    match event {
        Event::TeamConnected(connected) => activation::team_connected(deps, connected).await,
        Event::RotateWebhookSecret(wanted) => activation::rotate_webhook_secret(deps, wanted.org_id).await,
    }
}
