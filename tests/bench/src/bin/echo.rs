//! The smallest function, for this crate's own tests: answers with the event, fails or dies where the event says so.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.as_str() {
        Some("fail") => Err("told to fail".into()),
        Some("exit") => std::process::exit(3),
        Some("hang") => std::future::pending().await,
        _ => Ok(event.payload),
    }
}
