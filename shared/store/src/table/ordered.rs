//! Pages of an index in the order of its sort key.

use super::{Item, Table, text};
use crate::Error;

/// A part of an index.
pub(crate) struct IndexPart<'a> {
    pub(crate) index: &'static str,
    /// The attribute of the partition key, and its value.
    pub(crate) partition: (&'static str, &'a str),
    pub(crate) sort_key: SortKeys,
    /// The number of items of a page.
    pub(crate) limit: u16,
}

/// The range of an index's sort key, which is the attribute `changed`, and its direction.
pub(crate) enum SortKeys {
    /// Ascending, both ends included.
    Between(String, String),
    /// Descending, from before this key or from the end.
    Before(Option<String>),
}

impl Table {
    /// Returns a page of an index, and whether more items follow. An index lags behind its table by moments.
    pub(crate) async fn query_index_part(
        &self,
        operation: &'static str,
        part: IndexPart<'_>,
    ) -> Result<(Vec<Item>, bool), Error> {
        let query = self.query_partition(part.partition).index_name(part.index).limit(i32::from(part.limit.max(1)));
        let query = match part.sort_key {
            SortKeys::Between(first, last) => query
                .key_condition_expression("#partition = :partition AND #changed BETWEEN :first AND :last")
                .expression_attribute_names("#changed", "changed")
                .expression_attribute_values(":first", text(first))
                .expression_attribute_values(":last", text(last)),
            SortKeys::Before(None) => query.scan_index_forward(false),
            SortKeys::Before(Some(key)) => query
                .scan_index_forward(false)
                .key_condition_expression("#partition = :partition AND #changed < :key")
                .expression_attribute_names("#changed", "changed")
                .expression_attribute_values(":key", text(key)),
        };
        let page = query.send().await.map_err(Error::aws(operation))?;
        let more = page.last_evaluated_key.is_some();
        Ok((page.items.unwrap_or_default(), more))
    }
}
