//! A deployed Ferry, as an operator reaches it: by the names that the template gives its parts.

use aws_config::BehaviorVersion;
use connecting::disconnect::Disconnect;
use connecting::onboarding::Onboarding;
use runtime::invoke::LambdaFunction;
use runtime::{Aws, TokenBroker};
use salesforce::{Clock, HostPolicy};
use store::dead_letters::max_receive_count;
use store::{Apps, ChangeHint, Connections, DeadLetters, Deliveries, Orgs, Queue};

use crate::cli::Failure;
use crate::dead_letters::QueueName;

/// The parts of one stack. Region, credentials and endpoint come from the environment, as the AWS command line reads it.
pub(crate) struct Stack {
    name: String,
    aws: Aws,
}

impl Stack {
    pub(crate) async fn open(name: &str) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self { name: name.to_owned(), aws: Aws::new(config, Clock::system()) }
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

    pub(crate) fn connections(&self) -> Connections {
        Connections::new(self.aws.dynamodb(), self.table("connections"))
    }

    pub(crate) fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.aws.dynamodb(), self.table("deliveries"))
    }

    /// The queue of changed records.
    pub(crate) async fn hints(&self) -> Result<Queue<ChangeHint>, store::Error> {
        Queue::from_name(self.aws.sqs(), &format!("{}-record-upsert", self.name), self.aws.clock()).await
    }

    pub(crate) async fn dead_letters(&self, queue: QueueName) -> Result<DeadLetters, store::Error> {
        DeadLetters::from_name(self.aws.sqs(), &format!("{}-{}", self.name, queue.dead_letters())).await
    }

    /// How often the queue hands a message out before it gives it up.
    pub(crate) async fn receives_before_death(&self, queue: QueueName) -> Result<Option<u32>, store::Error> {
        match queue.source() {
            Some(source) => max_receive_count(&self.aws.sqs(), &format!("{}-{source}", self.name)).await,
            None => Ok(None),
        }
    }

    pub(crate) fn apps(&self) -> Apps {
        Apps::new(self.aws.secrets_manager(), format!("ferry/{}/apps", self.name), self.aws.clock())
    }

    pub(crate) fn disconnect(&self) -> Disconnect {
        let function = LambdaFunction::new(self.aws.lambda(), format!("{}-token-broker", self.name));
        Disconnect {
            orgs: self.orgs(),
            connections: self.connections(),
            // The operator is given no token, so that no instance URL is ever judged here.
            broker: TokenBroker::new(function, HostPolicy::SalesforceOnly),
            clock: self.aws.clock(),
        }
    }

    pub(crate) fn onboarding(&self) -> Onboarding {
        Onboarding::new(LambdaFunction::new(self.aws.lambda(), format!("{}-onboarding", self.name)))
    }

    fn table(&self, noun: &str) -> String {
        format!("{}-{noun}", self.name)
    }

    /// For `map_err`: what could not be done, and where to look.
    pub(crate) fn unavailable(&self, doing: &'static str) -> impl Fn(store::Error) -> Failure {
        let stack = self.name.clone();
        move |error| {
            let reason = runtime::Chain(&error).to_string();
            // The credential chain reports a line for every provider that it tried.
            let reason = reason.lines().next().unwrap_or_default();
            Failure::Unavailable(format!(
                "cannot {doing} of the stack `{stack}`: {reason}; check --stack, the region and the AWS credentials"
            ))
        }
    }
}
