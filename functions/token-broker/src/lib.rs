//! Reads, stores and refreshes Salesforce tokens. No other function reads them from the vault: the others invoke this one and
//! cache the access token in memory.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | direct invoke | [`runtime::token_broker::Request`] | [`runtime::token_broker::Answer`], which may be a refusal | Ferry's own state is unavailable |
//!
//! [`protocol`] decides every step of a refresh; the other modules execute the steps.
//! See `ARCHITECTURE.md`, invariants 1 to 6.

mod app;
mod config;
mod disconnect;
mod error;
mod exchange;
mod grants;
mod keep_alive;
mod permissions;
pub mod protocol;
mod refresh;
mod refusal;
mod reply;
mod status;
mod sunset;
mod timer;

use std::time::Duration;

use runtime::token_broker::Request;
use runtime::{Aws, BoxError};
use salesforce::{ApiVersion, Clock, Http, ObjectName, Timeouts};
use store::{Apps, Connections, Orgs, TokenVault};

pub use config::Config;
pub use error::Error;
pub use reply::Reply;
pub use timer::Timer;

use protocol::Limits;

/// The dependencies of the function.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The orgs; read for an org's tenant.
    pub orgs: Orgs,
    /// The connections and their leases.
    pub connections: Connections,
    /// The tokens.
    pub vault: TokenVault,
    /// The app registrations.
    pub apps: Apps,
    /// The HTTP client for Salesforce, with timeouts that fit into the lease.
    pub http: Http,
    /// The version of Salesforce's API.
    pub api_version: ApiVersion,
    /// The objects that the user of a team connection must be able to read, create and edit.
    pub mirrored_objects: Vec<ObjectName>,
    /// The clock.
    pub clock: Clock,
    /// The delays of the protocol.
    pub timer: Timer,
    /// The durations and counts of the protocol.
    pub limits: Limits,
}

/// One token call and the storing of its response must fit into [`Limits::call`].
const TIMEOUTS: Timeouts = Timeouts { attempt: Duration::from_secs(10), total: Duration::from_secs(4) };

impl Deps {
    /// Creates the production dependencies.
    ///
    /// # Errors
    /// The TLS configuration cannot be loaded.
    pub fn new(aws: &Aws, config: &Config) -> Result<Self, BoxError> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), &config.orgs_table),
            connections: Connections::new(aws.dynamodb(), &config.connections_table),
            vault: TokenVault::new(aws.secrets_manager(), &config.token_secret_prefix),
            apps: Apps::new(aws.secrets_manager(), &config.apps_secret, aws.clock()),
            http: Http::new(config.hosts, aws.clock())?.with_timeouts(TIMEOUTS),
            api_version: config.api_version,
            mirrored_objects: config.mirrored_objects.clone(),
            clock: aws.clock(),
            timer: Timer::real(),
            limits: Limits::default(),
        })
    }
}

/// Handles one request.
///
/// # Errors
/// Ferry's own state is unavailable. An error of Salesforce is returned as a refusal.
pub async fn handle(deps: &Deps, request: Request) -> Result<Reply, Error> {
    match request {
        Request::ExchangeCode(exchange) => exchange::exchange_code(deps, &exchange).await,
        Request::AccessToken(request) => refresh::access_token(deps, &request).await,
        Request::Revoke(connection) => disconnect::revoke(deps, &connection).await,
        Request::KeepAlive(connection) => keep_alive::keep_alive(deps, &connection).await,
        Request::Status(connection) => status::load_status(deps, &connection).await,
    }
}
