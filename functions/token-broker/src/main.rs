//! Lambda entry point: builds the real dependencies, then serves [`token_broker::handle`].

use runtime::{BoxError, Env};
use token_broker::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("token-broker").await?;
    let config = Config::from_env(&Env::process())?;
    let deps = Deps::new(&aws, &config)?;
    runtime::serve_events(aws.clock(), |request| Box::pin(handle(&deps, request))).await
}
