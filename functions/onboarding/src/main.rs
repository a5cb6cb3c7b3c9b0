//! Lambda entry point: builds the dependencies and serves [`onboarding::router`] and [`onboarding::handle`].

use onboarding::{Config, Deps, handle, router};
use runtime::{BoxError, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("onboarding").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    let router = Guard::open_only().protect(router(deps.clone()));
    runtime::serve_both(aws.clock(), router, |event| Box::pin(handle(&deps, event))).await
}
