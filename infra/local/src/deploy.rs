//! A template to a running stack, through a CloudFormation change set as `sam deploy` does it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter, Stack, StackStatus};
use aws_sdk_s3::primitives::ByteStream;

use crate::emulator::s3;
use crate::gaps;
use crate::template::Template;

const CHANGE_SET: &str = "local";
/// CloudFormation takes longer templates from S3 only.
const MAX_BODY_BYTES: usize = 51_200;
const POLL: Duration = Duration::from_millis(50);
const WITHIN: Duration = Duration::from_secs(120);

/// A stack that is up.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Output values by their names.
    pub outputs: BTreeMap<String, String>,
    /// Physical ids by logical ids.
    pub resources: BTreeMap<String, String>,
}

/// Creates the stack and waits until it is complete.
///
/// # Errors
/// When the template is refused or a resource cannot be made; the message names the first one that failed.
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
    create.send().await.context("the template was refused")?;
    tokio::time::timeout(WITHIN, async {
        until_planned(&client, stack).await?;
        client
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(CHANGE_SET)
            .send()
            .await
            .context("the change set could not be executed")?;
        let created = until_created(&client, stack).await?;
        gaps::complete(sdk, stack, template).await?;
        describe(&client, stack, created).await
    })
    .await
    .with_context(|| format!("the stack was not up within {} s", WITHIN.as_secs()))?
}

async fn upload(sdk: &SdkConfig, stack: &str, body: String) -> Result<String> {
    let (bucket, key) = (format!("{stack}-templates"), "template.json");
    let client = s3(sdk);
    client.create_bucket().bucket(&bucket).send().await?;
    client.put_object().bucket(&bucket).key(key).body(ByteStream::from(body.into_bytes())).send().await?;
    let endpoint = sdk.endpoint_url().context("the emulator has no endpoint")?;
    Ok(format!("{endpoint}/{bucket}/{key}"))
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(name).parameter_value(value).build()
}

async fn until_planned(client: &Client, stack: &str) -> Result<()> {
    loop {
        let answer = client.describe_change_set().stack_name(stack).change_set_name(CHANGE_SET).send().await?;
        match answer.status() {
            Some(ChangeSetStatus::CreateComplete) => return Ok(()),
            Some(ChangeSetStatus::Failed) => {
                bail!("the template was refused: {}", answer.status_reason().unwrap_or("no reason given"))
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

async fn until_created(client: &Client, stack: &str) -> Result<Stack> {
    loop {
        let answer = client.describe_stacks().stack_name(stack).send().await?;
        let found = answer.stacks.unwrap_or_default().pop().context("the stack is not there")?;
        match found.stack_status() {
            Some(StackStatus::CreateComplete) => return Ok(found),
            Some(StackStatus::CreateInProgress | StackStatus::ReviewInProgress) => tokio::time::sleep(POLL).await,
            status => bail!("the stack ended in {status:?}: {}", first_failure(client, stack).await),
        }
    }
}

async fn first_failure(client: &Client, stack: &str) -> String {
    let answer = client.describe_stack_events().stack_name(stack).send().await;
    let events = answer.map(|answer| answer.stack_events.unwrap_or_default()).unwrap_or_default();
    let failed = events
        .iter()
        .rev()
        .find(|event| event.resource_status().is_some_and(|status| status.as_str() == "CREATE_FAILED"));
    failed.map_or_else(
        || "no event says why".to_owned(),
        |event| {
            format!(
                "{}: {}",
                event.logical_resource_id().unwrap_or("?"),
                event.resource_status_reason().unwrap_or("no reason given")
            )
        },
    )
}

async fn describe(client: &Client, stack: &str, created: Stack) -> Result<Deployment> {
    let outputs =
        created.outputs.unwrap_or_default().into_iter().filter_map(|output| output.output_key.zip(output.output_value));
    let answer = client.describe_stack_resources().stack_name(stack).send().await?;
    let resources = answer
        .stack_resources
        .unwrap_or_default()
        .into_iter()
        .filter_map(|resource| resource.logical_resource_id.zip(resource.physical_resource_id));
    Ok(Deployment { outputs: outputs.collect(), resources: resources.collect() })
}
