//! Lambda entry point: builds the dependencies and serves [`record_events::handle`].

use record_events::{Config, Deps, handle};
use runtime::{BoxError, Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-events").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?);
    runtime::serve_events(aws.clock(), |input| Box::pin(handle(&deps, input))).await
}
