//! Lambda entry point: builds the dependencies and serves [`record_read::router`].

use record_read::{Config, Deps, router};
use runtime::{BoxError, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-read").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    let guard = Guard::from_env(&aws, &Env::process())?;
    runtime::serve_http(aws.clock(), guard.protect(router(deps))).await
}
