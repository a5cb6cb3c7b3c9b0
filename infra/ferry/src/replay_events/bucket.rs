//! The bucket of failed batches.
//!
//! Lambda names an object `aws/lambda/<event source mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>` (AWS Lambda
//! Developer Guide, "Retain discarded records for a DynamoDB event source"). A shard's name begins with the time of its
//! creation, and S3 lists keys in the order of their bytes. So the batches of a stream are listed in the stream's order.

use aws_sdk_s3::Client;

use crate::failure::Failure;
use crate::stack::{Stack, unavailable};

/// The prefix of the keys of failed batches.
const PREFIX: &str = "aws/lambda/";

/// The bucket `FailedEvents` of a stack.
pub(crate) struct FailedEvents {
    client: Client,
    name: String,
}

impl FailedEvents {
    /// Finds the bucket.
    pub(crate) async fn of(stack: &Stack) -> Result<Self, Failure> {
        Ok(Self { client: stack.s3(), name: stack.physical_name("FailedEvents").await? })
    }

    /// Returns the keys of all failed batches, in the order in which they are published.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Failure> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(PREFIX).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("list", &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Loads a batch; `None` if it was deleted since it was listed.
    pub(crate) async fn load(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let object = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(self.failed("load", &error)),
        };
        let bytes = object.body.collect().await.map_err(|error| self.failed("load", &error))?;
        Ok(Some(bytes.to_vec()))
    }

    /// Deletes a batch. Deleting it again does no harm.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Failure> {
        let deleted = self.client.delete_object().bucket(&self.name).key(key).send().await;
        deleted.map(drop).map_err(|error| self.failed("delete", &error))
    }

    fn failed(&self, operation: &str, error: &dyn std::error::Error) -> Failure {
        unavailable(&format!("could not {operation} failed batches in the bucket {}", self.name), error)
    }
}
