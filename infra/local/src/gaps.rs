//! Compensates for differences between the emulator and AWS, so that `infra/template.yaml` does not have to.

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TimeToLiveSpecification;
use serde_json::Value;

use crate::template::Template;

/// IAM actions that permit a batch call on AWS, and the action that the emulator requires for that batch call.
const BATCH_ACTIONS: [(&str, &str); 1] = [("sqs:SendMessage", "sqs:SendMessageBatch")];

/// Adds the emulator's batch actions to every policy that permits the single action.
#[must_use]
pub fn allow_batch_actions(mut template: Template) -> Template {
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

/// Removes the alarms on expressions of several metrics, which the emulator rejects. It evaluates no alarm.
#[must_use]
pub fn remove_alarms_on_expressions(mut template: Template) -> Template {
    template.retain(|resource| {
        resource["Type"] != "AWS::CloudWatch::Alarm" || resource["Properties"].get("Metrics").is_none()
    });
    template
}

/// Sets the time to live of the deployed tables, which the emulator's CloudFormation ignores.
///
/// # Errors
/// If a table does not exist.
pub async fn set_time_to_live(sdk: &SdkConfig, stack: &str, template: &Template) -> Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    for (_, table) in template.resources("AWS::DynamoDB::Table") {
        let Some(attribute) = table["TimeToLiveSpecification"]["AttributeName"].as_str() else { continue };
        let name = table["TableName"]["Fn::Sub"]
            .as_str()
            .context("could not set the time to live: a table in the template has no TableName")?;
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
    fn only_alarms_on_expressions_are_removed() {
        let alarm =
            |name: &str, rest: &str| format!("  {name}: {{Type: 'AWS::CloudWatch::Alarm', Properties: {rest}}}\n");
        let text = ["Resources:\n", &alarm("A", "{Metrics: []}"), &alarm("B", "{MetricName: x}"), "  C: {Type: T}\n"];

        let adapted = remove_alarms_on_expressions(Template::parse(&text.concat()).unwrap());

        assert_eq!(adapted.resources("AWS::CloudWatch::Alarm").map(|(name, _)| name).collect::<Vec<_>>(), ["B"]);
        assert_eq!(adapted.resources("T").count(), 1);
    }

    #[test]
    fn permission_to_send_includes_batches() {
        let template = Template::parse("Resources:\n  A: {Action: 'sqs:SendMessage'}\n  B: {Action: ['x:Y', 'sqs:SendMessage']}\n  C: {Action: 'x:Y'}\n").unwrap();

        let adapted = allow_batch_actions(template).to_json();

        let expected = concat!(
            r#"{"Resources":{"A":{"Action":["sqs:SendMessage","sqs:SendMessageBatch"]},"#,
            r#""B":{"Action":["x:Y","sqs:SendMessage","sqs:SendMessageBatch"]},"C":{"Action":"x:Y"}}}"#
        );
        assert_eq!(adapted, expected);
    }
}
