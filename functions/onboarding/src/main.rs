//! Lambda entry point: builds the real dependencies, then serves [`onboarding::router`] and [`onboarding::handle`].

use onboarding::{Config, Deps, handle, router};
use runtime::{BoxError, Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("onboarding").await?;
    let env = Env::process();
    let deps = Deps::new(&aws, &env, &Config::from_env(&env)?)?;
    runtime::serve_both(aws.clock(), router(deps.clone()), |event| Box::pin(handle(&deps, event))).await
}
