//! SOQL queries, page by page.

use serde::{Deserialize, Serialize};

use crate::{Client, Error, Record, Soql};

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The rows of this page.
    pub records: Vec<Record>,
    /// How many rows the whole query matches.
    pub total_size: u64,
    /// Whether this is the last page; exactly then `next` is `None`.
    pub done: bool,
    /// Where the next page is.
    pub next: Option<NextPage>,
}

/// A cursor on the server. It may die at any time (`INVALID_QUERY_LOCATOR`): start again from a keyset position then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NextPage(String);

impl TryFrom<String> for NextPage {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        let safe = path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
        if path.starts_with("/services/data/v")
            && path.contains("/query")
            && safe
            && !path.contains("..")
        {
            Ok(Self(path))
        } else {
            Err(Error::Invalid {
                what: "query cursor",
                reason: "is not a path of the query API",
            })
        }
    }
}

impl From<NextPage> for String {
    fn from(next: NextPage) -> Self {
        next.0
    }
}

impl Client {
    /// The first page of a query.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] when the query does not fit into a URL; [`Error::Rejected`] with `INVALID_FIELD`, `QUERY_TIMEOUT`, ...
    pub async fn query(&self, soql: &Soql) -> Result<Page, Error> {
        todo!()
    }

    /// The first page of a query that also finds deleted and archived records.
    ///
    /// # Errors
    ///
    /// Those of [`Client::query`].
    pub async fn query_all(&self, soql: &Soql) -> Result<Page, Error> {
        todo!()
    }

    /// The page after another one.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALID_QUERY_LOCATOR` when the cursor is gone.
    pub async fn query_more(&self, next: &NextPage) -> Result<Page, Error> {
        todo!()
    }

    /// How many rows a [`Soql::count`] matches.
    ///
    /// # Errors
    ///
    /// Those of [`Client::query`].
    pub async fn count(&self, soql: &Soql) -> Result<u64, Error> {
        todo!()
    }
}
