//! Consistent reads of many items by their keys.

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{Item, Table};
use crate::{Error, batch};

/// The keys of one BatchGetItem call.
pub(crate) const BATCH_KEYS: usize = 100;
const BATCH_ATTEMPTS: u32 = 6;

impl Table {
    /// Returns the items with these keys that exist, in no order. The read is consistent.
    pub(crate) async fn get_many(&self, operation: &'static str, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        let total = keys.len();
        let mut items = Vec::with_capacity(total);
        for keys in keys.chunks(BATCH_KEYS) {
            let mut pending = keys.to_vec();
            for attempt in 0..BATCH_ATTEMPTS {
                let (read, unread) = self.get_batch(operation, pending).await?;
                items.extend(read);
                pending = unread;
                if pending.is_empty() {
                    break;
                }
                tokio::time::sleep(batch::BACKOFF.pause(attempt)).await;
            }
            if !pending.is_empty() {
                return Err(Error::Unfinished { operation, missing: pending.len(), total });
            }
        }
        Ok(items)
    }

    /// Reads up to 100 items, and returns them and the keys of those that DynamoDB did not read: a response has at most 16 MB.
    pub(crate) async fn get_batch(
        &self,
        operation: &'static str,
        keys: Vec<Item>,
    ) -> Result<(Vec<Item>, Vec<Item>), Error> {
        let request = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
        let request = self.client.batch_get_item().request_items(&self.name, request);
        let response = request.send().await.map_err(Error::aws(operation))?;
        let unread = response.unprocessed_keys.unwrap_or_default().into_values().flat_map(|unread| unread.keys);
        Ok((response.responses.unwrap_or_default().into_values().flatten().collect(), unread.collect()))
    }
}
