//! AWS clients, created on first use, each with the time limits of its calls.

mod time_limits;

use std::sync::OnceLock;

use aws_config::SdkConfig;
use salesforce::Clock;

use time_limits::{AwsLimits, LimitCalls};

/// The AWS configuration of this process and its clients. The SDK reads endpoint, region and credentials from the environment.
pub struct Aws {
    config: SdkConfig,
    clock: Clock,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    secrets_manager: OnceLock<aws_sdk_secretsmanager::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
}

/// Defines the method that returns the client of a service. No client is made elsewhere, so that none lacks the limits.
macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $sdk:ident, $limits:expr) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> $sdk::Client {
            let client = || {
                let limits = LimitCalls::new($limits, self.clock.clone());
                $sdk::Client::from_conf($sdk::config::Builder::from(&self.config).interceptor(limits).build())
            };
            self.$name.get_or_init(client).clone()
        }
    };
}

impl Aws {
    /// Combines an AWS configuration and a clock.
    #[must_use]
    pub fn new(config: SdkConfig, clock: Clock) -> Self {
        Self {
            config,
            clock,
            dynamodb: OnceLock::new(),
            secrets_manager: OnceLock::new(),
            sqs: OnceLock::new(),
            lambda: OnceLock::new(),
            eventbridge: OnceLock::new(),
            s3: OnceLock::new(),
        }
    }

    /// Returns the process's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    client! {
        /// Returns the client for DynamoDB.
        dynamodb, aws_sdk_dynamodb, AwsLimits::STATE
    }

    client! {
        /// Returns the client for Secrets Manager.
        secrets_manager, aws_sdk_secretsmanager, AwsLimits::STATE
    }

    client! {
        /// Returns the client for SQS.
        sqs, aws_sdk_sqs, AwsLimits::STATE
    }

    client! {
        /// Returns the client for Lambda.
        lambda, aws_sdk_lambda, AwsLimits::INVOKE
    }

    client! {
        /// Returns the client for EventBridge.
        eventbridge, aws_sdk_eventbridge, AwsLimits::STATE
    }

    client! {
        /// Returns the client for S3. The limits hold until the bytes of an object begin.
        s3, aws_sdk_s3, AwsLimits::STATE
    }
}
