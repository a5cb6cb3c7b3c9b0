//! Live reads of Salesforce through one connection.

use std::collections::HashSet;

use runtime::record_api_calls;
use salesforce::{Client, FieldName, ObjectDescribe, ObjectName, ObjectSummary, OrgId, Record, RecordId};
use store::owner_policy::choose_reader;
use store::{Lane, OrgState, PlatformUser};

use crate::filter::{OPPORTUNITY, OpportunityFilter};
use crate::mirror::List;
use crate::{Deps, Error};

/// The fields of a listed opportunity, where the rep may see them.
const LISTED: [&str; 15] = [
    "Id",
    "Name",
    "AccountId",
    "OwnerId",
    "RecordTypeId",
    "StageName",
    "Amount",
    "CurrencyIsoCode",
    "Probability",
    "ForecastCategoryName",
    "CloseDate",
    "IsClosed",
    "IsWon",
    "LastModifiedDate",
    "SystemModstamp",
];

/// A connection's view of its org.
pub(crate) struct Live<'a> {
    deps: &'a Deps,
    org: OrgId,
    client: Client,
}

impl<'a> Live<'a> {
    /// Opens the rep's connection, or the team's without an acting user. A rep never reads through the team's connection.
    pub(crate) async fn open(deps: &'a Deps, org: OrgId, platform_user: Option<&PlatformUser>) -> Result<Self, Error> {
        match deps.orgs.load(org).await?.map(|org| org.state) {
            Some(OrgState::Active) => {}
            Some(state) => return Err(Error::OrgNotActive(state)),
            None => return Err(Error::NotFound("org")),
        }
        let reader = choose_reader(&deps.connections, org, platform_user).await?.map_err(Error::NoRoute)?;
        Ok(Self { deps, org, client: deps.salesforce.client(org, &reader) })
    }

    /// Fetches a record with all fields that the user may see. Their names are sent in a body, because those of a large object
    /// do not fit into a URL.
    pub(crate) async fn record(&self, object: &ObjectName, id: RecordId) -> Result<Record, Error> {
        let fields = readable(&self.describe(object).await?);
        let records = self.client.retrieve(object, &[id], &fields).await;
        self.count().await;
        records?.pop().flatten().ok_or(Error::NotFound("record"))
    }

    /// Fetches a page of opportunities.
    pub(crate) async fn opportunities(&self, filter: &OpportunityFilter) -> Result<List<Record>, Error> {
        let describe = self.describe(&OPPORTUNITY).await?;
        let page = self.client.query(&filter.soql(&listed(&describe))).await;
        self.count().await;
        Ok(page_of(page?.records, filter.limit))
    }

    /// Fetches all objects that the user may see.
    pub(crate) async fn objects(&self) -> Result<Vec<ObjectSummary>, Error> {
        let objects = self.client.describe_global().await;
        self.count().await;
        Ok(objects?)
    }

    /// Fetches an object's fields that the user may see.
    pub(crate) async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        let describe = self.client.describe(object).await;
        self.count().await;
        match describe {
            Err(error) if error.is_hidden() => Err(Error::NotFound("object")),
            describe => Ok(describe?),
        }
    }

    /// Adds the calls to the org's budget. A failure is only logged.
    async fn count(&self) {
        record_api_calls(&self.deps.budgets, self.org, Lane::Interactive, &self.client, &self.deps.clock).await;
    }
}

/// Returns the fields with values of their own: compound fields repeat others, and files are not part of a record.
fn readable(describe: &ObjectDescribe) -> Vec<FieldName> {
    let holds_values = |kind: &str| !["address", "location", "base64"].contains(&kind);
    let fields = describe.fields.iter().filter(|field| holds_values(&field.field_type));
    fields.map(|field| field.name.clone()).collect()
}

fn listed(describe: &ObjectDescribe) -> Vec<FieldName> {
    let seen: HashSet<&str> = describe.fields.iter().map(|field| field.name.as_str()).collect();
    LISTED.into_iter().filter(|name| seen.contains(name)).map(FieldName::from_static).collect()
}

/// Returns the page without the extra row of the query, and the start of the next page.
fn page_of(mut rows: Vec<Record>, limit: u16) -> List<Record> {
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let next = rows.last().filter(|_| more).map(|row| row.id);
    List { rows, next }
}

#[cfg(test)]
mod tests {
    use salesforce::JsonObject;

    use super::*;

    fn rows(count: usize) -> Vec<Record> {
        let id = |number| format!("006000000000{number:03}").parse().unwrap();
        (0..count).map(|n| Record { object: OPPORTUNITY, id: id(n), fields: JsonObject::new() }).collect()
    }

    #[test]
    fn one_row_too_many_means_another_page() {
        let list = page_of(rows(3), 2);
        assert_eq!(list.rows.len(), 2);
        assert_eq!(list.next, Some(list.rows[1].id));
    }

    #[test]
    fn a_page_that_holds_all_rows_is_the_last() {
        assert_eq!(page_of(rows(2), 2).next, None);
        assert_eq!(page_of(rows(0), 2).next, None);
    }
}
