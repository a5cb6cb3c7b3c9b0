//! Makes orgs known, and makes them active.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | `POST /webhooks/salesforce/installs` | the package's post-install callout | 202; an unknown org is `claimed` | 400, 413, 415, 503 |
//! | direct invoke | [`runtime::onboarding::Event`] | [`runtime::onboarding::Onboarded`]; the org is `active`, its first copy is queued | the org is another tenant's; the table is not available |
//!
//! An install only claims; only the OAuth answer of that very org activates. See `ARCHITECTURE.md`.

mod activation;
mod config;
mod error;
mod install;

use axum::Router;
use axum::routing::post;
use runtime::Aws;
use runtime::onboarding::Event;
use salesforce::Clock;
use store::{Orgs, Queue, RefreshTask};

pub use activation::Reply;
pub use config::Config;
pub use error::Error;

/// What the function works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The orgs.
    pub orgs: Orgs,
    /// Where the first copy is asked for.
    pub refreshes: Queue<RefreshTask>,
    /// Where Salesforce reaches the HTTP API, without a trailing slash.
    pub public_url: String,
    /// The time.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    #[must_use]
    pub fn new(aws: &Aws, config: &Config) -> Self {
        Self {
            orgs: Orgs::new(aws.dynamodb(), &config.orgs_table),
            refreshes: Queue::new(aws.sqs(), &config.pipeline_refresh_queue, aws.clock()),
            public_url: config.public_url.clone(),
            clock: aws.clock(),
        }
    }
}

/// The function's route.
pub fn router(deps: Deps) -> Router {
    Router::new().route("/webhooks/salesforce/installs", post(install::claim)).with_state(deps)
}

/// Carries out an event.
///
/// # Errors
/// [`Error::Activate`]: the org is another tenant's, or Ferry's own state is not available.
pub async fn handle(deps: &Deps, event: Event) -> Result<Reply, Error> {
    match event {
        Event::TeamConnected(connected) => activation::team_connected(deps, connected).await,
    }
}
