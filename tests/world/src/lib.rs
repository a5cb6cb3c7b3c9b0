//! What the tests of a function play in: a simulated org, state of its own on the emulator, and sessions in between.
//!
//! ```no_run
//! world::run(async {
//!     let world = world::World::connected().await;
//!     let records = store::Records::new(world.dynamodb(), world.table("records"));
//!     # let _ = records;
//! });
//! ```

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod broker;
pub mod contract;
mod kill;
mod scene;

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub use kill::killed_after;
pub use scene::{DISCONNECTED, REP, World};

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Runs a test.
pub fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// Asks a function, and holds its answer against `infra/openapi.yaml`.
pub async fn ask(router: Router, request: Request<Body>) -> (StatusCode, Value) {
    let (method, uri) = (request.method().to_string(), request.uri().to_string());
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    if !status.is_success() {
        silence::heard(&String::from_utf8_lossy(&body));
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    contract::check(&method, &uri, status, &body);
    (status, body)
}
