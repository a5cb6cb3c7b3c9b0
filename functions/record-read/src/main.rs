//! Lambda entry point: builds the real dependencies, then serves [`record_read::router`].

use std::sync::Arc;

use record_read::{Config, Deps, router};
use runtime::{BoxError, Env, Salesforce};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-read").await?;
    let env = Env::process();
    let salesforce = Salesforce::from_env(&env, &aws)?;
    let deps = Arc::new(Deps::new(&aws, Config::from_env(&env)?, salesforce));
    runtime::serve_http(aws.clock(), router(deps)).await
}
