//! Lambda entry point: builds the dependencies and serves [`org_admin::router`].

use org_admin::{Config, Deps, operate, router};
use runtime::{BoxError, CallerRules, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("org-admin").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    let guard = Guard::new(deps.orgs.clone(), CallerRules::from_env(&Env::process())?);
    let work = |event| Box::pin(operate(&deps, event));
    runtime::serve_both(aws.clock(), guard.protect(router(deps.clone())), work).await
}
