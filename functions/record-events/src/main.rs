//! Lambda entry point: builds the real dependencies, then serves [`record_events::handle`].

use record_events::{Config, Deps, handle};
use runtime::{BoxError, Env};
use store::EventBus;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-events").await?;
    let config = Config::from_env(&Env::process())?;
    let deps = Deps { bus: EventBus::new(aws.eventbridge(), config.event_bus_name) };
    runtime::serve_events(aws.clock(), |event| Box::pin(handle(&deps, event))).await
}
