//! Queries, page by page.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::composite::{CompositeRequest, CompositeResponse, MAX_QUERIES, Subrequest};
use crate::soql::GROUP_SIZE;
use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, Soql, soql};

const QUERY: &str = "query records";
const READ: &str = "read the record";

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The rows of this page.
    pub records: Vec<Record>,
    /// The number of rows that the whole query matches.
    pub total_size: u64,
    /// `true` for the last page; exactly then `next` is `None`.
    pub done: bool,
    /// The cursor of the next page.
    pub next: Option<NextPage>,
}

/// A query cursor on Salesforce's side. It can expire at any time (`INVALID_QUERY_LOCATOR`): then query again from a keyset
/// position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NextPage(String);

impl TryFrom<String> for NextPage {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        let safe = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
        if path.starts_with("/services/data/v") && path.contains("/query") && safe && !path.contains("..") {
            Ok(Self(path))
        } else {
            Err(Error::Invalid { what: "query cursor", reason: "is not a path of the query API" })
        }
    }
}

impl From<NextPage> for String {
    fn from(next: NextPage) -> Self {
        next.0
    }
}

impl Client {
    /// Fetches the first page of a query.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the query does not fit into a URL; [`Error::Rejected`] with `INVALID_FIELD`, `QUERY_TIMEOUT`, ...
    pub async fn query(&self, soql: &Soql) -> Result<Page, Error> {
        self.page(&self.query_request(QUERY, "query", soql)).await
    }

    /// Fetches the first page of a query that includes deleted and archived records.
    ///
    /// # Errors
    ///
    /// Those of [`Client::query`].
    pub async fn query_all(&self, soql: &Soql) -> Result<Page, Error> {
        self.page(&self.query_request("query records including deleted ones", "queryAll", soql)).await
    }

    /// Fetches the first pages of several queries, in their order, each with its own error. Costs one call for every 5 queries.
    ///
    /// # Errors
    ///
    /// Those of a whole request.
    pub async fn query_several(&self, queries: &[Soql]) -> Result<Vec<Result<Page, Error>>, Error> {
        self.several("query", queries).await
    }

    /// Does the same as [`Client::query_several`] for queries that include deleted and archived records.
    ///
    /// # Errors
    ///
    /// Those of a whole request.
    pub async fn query_all_several(&self, queries: &[Soql]) -> Result<Vec<Result<Page, Error>>, Error> {
        self.several("queryAll", queries).await
    }

    async fn several(&self, resource: &str, queries: &[Soql]) -> Result<Vec<Result<Page, Error>>, Error> {
        let mut pages = Vec::with_capacity(queries.len());
        for queries in queries.chunks(MAX_QUERIES) {
            let requests = queries.iter().enumerate().map(|query| query_subrequest(resource, query)).collect();
            let responses = self.send_composite(&CompositeRequest { all_or_none: false, requests }).await?;
            pages.extend(responses.into_iter().map(Page::from_subresponse));
        }
        Ok(pages)
    }

    /// Fetches a record with these fields, or with all that the user may see if there are none, and the first pages of at most
    /// [`MAX_QUERIES`] queries, each with its own error, in one call.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more queries; those of the whole request.
    pub async fn record_and_rows(
        &self,
        (object, id): (&ObjectName, RecordId),
        fields: &[FieldName],
        queries: &[Soql],
    ) -> Result<(Result<Record, Error>, Vec<Result<Page, Error>>), Error> {
        if queries.len() > MAX_QUERIES {
            return Err(Error::Invalid { what: "composite request", reason: "has more than 5 queries" });
        }
        let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
        let selection = if names.is_empty() { String::new() } else { format!("?fields={}", names.join(",")) };
        let record = Subrequest {
            method: "GET",
            url: format!("sobjects/{object}/{id}{selection}"),
            reference_id: "record".to_owned(),
            body: None,
        };
        let requests = std::iter::once(record)
            .chain(queries.iter().enumerate().map(|query| query_subrequest("query", query)))
            .collect();
        let responses = self.send_composite(&CompositeRequest { all_or_none: false, requests }).await?;
        let mut responses = responses.into_iter();
        let invalid = |what| Error::InvalidResponse { operation: READ, what };
        let record = responses.next().ok_or_else(|| invalid("no response for the record"))?;
        let record = record.json::<Value>(READ);
        let record = record.and_then(|row| Record::from_json(row).ok_or_else(|| invalid("not a record")));
        Ok((record, responses.map(Page::from_subresponse).collect()))
    }

    /// Fetches the next page.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALID_QUERY_LOCATOR` if the cursor has expired.
    pub async fn query_more(&self, next: &NextPage) -> Result<Page, Error> {
        let request = Request::get("fetch the next page of the query", next.0.clone());
        self.page(&request).await
    }

