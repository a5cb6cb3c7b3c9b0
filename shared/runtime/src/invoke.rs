//! Calling one of Ferry's functions and waiting for its answer.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use salesforce::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
            let _ = (&self.client, payload);
            todo!()
        })
    }
}

/// Asks the function and reads its answer.
///
/// # Errors
/// Those of the function; [`Error::BadAnswer`] when what it says is no `A`.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(function: &Arc<dyn Invoke>, question: &Q) -> Result<A, Error> {
    let _ = (function, question);
    todo!()
}
