//! The pages on which people connect their Salesforce org, and the links that lead to them.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | `POST /v1/connect-links` | tenant, kind, environment or My Domain | a link, good once for 15 minutes | problems |
//! | `GET /connect/{ticket}` | the link's ticket | a page that says what will be connected | a page that says what to do |
//! | `POST /connect/{ticket}` | the page's button | a redirect to Salesforce; state, PKCE and nonce bound to the browser | the same |
//! | `GET /oauth/callback` | code or error, state, cookie | a page that says what was connected | the same |
//! | `POST /v1/admin-links` | tenant | a link for the tenant's admin, good once for 15 minutes | problems |
//! | `/admin/{link}`, `/connections...` | the link; then a session's cookie | the connections page, with its buttons | pages |
//! | `DELETE /v1/orgs/{org}...` | an org, or one connection | what was done, and what was not reachable | problems |
//!
//! Tickets, states, codes and verifiers are secrets: they are stored as digests where that suffices, and never logged.
//! See `ARCHITECTURE.md`.

mod admin;
mod callback;
mod config;
mod consent;
mod cookie;
mod disconnecting;
mod links;
mod pages;
mod ticket;
mod trouble;

use axum::Router;
use axum::routing::{delete, get, post};
use connecting::connect_links::ConnectLinks;
use connecting::disconnect::Disconnect;
use connecting::onboarding::Onboarding;
use runtime::invoke::LambdaFunction;
use runtime::{Aws, TokenBroker};
use salesforce::{Clock, HostPolicy};
use store::{Apps, Authorizations, Connections, Orgs};

pub use config::{Config, LoginHosts};

/// What the function works with.
#[derive(Clone)]
pub struct Deps {
    /// Connect tickets and OAuth states.
    pub authorizations: Authorizations,
    /// Whose an org is.
    pub orgs: Orgs,
    /// What is connected.
    pub connections: Connections,
    /// The app registrations.
    pub apps: Apps,
    /// Trades codes for connections.
    pub broker: TokenBroker,
    /// Makes the org of a team connection active.
    pub onboarding: Onboarding,
    /// Where people sign in.
    pub login: LoginHosts,
    /// Which hosts are believed to be Salesforce's.
    pub hosts: HostPolicy,
    /// Where browsers reach this function, without a trailing slash.
    pub public_url: String,
    /// The time.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        Self {
            authorizations: Authorizations::new(aws.dynamodb(), config.authorizations_table),
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            apps: Apps::new(aws.secrets_manager(), config.apps_secret, aws.clock()),
            broker: TokenBroker::new(LambdaFunction::new(aws.lambda(), config.token_broker), config.hosts),
            onboarding: Onboarding::new(LambdaFunction::new(aws.lambda(), config.onboarding)),
            login: config.login,
            hosts: config.hosts,
            public_url: config.public_url,
            clock: aws.clock(),
        }
    }

    fn links(&self) -> ConnectLinks {
        ConnectLinks::new(self.authorizations.clone(), &self.public_url)
    }

    fn kill_switch(&self) -> Disconnect {
        Disconnect {
            orgs: self.orgs.clone(),
            connections: self.connections.clone(),
            broker: self.broker.clone(),
            clock: self.clock.clone(),
        }
    }

    /// The redirect URI of every consent; Salesforce compares it character for character.
    fn redirect_uri(&self) -> String {
        format!("{}/oauth/callback", self.public_url)
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/connect-links", post(links::create))
        .route("/connect/{ticket}", get(consent::show).post(consent::begin))
        .route("/oauth/callback", get(callback::finish))
        .route("/v1/admin-links", post(admin::create_link))
        .route("/v1/orgs/{org}", delete(disconnecting::org))
        .route("/v1/orgs/{org}/connections/{id}", delete(disconnecting::connection))
        .route("/admin/{link}", get(admin::show_link).post(admin::open))
        .route("/connections", get(admin::show))
        .route("/connections/sign-out", post(admin::sign_out))
        .route("/connections/{org}/{id}/reconnect", post(admin::reconnect))
        .route("/connections/{org}/{id}/disconnect", get(admin::ask_disconnect).post(admin::disconnect))
        .with_state(deps)
}
