//! Conditional puts, of which only some run at the same time.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use tokio::sync::SemaphorePermit;

use super::{Conditional, Expression, Item, Table, names, values};
use crate::Error;

impl Table {
    /// Puts the item if `when` holds.
    pub(crate) async fn put(
        &self,
        operation: &'static str,
        item: Item,
        when: Expression<'_>,
    ) -> Result<Conditional<()>, Error> {
        let _turn = self.turn().await;
        self.put_now(operation, item, when).await
    }

    /// Waits until a put may be sent, and lets others wait until the turn is dropped.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.puts.acquire().await.ok()
    }

    /// Does the same as [`Self::put`], for a caller whose turn it is.
    pub(crate) async fn put_now(
        &self,
        operation: &'static str,
        item: Item,
        when: Expression<'_>,
    ) -> Result<Conditional<()>, Error> {
        let response = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(when.text)
            .set_expression_attribute_names(names(&[when.text]))
            .set_expression_attribute_values(values(when.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match response {
            Ok(_) => Ok(Conditional::Done(())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(Conditional::Refused(refusal.item.clone()))
                }
                _ => Err(Error::aws(operation)(error)),
            },
        }
    }
}
