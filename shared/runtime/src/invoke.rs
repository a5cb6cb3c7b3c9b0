//! Synchronous calls of Ferry's functions.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use salesforce::{Backoff, BoxError, BoxFuture};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::aws::{Failure, classify, is_out_of_time};

use crate::{Error, faults};

/// A function that takes JSON and returns JSON. In production it is a [`LambdaFunction`].
pub trait Invoke: Send + Sync + 'static {
    /// Returns the function's name, for errors.
    fn name(&self) -> &str;

    /// Calls the function with a payload and returns the response.
    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>>;
}

/// A function that is called through Lambda's Invoke.
#[derive(Clone, Debug)]
pub struct LambdaFunction {
    client: Client,
    name: String,
}

impl LambdaFunction {
    /// Returns the function with this name or ARN.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}

impl Invoke for LambdaFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let response = self.call(payload).await?;
            let payload = response.payload.map(Blob::into_inner).unwrap_or_default();
            match response.function_error {
                None => Ok(payload),
                Some(_) => Err(Error::Failed { function: self.name.clone(), error_type: error_type(&payload) }),
            }
        })
    }
}

impl LambdaFunction {
    /// Calls the function. Retries only while the function cannot have run, because a request may not be safe to repeat.
    async fn call(&self, payload: Vec<u8>) -> Result<InvokeOutput, Error> {
        let payload = Blob::new(payload);
        let mut retry = 0;
        loop {
            let call = self.client.invoke().function_name(&self.name).payload(payload.clone());
            let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
            let error = match call.customize().config_override(once).send().await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match classify(&error) {
                Failure::NotApplied if retry < MAX_RETRIES && !is_out_of_time(&error) => {
                    tokio::time::sleep(BACKOFF.pause(retry)).await;
                }
                failure => return Err(self.error(failure, error.into())),
            }
            retry += 1;
        }
    }

    fn error(&self, failure: Failure, source: BoxError) -> Error {
        let function = self.name.clone();
        match failure {
            Failure::NotApplied => Error::NotCalled { function, source },
            Failure::Unknown => Error::NoResponse { function, source },
            Failure::Refused(code) => Error::NotAllowed { function, code, source },
        }
    }
}

/// The number of calls after the first one.
const MAX_RETRIES: u32 = 2;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), 4, Duration::from_millis(400));

/// Returns the `errorType` of a failed function's diagnostic.
fn error_type(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Diagnostic {
        error_type: String,
    }
    serde_json::from_slice(payload)
        .map_or_else(|_| "Unknown".to_owned(), |diagnostic: Diagnostic| diagnostic.error_type)
}

/// Calls the function and parses its response. A fault of the deployment is counted in the closing line of the caller.
///
/// # Errors
/// Those of the call; [`Error::InvalidResponse`] if the response does not parse.
pub async fn call<Q: Serialize, R: DeserializeOwned>(function: &Arc<dyn Invoke>, request: &Q) -> Result<R, Error> {
    let called = try_call(function, request).await;
    called.inspect_err(|error| {
        if error.is_fault_of_the_deployment() {
            faults::count();
        }
    })
}

async fn try_call<Q: Serialize, R: DeserializeOwned>(function: &Arc<dyn Invoke>, request: &Q) -> Result<R, Error> {
    let invalid = |_| Error::InvalidResponse { function: function.name().to_owned() };
    let payload = serde_json::to_vec(request).map_err(invalid)?;
    let response = function.invoke(payload).await?;
    serde_json::from_slice(&response).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_type_comes_from_the_diagnostic() {
        assert_eq!(error_type(br#"{"errorType": "NeedsHuman", "errorMessage": "..."}"#), "NeedsHuman");
        assert_eq!(error_type(b"Task timed out"), "Unknown");
    }
}
