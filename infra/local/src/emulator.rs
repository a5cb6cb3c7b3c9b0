//! ministack, the AWS emulator: installed once, pinned, and never outliving its owner.

mod install;
mod process;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::config::Credentials;
use aws_sdk_s3::config::RequestChecksumCalculation;

pub use install::install;
pub use process::Options;
use process::Process;

use crate::deploy::{self, Deployment};
use crate::template::Template;
use crate::workspace::Workspace;

/// The one region of the emulated account.
pub const REGION: &str = "us-east-1";

/// A running emulator on a loopback port. Dropping it kills it and every function it started.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    sdk: SdkConfig,
}

impl Emulator {
    /// Starts an emulator on a free port, installing it first where that has not been done yet.
    ///
    /// # Errors
    /// When Python is missing or too old, the installation fails, or the emulator does not get healthy.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// As [`Emulator::start`], with a fixed port or a log file that outlives it.
    ///
    /// # Errors
    /// As [`Emulator::start`]; also when the fixed port is taken.
    pub async fn start_with(options: Options) -> Result<Self> {
        let python = install(&Workspace::here()).await?;
        let process = Process::start(&python, options).await?;
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(process.endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "emulator"))
            .load()
            .await;
        Ok(Self { process, sdk })
    }

    /// The base URL of every AWS service, without a trailing slash.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    /// A configuration for AWS SDK clients that talk to this emulator.
    #[must_use]
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Creates the template's tables, named `{prefix}-{noun}` as a stack of that name would.
    ///
    /// # Errors
    /// When the template cannot be read or the emulator refuses it.
    pub async fn create_tables(&self, prefix: &str) -> Result<Tables> {
        self.create_kinds(prefix, &["AWS::DynamoDB::Table"]).await?;
        Ok(Tables { prefix: prefix.to_owned() })
    }

    /// Creates all of the template that holds state: tables, queues, the bus and the app registrations' secret.
    ///
    /// # Errors
    /// When the template cannot be read or the emulator refuses it.
    pub async fn create_state(&self, prefix: &str) -> Result<State> {
        let kinds = ["AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Events::EventBus", "AWS::SecretsManager::Secret"];
        let deployment = self.create_kinds(prefix, &kinds).await?;
        Ok(State { tables: Tables { prefix: prefix.to_owned() }, physical: deployment.resources })
    }

    async fn create_kinds(&self, prefix: &str, kinds: &[&str]) -> Result<Deployment> {
        let template = Template::load(&Workspace::here().template())?.only(kinds);
        deploy::create(&self.sdk, prefix, &template, &[]).await
    }
}

/// The names of tables made by [`Emulator::create_tables`].
#[derive(Clone, Debug)]
pub struct Tables {
    prefix: String,
}

impl Tables {
    /// The table of one noun of the design, for example `orgs` or `records`.
    #[must_use]
    pub fn name(&self, noun: &str) -> String {
        format!("{}-{noun}", self.prefix)
    }
}

/// What [`Emulator::create_state`] made.
#[derive(Clone, Debug)]
pub struct State {
    /// The tables.
    pub tables: Tables,
    physical: BTreeMap<String, String>,
}

impl State {
    /// The URL of a queue, the name of the bus or the id of the secret, by its logical id in the template.
    ///
    /// # Errors
    /// When the template has no such resource.
    pub fn physical(&self, logical_id: &str) -> Result<&str> {
        let id = self.physical.get(logical_id);
        id.map(String::as_str).with_context(|| format!("infra/template.yaml has no {logical_id} among its state"))
    }
}

/// A stack name that no other test uses, so that tests can share one emulator.
#[must_use]
pub fn unique_prefix() -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("t{}", unique.get(..12).unwrap_or(&unique))
}

/// A client that addresses buckets by path, since there is no DNS for them, and does not hash what it sends:
/// in a debug build that takes longer than everything else together.
pub(crate) fn s3(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(sdk)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    aws_sdk_s3::Client::from_conf(config.build())
}
