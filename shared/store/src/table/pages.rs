//! Rows of a table, read or deleted page by page.

use std::collections::BTreeMap;

use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use super::{Expression, Item, Table, delete_request, names, text, values};
use crate::Error;

/// The rows of one org, or of one record, in a table.
pub(crate) struct Rows {
    /// The attributes of the table's key.
    pub(crate) keys: &'static [&'static str],
    /// The place of the rows in the table.
    pub(crate) place: Place,
}

/// The place of rows in a table.
pub(crate) enum Place {
    /// One partition, or the rows of it for which the expression holds.
    Partition { attribute: &'static str, value: String, only: Option<Expression<'static>> },
    /// The whole table, which is read for it: the rows for which the expression holds.
    Anywhere { only: Expression<'static> },
}

impl Place {
    /// Returns the partition of an org, in a table whose partition key is `org_id`.
    pub(crate) fn of_org(org: OrgId) -> Self {
        Self::Partition { attribute: "org_id", value: org.to_string(), only: None }
    }

    /// Returns the rows of an org in a table whose partition keys begin with the org.
    pub(crate) fn with_prefix(only: &'static str, org: OrgId) -> Self {
        Self::Anywhere { only: Expression { text: only, values: vec![(":org", text(format!("{org}#")))] } }
    }
}

/// The key after which the next page of rows starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageKey(BTreeMap<String, String>);

impl PageKey {
    fn from_item(item: &Item) -> Self {
        let texts = item.iter().filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
        Self(texts.collect())
    }

    fn into_item(self) -> Item {
        self.0.into_iter().map(|(name, value)| (name, text(value))).collect()
    }
}

impl Table {
    /// Returns a page of the rows after a key, and the key of its end; `None` at the end of the rows. A page may be empty.
    /// With `keys_only` the items have only the attributes of the key.
    pub(crate) async fn page(
        &self,
        operation: &'static str,
        rows: Rows,
        after: Option<PageKey>,
        keys_only: bool,
    ) -> Result<(Vec<Item>, Option<PageKey>), Error> {
        let projection =
            keys_only.then(|| rows.keys.iter().map(|key| format!("#{key}")).collect::<Vec<_>>().join(", "));
        let names_of = |only: &str| names(&[only, projection.as_deref().unwrap_or_default()]).unwrap_or_default();
        let after = after.map(PageKey::into_item);
        let (items, last) = match rows.place {
            Place::Partition { attribute, value, only } => {
                let mut query = self.query_partition((attribute, &value)).consistent_read(true).limit(PAGE_ROWS);
                let filter = only.as_ref().map(|only| only.text.to_owned());
                for (placeholder, name) in names_of(filter.as_deref().unwrap_or_default()) {
                    query = query.expression_attribute_names(placeholder, name);
                }
                for (placeholder, value) in only.into_iter().flat_map(|only| only.values) {
                    query = query.expression_attribute_values(placeholder, value);
                }
                let query = query.set_filter_expression(filter).set_projection_expression(projection);
                let page = query.set_exclusive_start_key(after).send().await.map_err(Error::aws(operation))?;
                (page.items, page.last_evaluated_key)
            }
            Place::Anywhere { only } => {
                let scan = self.client.scan().table_name(&self.name).filter_expression(only.text).limit(PAGE_ROWS);
                let scan = scan.set_expression_attribute_names(Some(names_of(only.text)));
                let scan = scan.set_expression_attribute_values(values(only.values));
                let scan = scan.set_projection_expression(projection);
                let page = scan.set_exclusive_start_key(after).send().await.map_err(Error::aws(operation))?;
                (page.items, page.last_evaluated_key)
            }
        };
        Ok((items.unwrap_or_default(), last.as_ref().map(PageKey::from_item)))
    }

    /// Deletes a page of the rows after a key. Returns their number, and the key of the page's end; `None` at the end of
    /// the rows.
    pub(crate) async fn delete_page(
        &self,
        operation: &'static str,
        rows: Rows,
        after: Option<PageKey>,
    ) -> Result<(u64, Option<PageKey>), Error> {
        let (keys, next) = self.page(operation, rows, after, true).await?;
        let count = keys.len() as u64;
        let requests = keys.into_iter().map(|key| delete_request(operation, key)).collect::<Result<_, _>>()?;
        self.write_all(operation, requests).await?;
        Ok((count, next))
    }
}

/// The rows of which one page is chosen.
const PAGE_ROWS: i32 = 500;
