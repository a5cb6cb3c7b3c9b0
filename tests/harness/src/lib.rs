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
mod events;
mod kill;
mod settings;
mod writes;

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use runtime::Guard;
use runtime::caller::{CallerRules, VerifiedIdentity};
use serde_json::Value;
use store::Orgs;
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

/// The scopes of the platform's own server.
pub const ALL_SCOPES: &str = "ferry/read ferry/write ferry/admin";

/// Returns the identity of a token, as API Gateway verified it. `user` is the claim `sub`, which binds the caller to a platform
/// user.
#[must_use]
pub fn token(tenant: &str, user: Option<&str>, scopes: &str) -> VerifiedIdentity {
    let claims = [("tenant", Some(tenant)), ("sub", user), ("scope", Some(scopes))];
    let claims = claims.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    VerifiedIdentity::Jwt(claims.collect())
}

/// Puts the guard before a function's routes, with the claim `sub` as the platform user.
pub fn guarded(orgs: Orgs, router: Router) -> Router {
    let rules = CallerRules { user_claim: Some("sub".to_owned()), ..CallerRules::default() };
    Guard::new(orgs, rules).protect(router).into_router()
}

impl TestContext {
    /// Fails the test if this secret is logged.
    pub fn forbid(&self, secret: &str) {
        self.scan.forbid(secret);
    }

    /// Sends a request to a function behind the guard, and checks the response against `infra/openapi.yaml`. Without an identity
    /// in its extensions, the request comes from the server of the tenant `acme`.
    pub async fn send(&self, router: Router, mut request: Request<Body>) -> (StatusCode, Value) {
        if request.extensions().get::<VerifiedIdentity>().is_none() {
            request.extensions_mut().insert(token("acme", None, ALL_SCOPES));
        }
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let response = guarded(self.orgs.clone(), router).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        if !status.is_success() {
            secret_scan::add(&String::from_utf8_lossy(&body));
        }
        let body = serde_json::from_slice(&body).unwrap_or_default();
        contract::check(&method, &uri, status, &body);
        (status, body)
    }
}
