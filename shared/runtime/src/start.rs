//! The start of every `main`.

use aws_config::BehaviorVersion;
use salesforce::Clock;
use tracing_subscriber::EnvFilter;

use crate::closing_line::FUNCTION;
use crate::{Aws, BoxError, Env};

/// Sets up logging (JSON on standard output, at `LOG_LEVEL` or `info`) and the AWS clients.
///
/// The closing log line of each invocation has the name under which the function is deployed (`AWS_LAMBDA_FUNCTION_NAME`,
/// which Lambda sets), because stacks share CloudWatch's metrics. Outside Lambda it has `function`.
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
    let deployed = Env::process().optional("AWS_LAMBDA_FUNCTION_NAME");
    FUNCTION.get_or_init(|| deployed.unwrap_or_else(|| function.to_owned()));
    Ok(aws)
}
