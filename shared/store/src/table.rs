//! One DynamoDB table, and the few things that every table module does with it.

use aws_sdk_dynamodb::Client;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(crate) fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}
