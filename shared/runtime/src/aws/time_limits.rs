//! The time limits of AWS calls.

use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use salesforce::Clock;
use salesforce::deadline::{OutOfTime, TimeLimit};

use crate::BoxError;

/// The limits of the calls to a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwsLimits {
    /// The limit of a call with all attempts of the SDK.
    call: TimeLimit,
    /// The longest time of one attempt.
    attempt: Duration,
}

const CONNECT: Duration = Duration::from_secs(2);

impl AwsLimits {
    /// DynamoDB, Secrets Manager, SQS and EventBridge answer in milliseconds. An attempt that takes seconds is lost, and the SDK
    /// makes another one over a new connection; a call has time for two and a half. A second remains for the response.
    pub(super) const STATE: Self = Self {
        call: TimeLimit {
            longest: Duration::from_secs(8),
            shortest: Duration::from_millis(250),
            reserve: Duration::from_secs(1),
        },
        attempt: Duration::from_secs(3),
    };

    /// An invocation of another function lasts as long as that function, which is 25 seconds for the token broker and the
    /// connection manager. Three seconds remain to store or queue what waits for the answer, and to respond.
    pub(super) const INVOKE: Self = Self {
        call: TimeLimit {
            longest: Duration::from_secs(27),
            shortest: Duration::from_secs(1),
            reserve: Duration::from_secs(3),
        },
        attempt: Duration::from_secs(27),
    };

    fn timeouts(&self, clock: &Clock) -> Result<TimeoutConfig, OutOfTime> {
        let call = self.call.now(clock)?;
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(call);
        Ok(timeouts.operation_attempt_timeout(self.attempt.min(call)).build())
    }
}

/// Sets the timeouts of each call when it begins. A call for which no time is left fails with [`OutOfTime`] and is not sent.
#[derive(Debug)]
pub(super) struct LimitCalls {
    limits: AwsLimits,
    clock: Clock,
}

impl LimitCalls {
    pub(super) fn new(limits: AwsLimits, clock: Clock) -> Self {
        Self { limits, clock }
    }
}

impl Intercept for LimitCalls {
    fn name(&self) -> &'static str {
        "LimitCalls"
    }

    /// Runs before the SDK reads the timeouts of the call.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(self.limits.timeouts(&self.clock)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn fixed_limits_hold_without_an_invocation() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let state = AwsLimits::STATE.timeouts(&clock).unwrap();
        assert_eq!(state.operation_timeout(), Some(Duration::from_secs(8)));
        assert_eq!(state.operation_attempt_timeout(), Some(Duration::from_secs(3)));
        assert_eq!(state.connect_timeout(), Some(CONNECT));
        let invoke = AwsLimits::INVOKE.timeouts(&clock).unwrap();
        assert_eq!(invoke.operation_timeout(), Some(Duration::from_secs(27)));
    }
}
