//! The functions that `oauth-callback` invokes, called in this process instead of in Lambda.

use runtime::invoke::Invoke;
use runtime::token_broker::Operation;
use runtime::{Error, diagnostic};
use salesforce::{BoxFuture, Classify};
use serde::Serialize;

use crate::log::Secrets;

/// The real token broker.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) name: &'static str,
    pub(crate) deps: token_broker::Deps,
    pub(crate) secrets: Secrets,
}

impl Broker {
    /// Returns the function that exchanges codes and revokes grants. As deployed, it serves no other operation.
    pub(crate) fn connection_manager(deps: &token_broker::Deps, secrets: &Secrets) -> Self {
        let operations = [Operation::ExchangeCode, Operation::Revoke, Operation::Apps];
        Self::serving("connection-manager", &operations, deps, secrets)
    }

    /// Returns a function that serves these operations only.
    pub(crate) fn serving(
        name: &'static str,
        operations: &[Operation],
        deps: &token_broker::Deps,
        secrets: &Secrets,
    ) -> Self {
        let deps = token_broker::Deps { operations: operations.to_vec(), ..deps.clone() };
        Self { name, deps, secrets: secrets.clone() }
    }
}

/// The real onboarding.
#[derive(Clone)]
pub(crate) struct Onboarding {
    pub(crate) deps: onboarding::Deps,
    pub(crate) secrets: Secrets,
}

impl Invoke for Broker {
    fn name(&self) -> &str {
        self.name
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            self.secrets.note_call(&payload);
            let request = serde_json::from_slice(&payload).unwrap();
            let (deps, runtime) = (self.deps.clone(), tokio::runtime::Handle::current());
            // The broker runs on one thread, as in its own process.
            let work = move || runtime.block_on(token_broker::handle(&deps, request));
            to_payload(self.name(), &self.secrets, tokio::task::spawn_blocking(work).await.unwrap())
        })
    }
}

impl Invoke for Onboarding {
    fn name(&self) -> &str {
        "onboarding"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let event = serde_json::from_slice(&payload).unwrap();
            to_payload(self.name(), &self.secrets, onboarding::handle(&self.deps, event).await)
        })
    }
}

/// Returns the bytes of the response, or the error of Lambda for a failed invocation.
fn to_payload<A: Serialize, E: Classify + std::error::Error>(
    function: &str,
    secrets: &Secrets,
    result: Result<A, E>,
) -> Result<Vec<u8>, Error> {
    match result {
        Ok(response) => {
            let bytes = serde_json::to_vec(&response).unwrap();
            secrets.note_call(&bytes);
            Ok(bytes)
        }
        Err(error) => Err(Error::Failed { function: function.to_owned(), error_type: diagnostic(&error).error_type }),
    }
}
