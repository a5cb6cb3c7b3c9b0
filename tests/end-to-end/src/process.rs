//! A deployed function as a separate process, which a scenario invokes and kills itself.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aws_sdk_lambda::Client as Lambda;
use bench::RuntimeApi;
use local::stack::{NAME, Stack};
use local::workspace::Workspace;
use local::{Progress, functions};

/// Deletes a function's event source mappings, so that the scenario receives the queue's messages instead of Lambda.
///
/// # Errors
/// The emulator refuses a request.
pub async fn stop_poller(stack: &Stack, function: &str) -> Result<()> {
    let lambda = Lambda::new(stack.sdk_config());
    let mappings = lambda.list_event_source_mappings().function_name(deployed(function)).send().await?;
    for mapping in mappings.event_source_mappings() {
        let id = mapping.uuid().context("an event source mapping has no id")?;
        lambda.delete_event_source_mapping().uuid(id).send().await?;
    }
    Ok(())
}

/// A function's binary, and the environment variables that it is deployed with.
pub struct Binary {
    path: PathBuf,
    environment: Vec<(String, String)>,
}

impl Binary {
    /// Returns the binary of a function of the stack, by the name of its folder.
    ///
    /// # Errors
    /// The function does not exist, or is not deployed.
    pub async fn of(stack: &Stack, function: &str) -> Result<Self> {
        let binaries = functions::build(&Workspace::here(), &Progress::Silent).await?;
        let path = binaries.get(function).with_context(|| format!("the workspace has no {function}"))?.clone();
        let lambda = Lambda::new(stack.sdk_config());
        let configuration = lambda.get_function_configuration().function_name(deployed(function)).send().await?;
        let variables = configuration.environment.and_then(|environment| environment.variables);
        let mut environment: HashMap<String, String> = variables.unwrap_or_default();
        let emulator = [
            ("AWS_ENDPOINT_URL", stack.emulator().endpoint()),
            ("AWS_REGION", local::emulator::REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        environment.extend(emulator.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Self { path, environment: environment.into_iter().collect() })
    }

    /// Returns the same function with another binary, such as an optimized build for measurements.
    #[must_use]
    pub fn built_as(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    /// Returns the same function with another value of an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start(&self) -> Result<RuntimeApi> {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        RuntimeApi::start(&self.path, &environment)
    }
}

fn deployed(function: &str) -> String {
    format!("{NAME}-{function}")
}
