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

pub use config::{Config, Deps, LoginHosts};

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
