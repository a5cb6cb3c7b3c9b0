//! Lambda entry point: builds the dependencies and serves [`record_write::router`] and [`record_write::handle`].

use record_write::{Config, Deps, handle, router};
use runtime::{BoxError, Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-write").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?)?;
    runtime::serve_both(aws.clock(), router(deps.clone()), |event| Box::pin(handle(&deps, event))).await
}
