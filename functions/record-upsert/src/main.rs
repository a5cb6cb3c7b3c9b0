//! Lambda entry point: builds the real dependencies, then serves [`record_upsert::handle`].

use record_upsert::fields::FieldCache;
use record_upsert::{Config, Deps, handle};
use runtime::{BoxError, Env, Salesforce};
use store::{Budgets, Deliveries, Records};

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
        clock: aws.clock(),
        fields: FieldCache::default(),
    };
    runtime::serve_events(aws.clock(), |event| Box::pin(handle(&deps, event))).await
}
