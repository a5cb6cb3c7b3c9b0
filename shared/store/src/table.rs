//! A DynamoDB table, with the operations that every table module uses.
//!
//! Expressions write every attribute as `#attribute`, so that reserved words cause no conflict. The name placeholders
//! are filled in here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::{Error, batch};

mod difference;
mod many;
mod ordered;
mod pages;
mod puts;

#[cfg(test)]
pub(crate) use difference::changed;
pub(crate) use many::BATCH_KEYS;
pub(crate) use ordered::{IndexPart, SortKeys};
pub use pages::PageKey;
pub(crate) use pages::{Place, Rows};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A DynamoDB table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
    /// Limits concurrent puts, and so the connections of an execution environment that writes for many orgs at once.
    puts: Arc<Semaphore>,
}

/// The outcome of a conditional write.
#[derive(Debug)]
pub(crate) enum Conditional<T> {
    /// The condition held. The write took effect.
    Done(T),
    /// The condition did not hold, because of this item, or because the item is missing.
    Refused(Option<Item>),
}

/// A condition, and the values that it uses as `:value`.
pub(crate) struct Expression<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: Vec<(&'static str, AttributeValue)>,
}

/// A range of sort keys, both ends included.
pub(crate) struct KeyRange<'a> {
    pub(crate) attribute: &'static str,
    pub(crate) first: &'a str,
    pub(crate) last: &'a str,
}

/// An update of one item.
#[derive(Default)]
pub(crate) struct Update {
    /// Attributes to set.
    pub(crate) set: Vec<(&'static str, AttributeValue)>,
    /// Attributes to set if they are missing.
    pub(crate) set_once: Vec<(&'static str, AttributeValue)>,
    /// Numbers to add.
    pub(crate) add: Vec<(Cow<'static, str>, u64)>,
    /// Texts to add to a set of texts. The set exists as long as it has members.
    pub(crate) join: Option<(&'static str, Vec<String>)>,
    /// Texts to remove from a set of texts.
    pub(crate) leave: Option<(&'static str, Vec<String>)>,
    /// Attributes to remove.
    pub(crate) remove: Vec<&'static str>,
    /// The condition; empty for none.
    pub(crate) when: &'static str,
    pub(crate) values: Vec<(&'static str, AttributeValue)>,
}

impl Update {
    /// Returns the update expression, and the values of both expressions.
    fn render(self) -> (String, Item) {
        let mut values: Item = self.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut value = |name: &str, value| values.insert(format!(":set_{name}"), value);
        let mut set = Vec::new();
        for (name, new) in self.set {
            set.push(format!("#{name} = :set_{name}"));
            value(name, new);
        }
        for (name, new) in self.set_once {
            set.push(format!("#{name} = if_not_exists(#{name}, :set_{name})"));
            value(name, new);
        }
        let mut add = Vec::new();
        for (name, by) in self.add {
            add.push(format!("#{name} :set_{name}"));
            value(&name, number(by));
        }
        if let Some((name, members)) = self.join {
            add.push(format!("#{name} :set_{name}"));
            value(name, AttributeValue::Ss(members));
        }
        let mut delete = Vec::new();
        if let Some((name, members)) = self.leave {
            delete.push(format!("#{name} :set_{name}"));
            value(name, AttributeValue::Ss(members));
        }
        let remove = self.remove.iter().map(|name| format!("#{name}")).collect();
        let clauses = [("SET", set), ("ADD", add), ("REMOVE", remove), ("DELETE", delete)];
        let clauses = clauses.map(|(verb, parts)| clause(verb, &parts));
        (clauses.concat(), values)
    }
}

fn clause(verb: &str, parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("{verb} {} ", parts.join(", ")) }
}

impl Table {
    pub(crate) fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), puts: Arc::new(Semaphore::new(PARALLEL_PUTS)) }
    }

    /// Returns the item with this key. The read is consistent.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        key: Item,
    ) -> Result<Option<T>, Error> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        let response = request.send().await.map_err(Error::aws(operation))?;
        response.item.map(|item| from_item(operation, item)).transpose()
    }

