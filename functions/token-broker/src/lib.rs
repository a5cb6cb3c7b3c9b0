//! Reads, stores and refreshes Salesforce tokens. No other function reads them from the vault: the others invoke this one and
//! cache the access token in memory.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | direct invoke | [`runtime::token_broker::Request`] | [`runtime::token_broker::Response`], which may be a refusal | Ferry's own state is unavailable |
//!
//! [`protocol`] decides every step of a refresh; the other modules execute the steps.
//! See `ARCHITECTURE.md`, invariants 1 to 6.

mod app;
mod config;
mod disconnect;
mod error;
#[cfg(test)]
mod error_texts;
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

use runtime::token_broker::Request;

pub use config::{Config, Deps};
pub use error::Error;
pub use reply::Reply;
pub use timer::Timer;

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
