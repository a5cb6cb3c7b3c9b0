//! Lambda entry point: builds the dependencies and serves [`event_delivery::router`] and [`event_delivery::handle`].

use event_delivery::{Config, Deps, handle, router};
use runtime::{BoxError, CallerRules, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("event-delivery").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    let guard = Guard::new(deps.orgs.clone(), CallerRules::from_env(&Env::process())?);
    let work = |event, deadline| Box::pin(handle(&deps, event, deadline));
    runtime::serve_both_until(aws.clock(), guard.protect(router(deps.clone())), work).await
}
