//! Lambda entry point: builds the dependencies and serves [`outbound_message::router`].

use outbound_message::{Config, Deps, router};
use runtime::{BoxError, Env, Guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("outbound-message").await?;
    let deps = Deps::new(&aws, Config::from_env(&Env::process())?);
    runtime::serve_http(aws.clock(), Guard::open_only().protect(router(deps))).await
}
