//! The start of every `main`.

use aws_config::BehaviorVersion;
use salesforce::Clock;
use tracing_subscriber::EnvFilter;

use crate::report::FUNCTION;
use crate::{Aws, BoxError, Env};

/// Sets up logging (JSON on standard output, at `LOG_LEVEL` or `info`) and the AWS clients. `function` is the name in the
/// closing log line of each invocation.
///
/// # Errors
/// `LOG_LEVEL` is not a valid filter, or logging was set up before.
pub async fn start(function: &'static str) -> Result<Aws, BoxError> {
    let level = Env::process().parsed_or("LOG_LEVEL", EnvFilter::new("info"))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(level)
        .with_target(false)
        .try_init()?;
    let aws = Aws::new(aws_config::load_defaults(BehaviorVersion::latest()).await, Clock::system());
    FUNCTION.get_or_init(|| function);
    Ok(aws)
}
