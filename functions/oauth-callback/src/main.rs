//! Lambda entry point: builds the real dependencies, then serves [`oauth_callback::router`].

use oauth_callback::{Config, Deps, router};
use runtime::{BoxError, Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("oauth-callback").await?;
    let config = Config::from_env(&Env::process())?;
    let deps = Deps::new(&aws, config);
    runtime::serve_http(aws.clock(), router(deps)).await
}
