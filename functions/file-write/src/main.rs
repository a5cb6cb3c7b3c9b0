//! Lambda entry point: builds the dependencies and serves [`file_write::router`] and [`file_write::handle`].

use file_write::{Config, Deps, handle, router};
use runtime::{BoxError, CallerRules, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("file-write").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    let guard = Guard::new(deps.ledger.orgs.clone(), CallerRules::from_env(&Env::process())?);
    let router = guard.protect(router(deps.clone()));
    runtime::serve_both(aws.clock(), router, |event| Box::pin(handle(&deps, event))).await
}
