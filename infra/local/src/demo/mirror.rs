//! Reads the mirror directly from its DynamoDB table, not through Ferry's HTTP API.

use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use crate::stack::Stack;

/// A reader of one org's mirror.
pub(super) struct Mirror {
    client: Client,
    table: String,
    org_id: String,
}

impl Mirror {
    pub(super) fn new(stack: &Stack, org_id: &str) -> Result<Self> {
        let table = stack.output("RecordsTable")?.to_owned();
        Ok(Self { client: Client::new(stack.sdk_config()), table, org_id: org_id.to_owned() })
    }

    /// Counts an object's rows. The mirror of a new org has no tombstones, and a filter for them would take the emulator longer than
    /// anything else in a large backfill.
    pub(super) async fn count(&self, object: &str) -> Result<usize> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_values(":partition", AttributeValue::S(format!("{}#{object}", self.org_id)))
            .select(Select::Count)
            .into_paginator()
            .send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += usize::try_from(page?.count())?;
        }
        Ok(count)
    }

    /// Returns the id of one record of an object.
    pub(super) async fn any_record(&self, object: &str) -> Result<String> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_values(":partition", AttributeValue::S(format!("{}#{object}", self.org_id)))
            .limit(1)
            .send()
            .await?;
        let id = page.items().first().and_then(|item| item.get("record_id")).and_then(|id| id.as_s().ok());
        id.cloned().with_context(|| format!("could not read a record from the mirror: it has no {object}"))
    }
}
