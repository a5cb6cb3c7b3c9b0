//! Calling one of Ferry's functions and waiting for its answer.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use salesforce::{Backoff, BoxError, BoxFuture};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::aws::{Failure, failure};

use crate::Error;

/// A function that answers JSON with JSON. In production it is a [`LambdaFunction`].
pub trait Invoke: Send + Sync + 'static {
    /// The function's name, for errors.
    fn name(&self) -> &str;

    /// Calls it.
    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>>;
}

/// A function behind Lambda's Invoke.
#[derive(Clone, Debug)]
pub struct LambdaFunction {
    client: Client,
    name: String,
}

impl LambdaFunction {
    /// The function with this name or ARN.
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
            let answer = self.call(payload).await?;
            let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
            match answer.function_error {
                None => Ok(payload),
                Some(_) => Err(Error::Failed { function: self.name.clone(), error_type: error_type(&payload) }),
            }
        })
    }
}

impl LambdaFunction {
    /// Calls it once more only where it cannot have been called: not everything that is asked for may happen twice.
    async fn call(&self, payload: Vec<u8>) -> Result<InvokeOutput, Error> {
        let payload = Blob::new(payload);
        let mut retry = 0;
        loop {
            let call = self.client.invoke().function_name(&self.name).payload(payload.clone());
            let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
            let error = match call.customize().config_override(once).send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match failure(&error) {
                Failure::NotTaken if retry < MAX_RETRIES => tokio::time::sleep(BACKOFF.pause(retry)).await,
                failure => return Err(self.error(failure, error.into())),
            }
            retry += 1;
        }
    }

    fn error(&self, failure: Failure, source: BoxError) -> Error {
        let function = self.name.clone();
        match failure {
            Failure::NotTaken => Error::NotCalled { function, source },
            Failure::Unknown => Error::NoAnswer { function, source },
            Failure::Refused(code) => Error::NotAllowed { function, code, source },
        }
    }
}

/// The number of calls after the first one.
const MAX_RETRIES: u32 = 2;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), 4, Duration::from_millis(400));

/// The `errorType` of a failed function's diagnostic.
fn error_type(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Diagnostic {
        error_type: String,
    }
    serde_json::from_slice(payload)
        .map_or_else(|_| "Unknown".to_owned(), |diagnostic: Diagnostic| diagnostic.error_type)
}

/// Asks the function and reads its answer.
///
/// # Errors
/// Those of the function; [`Error::BadAnswer`] when what it says is no `A`.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(function: &Arc<dyn Invoke>, question: &Q) -> Result<A, Error> {
    let bad_answer = |_| Error::BadAnswer { function: function.name().to_owned() };
    let payload = serde_json::to_vec(question).map_err(bad_answer)?;
    let answer = function.invoke(payload).await?;
    serde_json::from_slice(&answer).map_err(bad_answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_function_is_known_by_its_diagnostic() {
        assert_eq!(error_type(br#"{"errorType": "NeedsHuman", "errorMessage": "..."}"#), "NeedsHuman");
        assert_eq!(error_type(b"Task timed out"), "Unknown");
    }
}
