//! OAuth consent: the pages on which a person connects a Salesforce org, and the links to them. Also the connections page of a
//! tenant's admin, and the routes that disconnect, and those that map the platform's users.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | `POST /v1/connect-links` | tenant, kind, environment or My Domain | a link, valid once for 15 minutes | problems |
//! | `GET /connect/{ticket}` | the link's ticket | a page that shows what will be connected | a failure page |
//! | `POST /connect/{ticket}` | the page's button | a redirect to Salesforce; state, PKCE and nonce bound to the browser | a failure page |
//! | `GET /oauth/callback` | code or error, state, cookie | a page that shows what was connected | a failure page |
//! | `POST /v1/admin-links` | tenant | a link for the tenant's admin, valid once for 15 minutes | problems |
//! | `/admin/{link}`, `/connections...` | the link; then a session cookie | the connections page | a failure page |
//! | `DELETE /v1/orgs/{org}...` | an org, or one connection | the outcome of each connection | problems |
//! | `PUT`, `DELETE /v1/orgs/{org}/users/{platform_user}` | a Salesforce user | the mapping | problems |
//!
//! A failure page says what happened and what to do. Tickets, states, codes and verifiers are secrets: they are stored as digests
//! where that suffices, and never logged.
//! See `docs/connections-and-tokens.md`.

mod admin;
mod browser;
mod callback;
mod config;
mod connect_failure;
mod consent;
mod cookie;
mod disconnecting;
mod links;
mod mapping;
mod pages;
mod ticket;

use axum::Router;
use axum::routing::{delete, get, post, put};

pub use config::{Config, Deps, LoginHosts};

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/connect-links", post(links::create))
        .route("/connect/{ticket}", get(consent::show).post(consent::begin))
        .route("/oauth/callback", get(callback::finish))
        .route("/v1/admin-links", post(admin::create_link))
        .route("/v1/orgs/{org}", delete(disconnecting::org))
        .route("/v1/orgs/{org}/connections/{id}", delete(disconnecting::connection))
        .route("/v1/orgs/{org}/users/{platform_user}", put(mapping::put).delete(mapping::delete))
        .route("/admin/{link}", get(admin::show_link).post(admin::open))
        .route("/connections", get(admin::show))
        .route("/connections/sign-out", post(admin::sign_out))
        .route("/connections/{org}/{id}/reconnect", post(admin::reconnect))
        .route("/connections/{org}/{id}/disconnect", get(admin::confirm_disconnect).post(admin::disconnect))
        .with_state(deps)
}
