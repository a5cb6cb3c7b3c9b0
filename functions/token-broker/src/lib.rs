//! Reads, stores and refreshes Salesforce tokens. No other function reads them from the vault: the others invoke this one and
//! cache the access token in memory.
//!
//! It is deployed as two functions, each with its own permissions and callers: `token-broker` issues access tokens, and
//! `connection-manager` creates and ends connections. `OPERATIONS` lists what each serves.
//!
//! | trigger | input | output | failures |
//! |---|---|---|---|
//! | direct invoke | [`runtime::token_broker::Request`] | [`runtime::token_broker::Response`], which may be a refusal | Ferry's own state is unavailable |
//!
//! [`protocol`] decides every step of a refresh; the other modules execute the steps.
//! See `ARCHITECTURE.md`, invariants 1 to 6.

mod app;
mod apps;
mod config;
mod disconnect;
mod error;
#[cfg(test)]
mod error_texts;
mod exchange;
mod grants;
mod keep_alive;
mod permissions;
mod protection;
pub mod protocol;
mod refresh;
mod refusal;
mod refused_session;
mod reply;
mod rights;
mod status;
mod sunset;
mod timer;
mod token_request;

use std::time::Duration;

use runtime::token_broker::{RefusalCode, Request};
use salesforce::Retry;

pub use config::{Config, Deps, Objects, TeamAccess};
pub use error::Error;
pub use reply::Reply;
pub use timer::Timer;

/// The pause before a request is sent again that this function does not serve. During a deployment, a caller of an earlier
/// version sends it for some minutes.
const NOT_SERVED_DELAY: Duration = Duration::from_secs(30);

/// Handles one request. Refuses an operation that is not configured, and says that it can be sent again.
///
/// # Errors
/// Ferry's own state is unavailable. An error of Salesforce is returned as a refusal.
pub async fn handle(deps: &Deps, request: Request) -> Result<Reply, Error> {
    let operation = request.operation();
    if !deps.operations.contains(&operation) {
        let name = operation.as_str();
        tracing::error!(operation = name, "refused the operation {name}, which this function does not serve");
        let reason = format!("this function does not serve the operation {name}");
        return Ok(refusal::refuse(RefusalCode::Unavailable, &reason, Retry::After(NOT_SERVED_DELAY)));
    }
    match request {
        Request::ExchangeCode(exchange) => exchange::exchange_code(deps, &exchange).await,
        Request::AccessToken(request) => refresh::access_token(deps, &request).await,
        Request::Revoke(connection) => disconnect::revoke(deps, &connection).await,
        Request::KeepAlive(connection) => keep_alive::keep_alive(deps, &connection).await,
        Request::Status(connection) => status::load_status(deps, &connection).await,
        Request::Apps => apps::list(deps).await,
    }
}
