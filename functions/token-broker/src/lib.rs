//! The only function that reads or writes Salesforce tokens; the others call it and keep what they get in memory.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | direct invoke | [`runtime::token_broker::Request`] | [`runtime::token_broker::Answer`], refusals included | Ferry's own state is not available |
//!
//! [`protocol`] decides every step of a refresh; the rest carries it out.
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
use salesforce::{ApiVersion, Clock, Http, ObjectName, Patience};
use store::{Apps, Connections, Orgs, TokenVault};

pub use config::Config;
pub use error::Error;
pub use reply::Reply;
pub use timer::Timer;

use protocol::Limits;

/// What the function works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Whose an org is.
    pub orgs: Orgs,
    /// The connections and their leases.
    pub connections: Connections,
    /// The tokens.
    pub vault: TokenVault,
    /// The app registrations.
    pub apps: Apps,
    /// The way to Salesforce, with limits that fit into the lease.
    pub http: Http,
    /// The version of Salesforce's API.
    pub api_version: ApiVersion,
    /// What the user of a team connection must be able to work with.
    pub mirrored_objects: Vec<ObjectName>,
    /// The time.
    pub clock: Clock,
    /// Pauses while another broker refreshes.
    pub timer: Timer,
    /// The numbers of the refresh protocol.
    pub limits: Limits,
}

/// One token call, and what may follow it, must fit into [`Limits::call`].
const PATIENCE: Patience = Patience { attempt: Duration::from_secs(10), total: Duration::from_secs(4) };

impl Deps {
    /// The real ones.
    ///
    /// # Errors
    /// There is no TLS on this machine.
    pub fn new(aws: &Aws, config: &Config) -> Result<Self, BoxError> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), &config.orgs_table),
            connections: Connections::new(aws.dynamodb(), &config.connections_table),
            vault: TokenVault::new(aws.secrets_manager(), &config.token_secret_prefix),
            apps: Apps::new(aws.secrets_manager(), &config.apps_secret, aws.clock()),
            http: Http::new(config.hosts, aws.clock())?.with_patience(PATIENCE),
            api_version: config.api_version,
            mirrored_objects: config.mirrored_objects.clone(),
            clock: aws.clock(),
            timer: Timer::real(),
            limits: Limits::default(),
        })
    }
}

/// Answers one request.
///
/// # Errors
/// Only when Ferry's own state is not available; what Salesforce says is an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Reply, Error> {
    match request {
        Request::ExchangeCode(exchange) => exchange::exchange_code(deps, &exchange).await,
        Request::AccessToken(wanted) => refresh::access_token(deps, &wanted).await,
        Request::Revoke(connection) => disconnect::revoke(deps, &connection).await,
        Request::KeepAlive(connection) => keep_alive::keep_alive(deps, &connection).await,
        Request::Status(connection) => status::status(deps, &connection).await,
    }
}
