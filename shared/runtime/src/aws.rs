//! AWS clients, created on first use.

use std::sync::OnceLock;

use aws_config::SdkConfig;
use salesforce::Clock;

/// The AWS configuration of this process and its clients. The SDK reads endpoint, region and credentials from the environment.
pub struct Aws {
    config: SdkConfig,
    clock: Clock,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    secrets_manager: OnceLock<aws_sdk_secretsmanager::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
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
        }
    }

    /// Returns the AWS configuration.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the process's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Returns the client for DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.config)).clone()
    }

    /// Returns the client for Secrets Manager.
    #[must_use]
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        self.secrets_manager.get_or_init(|| aws_sdk_secretsmanager::Client::new(&self.config)).clone()
    }

    /// Returns the client for SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.config)).clone()
    }

    /// Returns the client for Lambda.
    #[must_use]
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        self.lambda.get_or_init(|| aws_sdk_lambda::Client::new(&self.config)).clone()
    }

    /// Returns the client for EventBridge.
    #[must_use]
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| aws_sdk_eventbridge::Client::new(&self.config)).clone()
    }
}
