//! Where the emulator differs from AWS, and what makes up for it. The template is never changed for the emulator's sake.

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TimeToLiveSpecification;
use serde_json::Value;

use crate::template::Template;

/// AWS has no action of its own for these batch calls; the emulator asks for one.
const BATCH_ACTIONS: [(&str, &str); 1] = [("sqs:SendMessage", "sqs:SendMessageBatch")];

/// The template as the emulator has to see it.
#[must_use]
pub fn adapt(mut template: Template) -> Template {
    template.for_each_value("Action", &mut |action| {
        for (single, batch) in BATCH_ACTIONS {
            if *action == *single {
                *action = serde_json::json!([single, batch]);
            } else if let Value::Array(actions) = action
                && actions.iter().any(|action| action == single)
            {
                actions.push(batch.into());
            }
        }
    });
    template
}

/// Sets what the emulator drops from a deployed template: the tables' time to live.
///
/// # Errors
/// When a table is not there.
pub async fn complete(sdk: &SdkConfig, stack: &str, template: &Template) -> Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    for (_, table) in template.resources("AWS::DynamoDB::Table") {
        let Some(attribute) = table["TimeToLiveSpecification"]["AttributeName"].as_str() else { continue };
        let name = table["TableName"]["Fn::Sub"].as_str().context("a table of the template has no name")?;
        let name = name.replace("${AWS::StackName}", stack);
        let setting = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build()?;
        dynamodb.update_time_to_live().table_name(name).time_to_live_specification(setting).send().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_send_may_send_batches() {
        let template = Template::parse("Resources:\n  A: {Action: 'sqs:SendMessage'}\n  B: {Action: ['x:Y', 'sqs:SendMessage']}\n  C: {Action: 'x:Y'}\n").unwrap();

        let adapted = adapt(template).to_json();

        let expected = concat!(
            r#"{"Resources":{"A":{"Action":["sqs:SendMessage","sqs:SendMessageBatch"]},"#,
            r#""B":{"Action":["x:Y","sqs:SendMessage","sqs:SendMessageBatch"]},"C":{"Action":"x:Y"}}}"#
        );
        assert_eq!(adapted, expected);
    }
}
