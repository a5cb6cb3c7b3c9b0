//! The functions that `oauth-callback` calls, called in this process instead of over Lambda.

use runtime::invoke::Invoke;
use runtime::{Error, diagnostic};
use salesforce::{BoxFuture, Classify};
use serde::Serialize;

use crate::log::Secrets;

/// The real token broker.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) deps: token_broker::Deps,
    pub(crate) secrets: Secrets,
}

/// The real onboarding.
#[derive(Clone)]
pub(crate) struct Onboarding {
    pub(crate) deps: onboarding::Deps,
    pub(crate) secrets: Secrets,
}

impl Invoke for Broker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            self.secrets.note_call(&payload);
            let request = serde_json::from_slice(&payload).unwrap();
            let (deps, runtime) = (self.deps.clone(), tokio::runtime::Handle::current());
            // The broker stays on one thread, as in its own process.
            let work = move || runtime.block_on(token_broker::handle(&deps, request));
            answer(self.name(), &self.secrets, tokio::task::spawn_blocking(work).await.unwrap())
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
            answer(self.name(), &self.secrets, onboarding::handle(&self.deps, event).await)
        })
    }
}

/// As Lambda would: the answer's bytes, or the kind of the failure.
fn answer<A: Serialize, E: Classify + std::error::Error>(
    function: &str,
    secrets: &Secrets,
    result: Result<A, E>,
) -> Result<Vec<u8>, Error> {
    match result {
        Ok(answer) => {
            let bytes = serde_json::to_vec(&answer).unwrap();
            secrets.note_call(&bytes);
            Ok(bytes)
        }
        Err(error) => Err(Error::Failed { function: function.to_owned(), error_type: diagnostic(&error).error_type }),
    }
}
