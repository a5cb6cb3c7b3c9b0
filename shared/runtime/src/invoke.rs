//! Calling one of Ferry's functions and waiting for its answer.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use salesforce::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

impl LambdaFunction {
    fn not_called(&self, error: SdkError<InvokeError>) -> Error {
        let function = self.name.clone();
        let code = error.code().unwrap_or("unknown").to_owned();
        match &error {
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                Error::NoAnswer { function, source: error.into() }
            }
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => {
                Error::NotCalled { function, source: error.into() }
            }
            SdkError::ServiceError(answer) if is_throttling(&code) || answer.raw().status().is_server_error() => {
                Error::NotCalled { function, source: error.into() }
            }
            SdkError::ServiceError(_) => Error::NotAllowed { function, code, source: error.into() },
            _ => Error::NoAnswer { function, source: error.into() },
        }
    }
}

/// Lambda's codes for a function that has too much to do: it was not called.
fn is_throttling(code: &str) -> bool {
    matches!(code, "TooManyRequestsException" | "EC2ThrottledException" | "ThrottlingException")
}

/// The `errorType` of a failed function's answer.
fn error_type(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure {
        error_type: String,
    }
    serde_json::from_slice(payload).map_or_else(|_| "Unhandled".to_owned(), |failure: Failure| failure.error_type)
}

impl Invoke for LambdaFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let request = self.client.invoke().function_name(&self.name).payload(Blob::new(payload));
            let answer = request.send().await.map_err(|error| self.not_called(error))?;
            let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
            match answer.function_error {
                Some(_) => Err(Error::Failed { function: self.name.clone(), error_type: error_type(&payload) }),
                None => Ok(payload),
            }
        })
    }
}

/// Asks the function and reads its answer.
///
/// # Errors
/// Those of the function; [`Error::BadAnswer`] when what it says is no `A`.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(function: &Arc<dyn Invoke>, question: &Q) -> Result<A, Error> {
    let bad_answer = || Error::BadAnswer { function: function.name().to_owned() };
    let question = serde_json::to_vec(question).map_err(|_| bad_answer())?;
    let answer = function.invoke(question).await?;
    serde_json::from_slice(&answer).map_err(|_| bad_answer())
}
