//! Lambda entry point: builds the real dependencies, then serves [`pipeline_refresh::handle`].

use mirroring::FieldCache;
use pipeline_refresh::{Config, Deps, handle};
use runtime::{BoxError, Env, Salesforce};
use store::{Budgets, Connections, Cursors, Orgs, Pipelines, Queue, Records};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("pipeline-refresh").await?;
    let env = Env::process();
    let config = Config::from_env(&env)?;
    let deps = Deps {
        salesforce: Salesforce::from_env(&env, &aws)?,
        orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
        connections: Connections::new(aws.dynamodb(), config.connections_table),
        cursors: Cursors::new(aws.dynamodb(), config.cursors_table),
        records: Records::new(aws.dynamodb(), config.records_table),
        pipelines: Pipelines::new(aws.dynamodb(), config.pipelines_table),
        budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
        tasks: Queue::new(aws.sqs(), config.pipeline_refresh_queue_url, aws.clock()),
        mirrored_objects: config.mirrored_objects,
        fields: FieldCache::new(config.mirrored_fields),
        clock: aws.clock(),
    };
    runtime::serve_events_until(aws.clock(), |event, deadline| Box::pin(handle(&deps, event, deadline))).await
}
