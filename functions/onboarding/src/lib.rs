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
mod install;
mod license_message;
mod licenses;

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use connecting::disconnect::Disconnect;
use connecting::onboarding::Event;
use runtime::{Aws, BoxError, Env, Salesforce};
use salesforce::Clock;
use soap_receiver::RequiredClient;
use soap_receiver::receiver;
use store::{Connections, Orgs, Queue, RefreshTask};

pub use activation::Reply;
pub use config::Config;
pub use error::Error;

/// What the function works with.
#[derive(Clone)]
pub struct Deps {
    /// The orgs.
    pub orgs: Orgs,
    /// The connections, which end with the package.
    pub connections: Connections,
    /// The way into the orgs, and the token broker.
    pub salesforce: Salesforce,
    /// Where the first copy is asked for.
    pub refreshes: Queue<RefreshTask>,
    /// Where Salesforce reaches the webhooks, without a trailing slash.
    pub webhook_url: String,
    /// Whose certificate the License Management Org must have.
    pub client: RequiredClient,
    /// How long an org may take for each half of the set-up of its outbound messages.
    pub patience: Duration,
    /// The time.
    pub clock: Clock,
}

/// A person waits for the page after the consent.
const PATIENCE: Duration = Duration::from_secs(6);

impl Deps {
    /// The real ones.
    ///
    /// # Errors
    /// A variable of the way to Salesforce is missing or wrong, or there is no TLS on this machine.
    pub fn new(aws: &Aws, env: &Env, config: &Config) -> Result<Self, BoxError> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), &config.orgs_table),
            connections: Connections::new(aws.dynamodb(), &config.connections_table),
            salesforce: Salesforce::from_env(env, aws)?,
            refreshes: Queue::new(aws.sqs(), &config.pipeline_refresh_queue, aws.clock()),
            webhook_url: config.webhook_url.clone(),
            client: config.client.clone(),
            patience: PATIENCE,
            clock: aws.clock(),
        })
    }

    fn disconnect(&self) -> Disconnect {
        Disconnect {
            orgs: self.orgs.clone(),
            connections: self.connections.clone(),
            broker: self.salesforce.broker().clone(),
            clock: self.clock.clone(),
        }
    }
}

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