    /// Returns whether a record exists and is visible to the user. A query proves both, where a 404 proves neither.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn record_exists(&self, object: &ObjectName, id: &RecordId) -> Result<bool, Error> {
        let is_this = soql::eq(&FieldName::ID, id.as_str());
        let found = self.query(&Soql::select(&[FieldName::ID]).from(object).where_(is_this)).await?;
        Ok(!found.records.is_empty())
    }

    /// Returns the number of rows that a [`Soql::count`] matches.
    ///
    /// # Errors
    ///
    /// Those of [`Client::query`].
    pub async fn count(&self, soql: &Soql) -> Result<u64, Error> {
        let response = self.send(&self.query_request("count records", "query", soql)).await?;
        response.json::<Rows>().map(|rows| rows.total_size)
    }

    /// Counts the rows of each group of a [`Soql::count_by`]. Salesforce returns at most 2,000 groups, and refuses more.
    ///
    /// # Errors
    ///
    /// Those of [`Client::query`].
    pub async fn count_groups(&self, soql: &Soql) -> Result<Vec<Group>, Error> {
        let response = self.send(&self.query_request("count records by group", "query", soql)).await?;
        let rows: Rows = response.json()?;
        let groups: Option<Vec<Group>> = rows.records.into_iter().map(Group::from_row).collect();
        groups.filter(|_| rows.done).ok_or(Error::InvalidResponse {
            operation: response.operation,
            what: "rows that are not all groups of the query",
        })
    }

    pub(crate) fn query_request(&self, operation: &'static str, resource: &str, soql: &Soql) -> Request {
        Request::get(operation, self.path(resource)).with_query("q", soql.to_string())
    }

    pub(crate) async fn page(&self, request: &Request) -> Result<Page, Error> {
        let request = request.clone().with_header("sforce-query-options", "batchSize=2000");
        let response = self.send(&request).await?;
        Page::from_rows(response.json()?, response.operation)
    }
}

fn query_subrequest(resource: &str, (position, soql): (usize, &Soql)) -> Subrequest {
    Subrequest {
        method: "GET",
        // Encoded in full: a value such as `@{query0.id}` must not become a reference to another subrequest.
        url: format!("{resource}?q={}", byte_serialize(soql.to_string().as_bytes()).collect::<String>()),
        reference_id: format!("query{position}"),
        body: None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rows {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    records: Vec<Value>,
}

/// A group of rows with equal values of some fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The values of the fields, by field.
    pub values: JsonObject,
    /// The number of rows.
    pub rows: u64,
}

impl Group {
    fn from_row(row: Value) -> Option<Self> {
        let Value::Object(mut values) = row else { return None };
        values.remove("attributes");
        let rows = values.remove(GROUP_SIZE)?.as_u64()?;
        Some(Self { values, rows })
    }
}

impl Page {
    fn from_subresponse(response: CompositeResponse) -> Result<Self, Error> {
        response.json::<Rows>(QUERY).and_then(|rows| Self::from_rows(rows, QUERY))
    }

    /// Builds a page. A page with `done: false` but without a cursor is an error, not the last page.
    fn from_rows(rows: Rows, operation: &'static str) -> Result<Self, Error> {
        let invalid = |what| Error::InvalidResponse { operation, what };
        let next = match (rows.done, rows.next_records_url) {
            (true, _) => None,
            (false, Some(path)) => {
                Some(NextPage::try_from(path).map_err(|_| invalid("a cursor outside the query API"))?)
            }
            (false, None) => return Err(invalid("more rows but no cursor")),
        };
        let records: Option<Vec<_>> = rows.records.into_iter().map(Record::from_json).collect();
        Ok(Self {
            records: records.ok_or_else(|| invalid("a row that is not a record"))?,
            total_size: rows.total_size,
            done: rows.done,
            next,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Result<Page, Error> {
        Page::from_rows(serde_json::from_str(body).unwrap(), QUERY)
    }

    #[test]
    fn a_page_that_is_not_the_last_needs_a_cursor() {
        let short = r#"{"totalSize":3,"done":false,"records":[]}"#;
        assert!(matches!(page(short), Err(Error::InvalidResponse { .. })));
        let elsewhere = r#"{"totalSize":3,"done":false,"nextRecordsUrl":"https://evil.example/query","records":[]}"#;
        assert!(matches!(page(elsewhere), Err(Error::InvalidResponse { .. })));
        let good = r#"{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v59.0/query/0r8xx5R2yF2gs3VASQ-2000","records":[]}"#;
        assert!(page(good).unwrap().next.is_some());
    }

    #[test]
    fn a_cursor_can_be_stored_and_is_checked_again() {
        let path = "/services/data/v66.0/query/01gD0000002HU6KIAW-2000";
        let next = NextPage::try_from(path.to_owned()).unwrap();
        let stored = serde_json::to_string(&next).unwrap();
        assert_eq!(serde_json::from_str::<NextPage>(&stored).unwrap(), next);
        assert!(serde_json::from_str::<NextPage>(r#""/services/data/v66.0/../query""#).is_err());
    }

    #[test]
    fn aggregate_rows_are_rejected() {
        let rows = r#"{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"},"expr0":6}]}"#;
        assert!(matches!(page(rows), Err(Error::InvalidResponse { .. })));
    }
}