    /// Returns every item of a partition, in the order of the sort key. The read is consistent.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        partition: (&'static str, &str),
    ) -> Result<Vec<T>, Error> {
        collect(operation, self.query_partition(partition).consistent_read(true)).await
    }

    /// Returns the items of a partition within a range of the sort key, in its order. The read is consistent.
    pub(crate) async fn query_range<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        partition: (&'static str, &str),
        range: KeyRange<'_>,
    ) -> Result<Vec<T>, Error> {
        let query = self
            .query_partition(partition)
            .consistent_read(true)
            .key_condition_expression("#partition = :partition AND #sort_key BETWEEN :first AND :last")
            .expression_attribute_names("#sort_key", range.attribute)
            .expression_attribute_values(":first", text(range.first))
            .expression_attribute_values(":last", text(range.last));
        collect(operation, query).await
    }

    /// Returns every item that an index has for a value, in no order. An index lags behind its table by moments.
    pub(crate) async fn query_index<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        index: &'static str,
        partition: (&'static str, &str),
    ) -> Result<Vec<T>, Error> {
        collect(operation, self.query_partition(partition).index_name(index)).await
    }

    /// Returns at most `limit` items that an index has for a value, in its order, and the key after which the next page
    /// begins. An index lags behind its table by moments.
    pub(crate) async fn query_index_page<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        (index, attribute, value): (&'static str, &'static str, &str),
        limit: i32,
        after: Option<Item>,
    ) -> Result<(Vec<T>, Option<Item>), Error> {
        let query =
            self.query_partition((attribute, value)).index_name(index).limit(limit).set_exclusive_start_key(after);
        let page = query.send().await.map_err(Error::aws(operation))?;
        Ok((from_items(operation, page.items.unwrap_or_default())?, page.last_evaluated_key))
    }

    /// Starts a query for a partition.
    pub(crate) fn query_partition(&self, (key, value): (&'static str, &str)) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", key)
            .expression_attribute_values(":partition", text(value))
    }

    /// Updates the item if `when` holds, and returns the new item.
    pub(crate) async fn update(
        &self,
        operation: &'static str,
        key: Item,
        update: Update,
    ) -> Result<Conditional<Item>, Error> {
        let when = update.when;
        let (changes, values) = update.render();
        let response = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(&changes)
            .set_condition_expression((!when.is_empty()).then(|| when.to_owned()))
            .set_expression_attribute_names(names(&[&changes, when]))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match response {
            Ok(response) => Ok(Conditional::Done(response.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(Conditional::Refused(refusal.item.clone()))
                }
                _ => Err(Error::aws(operation)(error)),
            },
        }
    }

    /// Deletes the item if `when` holds, and returns the old item.
    pub(crate) async fn delete(
        &self,
        operation: &'static str,
        key: Item,
        when: Expression<'_>,
    ) -> Result<Conditional<Item>, Error> {
        let response = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression(when.text)
            .set_expression_attribute_names(names(&[when.text]))
            .set_expression_attribute_values(values(when.values))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match response {
            Ok(response) => Ok(Conditional::Done(response.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(Conditional::Refused(None)),
                _ => Err(Error::aws(operation)(error)),
            },
        }
    }

    /// Puts and deletes items without conditions. Unprocessed items are sent again [`BATCH_ATTEMPTS`] times at most.
    pub(crate) async fn write_all(&self, operation: &'static str, mut pending: Vec<WriteRequest>) -> Result<(), Error> {
        let total = pending.len();
        for attempt in 0..BATCH_ATTEMPTS {
            let batches = pending.chunks(BATCH_WRITES).map(<[WriteRequest]>::to_vec).collect::<Vec<_>>();
            let mut responses = stream::iter(batches)
                .map(|batch| self.client.batch_write_item().request_items(&self.name, batch).send())
                .buffer_unordered(PARALLEL_BATCHES);
            let mut unprocessed = Vec::new();
            while let Some(response) = responses.next().await {
                let response = response.map_err(Error::aws(operation))?;
                unprocessed.extend(response.unprocessed_items.unwrap_or_default().into_values().flatten());
            }
            if unprocessed.is_empty() {
                return Ok(());
            }
            pending = unprocessed;
            tokio::time::sleep(batch::BACKOFF.pause(attempt)).await;
        }
        Err(Error::Unfinished { operation, missing: pending.len(), total })
    }
}

async fn collect<T: DeserializeOwned>(operation: &'static str, query: QueryFluentBuilder) -> Result<Vec<T>, Error> {
    let items = query.into_paginator().items().send().try_collect().await.map_err(Error::aws(operation))?;
    from_items(operation, items)
}

pub(crate) fn from_items<T: DeserializeOwned>(operation: &'static str, items: Vec<Item>) -> Result<Vec<T>, Error> {
    items.into_iter().map(|item| from_item(operation, item)).collect()
}

/// The size limit of an item (Developer Guide, "Service, account, and table quotas").
pub(crate) const MAX_ITEM_BYTES: usize = 400 * 1024;
/// The items of one BatchWriteItem call.
const BATCH_WRITES: usize = 25;
const PARALLEL_BATCHES: usize = 4;
const PARALLEL_PUTS: usize = 64;
/// The pauses add up to 3 seconds.
const BATCH_ATTEMPTS: u32 = 6;

/// Returns an item's size as DynamoDB counts it: names and values in UTF-8, and for a number half its digits and one
/// byte (Developer Guide, "DynamoDB item sizes and formats"). Ferry stores strings, numbers and booleans.
pub(crate) fn item_bytes(item: &Item) -> usize {
    let value_bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        _ => 1,
    };
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn key<const N: usize>(parts: [(&str, &str); N]) -> Item {
    parts.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

pub(crate) fn put_request(operation: &'static str, item: Item) -> Result<WriteRequest, Error> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
    Ok(WriteRequest::builder().put_request(put).build())
}

pub(crate) fn delete_request(operation: &'static str, key: Item) -> Result<WriteRequest, Error> {
    let delete = DeleteRequest::builder().set_key(Some(key)).build();
    let delete = delete.map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}

pub(crate) fn to_item<T: Serialize>(operation: &'static str, row: T) -> Result<Item, Error> {
    serde_dynamo::to_item(row).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
}

pub(crate) fn from_item<T: DeserializeOwned>(operation: &'static str, item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
}

fn values(values: Vec<(&'static str, AttributeValue)>) -> Option<Item> {
    let values: Item = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if values.is_empty() { None } else { Some(values) }
}

/// Maps each `#attribute` in the expressions to `attribute`.
fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let mut names = HashMap::new();
    for expression in expressions {
        for part in expression.split('#').skip(1) {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let name = part.get(..end).unwrap_or(part);
            names.insert(format!("#{name}"), name.to_owned());
        }
    }
    if names.is_empty() { None } else { Some(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_names_each_attribute_and_value() {
        let update = Update {
            set: vec![("state", text("active")), ("tenant", text("acme"))],
            set_once: vec![("created_at", text("now"))],
            add: vec![("lease_fence".into(), 1)],
            remove: vec!["reason"],
            join: Some(("waiting", vec!["a".to_owned()])),
            leave: Some(("gone", vec!["b".to_owned()])),
            when: "#tenant = :tenant",
            values: vec![(":tenant", text("acme"))],
        };
        let (changes, values) = update.render();
        let expected = "SET #state = :set_state, #tenant = :set_tenant, \
                        #created_at = if_not_exists(#created_at, :set_created_at) \
                        ADD #lease_fence :set_lease_fence, #waiting :set_waiting REMOVE #reason \
                        DELETE #gone :set_gone ";
        assert_eq!(changes, expected);
        assert_eq!(values.len(), 7);
    }

    #[test]
    fn attribute_names_are_taken_from_the_expressions() {
        let found = names(&["SET #state = :state, #lease_owner = :o", "attribute_exists(#org_id)"]).unwrap();
        let expected = ["state", "lease_owner", "org_id"].map(|name| (format!("#{name}"), name.to_owned()));
        assert_eq!(found, HashMap::from(expected));
        assert_eq!(names(&["attribute_exists(a)"]), None);
    }
}
