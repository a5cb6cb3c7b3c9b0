//! The environment of the functions' tests: a simulated org, tables and queues on the emulator, and a token broker.
//!
//! ```no_run
//! harness::run(async {
//!     let context = harness::TestContext::connected().await;
//!     let records = store::Records::new(context.dynamodb(), context.table("records"));
//!     # let _ = records;
//! });
//! ```

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

mod broker;
mod context;
pub mod contract;
mod kill;
mod writes;

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub use broker::set_connection_state;
pub use context::{DISCONNECTED, REP, TestContext};
pub use kill::killed_after;

/// The runtime of all tests. A connection to the emulator works only in the runtime that opened it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Runs a test.
pub fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// Sends a request to a function and checks the response against `infra/openapi.yaml`.
pub async fn send(router: Router, request: Request<Body>) -> (StatusCode, Value) {
    let (method, uri) = (request.method().to_string(), request.uri().to_string());
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    if !status.is_success() {
        secret_scan::add(&String::from_utf8_lossy(&body));
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    contract::check(&method, &uri, status, &body);
    (status, body)
}
