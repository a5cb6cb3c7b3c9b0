//! Lambda entry point: builds the real dependencies, then serves [`record_upsert::handle`].

use mirroring::FieldCache;
use record_upsert::back_off::BackOff;
use record_upsert::{Config, Deps, handle};
use runtime::{BoxError, Env, Salesforce};
use store::{Budgets, Deliveries, Queue, Records};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("record-upsert").await?;
    let env = Env::process();
    let config = Config::from_env(&env)?;
    let deps = Deps {
        salesforce: Salesforce::from_env(&env, &aws)?,
        records: Records::new(aws.dynamodb(), config.records_table),
        deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table),
        budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
        hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
        dead_letters: Queue::new(aws.sqs(), config.dead_letters_queue_url, aws.clock()),
        clock: aws.clock(),
        fields: FieldCache::new(config.mirrored_fields),
        back_off: BackOff::default(),
    };
    runtime::serve_events_until(aws.clock(), |event, deadline| Box::pin(handle(&deps, event, deadline))).await
}
