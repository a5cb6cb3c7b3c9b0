//! Creates a CloudFormation stack from a template, through a change set as `sam deploy` does.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter, Stack, StackStatus};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;

use crate::gaps;
use crate::template::Template;

const CHANGE_SET: &str = "local";
const NO_REASON: &str = "CloudFormation returned no reason";
/// The size above which CloudFormation reads a template from S3 only.
const MAX_BODY_BYTES: usize = 51_200;
/// The pause between two requests for the state of a change set or stack.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The time limit for planning and creating a stack.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A created stack.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Output values by output name.
    pub outputs: BTreeMap<String, String>,
    /// Physical ids of the resources by logical id.
    pub resources: BTreeMap<String, String>,
}

/// Creates a stack and waits until it is complete.
///
/// # Errors
/// If the template is rejected, or a resource cannot be created. The message names the first resource that failed.
pub async fn create(
    sdk: &SdkConfig,
    stack: &str,
    template: &Template,
    parameters: &[(&str, &str)],
) -> Result<Deployment> {
    let client = Client::new(sdk);
    let body = template.to_json();
    let create = client
        .create_change_set()
        .stack_name(stack)
        .change_set_name(CHANGE_SET)
        .change_set_type(ChangeSetType::Create)
        .capabilities(Capability::CapabilityNamedIam)
        .capabilities(Capability::CapabilityAutoExpand)
        .set_parameters(Some(parameters.iter().map(|(name, value)| parameter(name, value)).collect()));
    let create = match body.len() {
        ..=MAX_BODY_BYTES => create.template_body(body),
        _ => create.template_url(upload(sdk, stack, body).await?),
    };
    create.send().await.context("could not create the change set")?;
    tokio::time::timeout(TIMEOUT, async {
        wait_for_change_set(&client, stack).await?;
        client
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(CHANGE_SET)
            .send()
            .await
            .context("could not execute the change set")?;
        let created = wait_for_stack(&client, stack).await?;
        gaps::set_time_to_live(sdk, stack, template).await?;
        describe(&client, stack, created).await
    })
    .await
    .with_context(|| format!("could not create the stack within {} s", TIMEOUT.as_secs()))?
}

/// Uploads a template to a bucket of its own, and returns its URL.
async fn upload(sdk: &SdkConfig, stack: &str, body: String) -> Result<String> {
    let (bucket, key) = (format!("{stack}-templates"), "template.json");
    let client = s3_client(sdk);
    client.create_bucket().bucket(&bucket).send().await?;
    client.put_object().bucket(&bucket).key(key).body(ByteStream::from(body.into_bytes())).send().await?;
    let endpoint = sdk.endpoint_url().context("could not upload the template: no endpoint URL is configured")?;
    Ok(format!("{endpoint}/{bucket}/{key}"))
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(name).parameter_value(value).build()
}

async fn wait_for_change_set(client: &Client, stack: &str) -> Result<()> {
    loop {
        let change_set = client.describe_change_set().stack_name(stack).change_set_name(CHANGE_SET).send().await?;
        match change_set.status() {
            Some(ChangeSetStatus::CreateComplete) => return Ok(()),
            Some(ChangeSetStatus::Failed) => {
                bail!("could not create the change set: {}", change_set.status_reason().unwrap_or(NO_REASON))
            }
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

async fn wait_for_stack(client: &Client, stack: &str) -> Result<Stack> {
    loop {
        let stacks = client.describe_stacks().stack_name(stack).send().await?.stacks.unwrap_or_default();
        let found = stacks.into_iter().next_back().context("could not describe the stack: it does not exist")?;
        match found.stack_status() {
            Some(StackStatus::CreateComplete) => return Ok(found),
            Some(StackStatus::CreateInProgress | StackStatus::ReviewInProgress) => {
                tokio::time::sleep(POLL_INTERVAL).await
            }
            status => {
                let status = status.map_or("UNKNOWN", StackStatus::as_str);
                bail!("could not create the stack: {} (state {status})", first_failure(client, stack).await)
            }
        }
    }
}

/// Returns the first resource that could not be created, and the reason.
async fn first_failure(client: &Client, stack: &str) -> String {
    let response = client.describe_stack_events().stack_name(stack).send().await;
    let events = response.map(|response| response.stack_events.unwrap_or_default()).unwrap_or_default();
    // CloudFormation returns the newest event first.
    let failed = events
        .iter()
        .rev()
        .find(|event| event.resource_status().is_some_and(|status| status.as_str() == "CREATE_FAILED"));
    failed.map_or_else(
        || "no stack event names a reason".to_owned(),
        |event| {
            format!(
                "{}: {}",
                event.logical_resource_id().unwrap_or("?"),
                event.resource_status_reason().unwrap_or(NO_REASON)
            )
        },
    )
}

async fn describe(client: &Client, stack: &str, created: Stack) -> Result<Deployment> {
    let outputs =
        created.outputs.unwrap_or_default().into_iter().filter_map(|output| output.output_key.zip(output.output_value));
    let response = client.describe_stack_resources().stack_name(stack).send().await?;
    let resources = response
        .stack_resources
        .unwrap_or_default()
        .into_iter()
        .filter_map(|resource| resource.logical_resource_id.zip(resource.physical_resource_id));
    Ok(Deployment { outputs: outputs.collect(), resources: resources.collect() })
}

/// Returns an S3 client for the emulator.
///
/// It addresses buckets by path, because their names do not resolve in DNS. It computes no checksums: in a debug build that takes
/// longer than everything else together.
pub(crate) fn s3_client(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(sdk)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    aws_sdk_s3::Client::from_conf(config.build())
}
