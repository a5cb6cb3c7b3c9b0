//! A deployed stack: its tables, queues and functions by the names that the template gives them.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use connecting::disconnect::Disconnect;
use connecting::onboarding::Onboarding;
use runtime::invoke::LambdaFunction;
use runtime::{Aws, ConnectionManager};
use salesforce::{Clock, OrgId};
use store::dead_letters::max_receive_count;
use store::{
    Apps, Audits, ChangeHint, Connections, Cursors, DeadLetters, Deliveries, ErasureTask, Erasures, Org, OrgData,
    OrgSettingsTable, Orgs, Queue, RefreshTask,
};

use crate::failure::Failure;
use crate::queue_name::QueueName;

/// The time limits of the calls that [`Aws`] has no client for: an object of the bucket has up to 6 MB.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_mins(1))
        .build()
}

/// Access to one stack, with the AWS region, credentials and endpoint of the environment.
pub(crate) struct Stack {
    name: String,
    sdk: SdkConfig,
    aws: Aws,
}

impl Stack {
    pub(crate) async fn open(name: &str) -> Self {
        let sdk = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts()).load().await;
        Self { name: name.to_owned(), aws: Aws::new(sdk.clone(), Clock::system()), sdk }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn clock(&self) -> Clock {
        self.aws.clock()
    }

    pub(crate) fn orgs(&self) -> Orgs {
        Orgs::new(self.aws.dynamodb(), self.table("orgs"))
    }

    /// Loads an org. An unknown org, or a claim that has expired, is a failure.
    pub(crate) async fn load_org(&self, org: OrgId) -> Result<Org, Failure> {
        let loaded = self.orgs().load(org).await.map_err(|error| self.unavailable(&error))?;
        loaded.filter(|org| !org.has_expired(self.clock().now())).ok_or_else(|| Failure::unknown_org(org))
    }

    pub(crate) fn connections(&self) -> Connections {
        Connections::new(self.aws.dynamodb(), self.table("connections"))
    }

    pub(crate) fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.aws.dynamodb(), self.table("deliveries"))
    }

    pub(crate) fn cursors(&self) -> Cursors {
        Cursors::new(self.aws.dynamodb(), self.table("cursors"))
    }

    pub(crate) fn audits(&self) -> Audits {
        Audits::new(self.aws.dynamodb(), self.table("audits"))
    }

    pub(crate) fn erasures(&self) -> Erasures {
        Erasures::new(self.aws.dynamodb(), self.table("erasures"))
    }

    /// The tables with rows of orgs.
    pub(crate) fn org_data(&self) -> OrgData {
        OrgData::new(&self.aws.dynamodb(), |table| self.table(table.name()))
    }

    /// The queue of `data-erasure`.
    pub(crate) async fn erasure_tasks(&self) -> Result<Queue<ErasureTask>, store::Error> {
        Queue::from_name(self.aws.sqs(), &format!("{}-data-erasure", self.name), self.aws.clock()).await
    }

    /// The queue of `record-upsert`.
    pub(crate) async fn hints(&self) -> Result<Queue<ChangeHint>, store::Error> {
        Queue::from_name(self.aws.sqs(), &format!("{}-record-upsert", self.name), self.aws.clock()).await
    }

    /// The queue of nightly tasks.
    pub(crate) async fn refreshes(&self) -> Result<Queue<RefreshTask>, store::Error> {
        Queue::from_name(self.aws.sqs(), &format!("{}-pipeline-refresh", self.name), self.aws.clock()).await
    }

    pub(crate) async fn dead_letters(&self, queue: QueueName) -> Result<DeadLetters, store::Error> {
        DeadLetters::from_name(self.aws.sqs(), &format!("{}-{}", self.name, queue.dead_letters())).await
    }

    /// Returns the queue's `maxReceiveCount`; `None` if the dead letters do not come from a queue.
    pub(crate) async fn max_receives(&self, queue: QueueName) -> Result<Option<u32>, store::Error> {
        match queue.source() {
            Some(source) => max_receive_count(&self.aws.sqs(), &format!("{}-{source}", self.name)).await,
            None => Ok(None),
        }
    }

    pub(crate) fn apps(&self) -> Apps {
        Apps::new(self.aws.secrets_manager(), format!("ferry/{}/apps", self.name), self.aws.clock())
    }

    pub(crate) fn disconnect(&self) -> Disconnect {
        let function = LambdaFunction::new(self.aws.lambda(), format!("{}-connection-manager", self.name));
        Disconnect {
            orgs: self.orgs(),
            connections: self.connections(),
            connection_manager: ConnectionManager::new(function),
            clock: self.aws.clock(),
        }
    }

    pub(crate) fn onboarding(&self) -> Onboarding {
        Onboarding::new(LambdaFunction::new(self.aws.lambda(), format!("{}-onboarding", self.name)))
    }

    /// The settings of orgs.
    pub(crate) fn settings(&self) -> OrgSettingsTable {
        OrgSettingsTable::new(self.aws.dynamodb(), self.table("org_settings"))
    }

    /// The function that checks and stores settings.
    pub(crate) fn org_admin(&self) -> LambdaFunction {
        LambdaFunction::new(self.aws.lambda(), format!("{}-org-admin", self.name))
    }

    /// The function that publishes events.
    pub(crate) fn record_events(&self) -> LambdaFunction {
        LambdaFunction::new(self.aws.lambda(), format!("{}-record-events", self.name))
    }

    /// Returns the name of a resource that CloudFormation chose, by the resource's logical id.
    pub(crate) async fn physical_name(&self, logical_id: &str) -> Result<String, Failure> {
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.sdk);
        let found = cloudformation.describe_stack_resource().stack_name(&self.name).logical_resource_id(logical_id);
        let found = found.send().await.map_err(|error| {
            unavailable(&format!("could not find the resource {logical_id} of the stack {}", self.name), &error)
        })?;
        let name = found.stack_resource_detail.and_then(|resource| resource.physical_resource_id);
        name.ok_or_else(|| Failure::Unavailable(format!("the stack {} has no resource {logical_id}", self.name)))
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.sdk)
    }

    fn table(&self, noun: &str) -> String {
        format!("{}-{noun}", self.name)
    }

    /// Converts a failed call to AWS, whose text already says which operation failed.
    pub(crate) fn unavailable(&self, error: &store::Error) -> Failure {
        let reason = runtime::Chain(error).to_string();
        // The credential chain reports a line for every provider that it tried.
        let reason = reason.lines().next().unwrap_or_default();
        Failure::Unavailable(format!(
            "{reason}; check --stack (`{}`), the AWS region and the AWS credentials",
            self.name
        ))
    }
}

/// Converts a failed call to AWS that does not go through the store.
pub(crate) fn unavailable(operation: &str, error: &dyn std::error::Error) -> Failure {
    let reason = runtime::Chain(error).to_string();
    // The credential chain reports a line for every provider that it tried.
    let reason = reason.lines().next().unwrap_or_default();
    Failure::Unavailable(format!("{operation}: {reason}; check --stack, the AWS region and the AWS credentials"))
}
