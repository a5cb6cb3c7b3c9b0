//! The AWS emulators, ministack and moto: each installed once in a pinned version, and ended with the program that started it.

mod install;
mod process;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudformation::config::Credentials;

pub use install::install;
use process::Process;
pub use process::{Options, Program, REGION};

use crate::deploy::{self, Deployment};
use crate::template::Template;
use crate::workspace::Workspace;

/// A running emulator on a loopback port. Dropping it ends its process and every function that it started.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    sdk: SdkConfig,
}

impl Emulator {
    /// Starts an emulator on a free port. Installs it first if necessary.
    ///
    /// # Errors
    /// If Python is missing or too old, the installation fails, or the emulator does not become healthy.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts an emulator with these options. Installs it first if necessary.
    ///
    /// # Errors
    /// As [`Emulator::start`]. Fails also if the port in the options is in use.
    pub async fn start_with(options: Options) -> Result<Self> {
        let python = install(&Workspace::here(), options.program).await?;
        let process = Process::start(&python, options).await?;
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(process.endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "emulator"))
            .load()
            .await;
        Ok(Self { process, sdk })
    }

    /// Returns the base URL of all AWS services, without a trailing slash.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    /// Returns the configuration of AWS SDK clients for this emulator.
    #[must_use]
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Creates the template's tables in a stack named `prefix`, so that they are named `{prefix}-{table}`.
    ///
    /// # Errors
    /// If the template cannot be read or the emulator rejects it.
    pub async fn create_tables(&self, prefix: &str) -> Result<Tables> {
        self.create_resources(prefix, &["AWS::DynamoDB::Table", "AWS::KMS::Key"]).await?;
        Ok(Tables { prefix: prefix.to_owned() })
    }

    /// Creates the template's resources that store data: tables, queues, event buses, the bucket of failed
    /// events and the secret of app registrations.
    ///
    /// # Errors
    /// If the template cannot be read or the emulator rejects it.
    pub async fn create_state(&self, prefix: &str) -> Result<State> {
        let types = [
            "AWS::DynamoDB::Table",
            "AWS::SQS::Queue",
            "AWS::Events::EventBus",
            "AWS::KMS::Key",
            "AWS::S3::Bucket",
            "AWS::SecretsManager::Secret",
        ];
        let deployment = self.create_resources(prefix, &types).await?;
        Ok(State { tables: Tables { prefix: prefix.to_owned() }, physical: deployment.resources })
    }

    async fn create_resources(&self, prefix: &str, types: &[&str]) -> Result<Deployment> {
        let template = Template::load(&Workspace::here().template())?.only(types);
        deploy::create(&self.sdk, prefix, &template, &[]).await
    }
}

/// The tables that [`Emulator::create_tables`] created.
#[derive(Clone, Debug)]
pub struct Tables {
    prefix: String,
}

impl Tables {
    /// Returns the full name of a table, for example of `orgs` or `records`.
    #[must_use]
    pub fn name(&self, table: &str) -> String {
        format!("{}-{table}", self.prefix)
    }
}

/// The resources that [`Emulator::create_state`] created.
#[derive(Clone, Debug)]
pub struct State {
    /// The names of the tables.
    pub tables: Tables,
    physical: BTreeMap<String, String>,
}

impl State {
    /// Returns the physical id of the resource with this logical id: a queue's URL, the name of a bus or a bucket, or a
    /// secret's id.
    ///
    /// # Errors
    /// If the resource was not created.
    pub fn physical(&self, logical_id: &str) -> Result<&str> {
        let id = self.physical.get(logical_id);
        id.map(String::as_str).with_context(|| {
            format!("could not find {logical_id} among the created resources; check infra/template.yaml")
        })
    }
}

/// Returns a random stack name, so that tests can share one emulator.
#[must_use]
pub fn unique_prefix() -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("t{}", unique.get(..12).unwrap_or(&unique))
}
