//! Lambda entry point: builds the real dependencies, then serves requests and queued writes.

use std::sync::Arc;

use note_write::{NoteWork, router};
use runtime::{BoxError, Env, Salesforce};
use writes::{Config, Deps};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let aws = runtime::start("note-write").await?;
    let env = Env::process();
    let salesforce = Salesforce::from_env(&env, &aws)?;
    let deps = Arc::new(Deps::new(&aws, Config::from_env(&env)?, salesforce));
    let worker = Arc::clone(&deps);
    let work = move |event| {
        let deps = Arc::clone(&worker);
        async move { writes::handle::<NoteWork>(&deps, event).await }
    };
    runtime::serve_both(aws.clock(), router(deps), work).await
}
