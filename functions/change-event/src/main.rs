//! Lambda entry point: builds the dependencies and serves [`change_event::handle`].

use change_event::{Config, Deps, handle};
use runtime::{BoxError, Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("change-event").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?);
    runtime::serve_events_until(aws.clock(), |event, deadline| Box::pin(handle(&deps, event, deadline))).await
}
