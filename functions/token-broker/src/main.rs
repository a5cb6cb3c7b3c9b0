//! Lambda entry point: builds the dependencies and serves [`token_broker::handle`].

use runtime::{BoxError, Env};
use token_broker::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("token-broker").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    runtime::serve_events(aws.clock(), |event| Box::pin(handle(&deps, event))).await
}
