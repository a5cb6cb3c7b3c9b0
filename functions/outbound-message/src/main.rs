//! Lambda entry point: builds the real dependencies, then serves [`outbound_message::router`].

use outbound_message::{Config, Deps, KnownOrgs, router};
use runtime::{BoxError, Env};
use store::{Orgs, Queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("outbound-message").await?;
    let config = Config::from_env(&Env::process())?;
    let deps = Deps {
        orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
        known_orgs: KnownOrgs::default(),
        hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
        client: config.client,
        clock: aws.clock(),
    };
    runtime::serve_http(aws.clock(), router(deps)).await
}
