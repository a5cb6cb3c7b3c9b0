//! The smallest function, for this crate's own tests. It returns its event, or fails, exits or hangs if the event says so.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.as_str() {
        Some("fail") => Err("failed on request".into()),
        Some("exit") => std::process::exit(3),
        Some("hang") => std::future::pending().await,
        _ => Ok(event.payload),
    }
}
