//! Live reads of Salesforce through one connection.

use runtime::record_api_calls;
use salesforce::{
    Client, FieldName, ObjectDescribe, ObjectName, ObjectSummary, OrgId, Page, Record, RecordId, Soql, Sosl,
};
use store::owner_policy::choose_reader;
use store::{ConnectionId, Lane, Org, OrgState, PlatformUser};

use crate::filter::{OPPORTUNITY, OpportunityFilter};
use crate::mirror::List;
use crate::schema::Schema;
use crate::{Deps, Error};

/// The fields of an opportunity in a list, if the user may see them.
const LIST_FIELDS: [&str; 15] = [
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

/// Reads an org through one connection.
pub(crate) struct LiveReader<'a> {
    deps: &'a Deps,
    org: OrgId,
    connection: ConnectionId,
    client: Client,
}

/// The pages of several queries, in their order, each with its own error.
pub(crate) type Pages = Vec<Result<Page, salesforce::Error>>;

impl<'a> LiveReader<'a> {
    /// Chooses the acting user's connection, or the team's without one. A rep never reads through the team's connection.
    pub(crate) async fn open(deps: &'a Deps, org: &Org, platform_user: Option<&PlatformUser>) -> Result<Self, Error> {
        if org.state != OrgState::Active {
            return Err(Error::OrgNotActive(org.state));
        }
        let org = org.org_id;
        let reader = choose_reader(&deps.connections, org, platform_user).await?.map_err(Error::NoRoute)?;
        Ok(Self { deps, org, client: deps.salesforce.client(org, &reader), connection: reader })
    }

    /// Returns these objects as the user sees them. Costs no call while they are remembered, otherwise one, or two if an object
    /// is hidden.
    pub(crate) async fn schema(&self, objects: &[ObjectName]) -> Result<Schema, Error> {
        let key = (self.org, &self.connection);
        let (mut schema, unknown) = self.deps.schemas.get(key, objects, self.deps.clock.now());
        if !unknown.is_empty() {
            let now = self.deps.clock.now();
            let described = self.client.find_objects(&unknown).await;
            self.count_calls().await;
            self.deps.schemas.insert(key, unknown.into_iter().zip(described?), now, &mut schema);
        }
        Ok(schema)
    }

    /// Sends the queries that `plan` makes of the schema, in one call for every 5. If one is refused because a field or an
    /// object has changed since it was described, plans and sends them once more with a fresh schema.
    pub(crate) async fn query(
        &self,
        objects: &[ObjectName],
        plan: impl Fn(&Schema) -> Result<Vec<Soql>, Error>,
    ) -> Result<(Schema, Pages), Error> {
        let (schema, pages) = self.query_once(objects, &plan).await?;
        if !pages.iter().any(|page| page.as_ref().is_err_and(is_outdated)) {
            return Ok((schema, pages));
        }
        self.deps.schemas.forget((self.org, &self.connection), objects);
        self.query_once(objects, &plan).await
    }

    async fn query_once(
        &self,
        objects: &[ObjectName],
        plan: &impl Fn(&Schema) -> Result<Vec<Soql>, Error>,
    ) -> Result<(Schema, Pages), Error> {
        let schema = self.schema(objects).await?;
        let queries = plan(&schema)?;
        let pages = self.client.query_several(&queries).await;
        self.count_calls().await;
        Ok((schema, pages?))
    }

    /// Sends the search that `plan` makes of the schema; `None` finds nothing, without a call. Plans once more as
    /// [`LiveReader::query`] does.
    pub(crate) async fn search(
        &self,
        objects: &[ObjectName],
        plan: impl Fn(&Schema) -> Result<Option<Sosl>, Error>,
    ) -> Result<(Schema, Vec<Record>), Error> {
        match self.search_once(objects, &plan).await {
            Err(Error::Salesforce(error)) if is_outdated(&error) => {
                self.deps.schemas.forget((self.org, &self.connection), objects);
                self.search_once(objects, &plan).await
            }
            found => found,
        }
    }

    async fn search_once(
        &self,
        objects: &[ObjectName],
        plan: &impl Fn(&Schema) -> Result<Option<Sosl>, Error>,
    ) -> Result<(Schema, Vec<Record>), Error> {
        let schema = self.schema(objects).await?;
        let Some(search) = plan(&schema)? else { return Ok((schema, Vec::new())) };
        let records = self.client.search(&search).await;
        self.count_calls().await;
        Ok((schema, records?))
    }

    /// Fetches a record with all fields that the user may see. The names of the fields are sent in a body, because those of a
    /// large object do not fit into a URL.
    pub(crate) async fn record(&self, object: &ObjectName, id: RecordId) -> Result<Record, Error> {
        let objects = std::slice::from_ref(object);
        let mut record = self.retrieve(object, id).await;
        if let Err(Error::Salesforce(error)) = &record
            && error.has_code("INVALID_FIELD")
        {
            self.deps.schemas.forget((self.org, &self.connection), objects);
            record = self.retrieve(object, id).await;
        }
        record
    }

    async fn retrieve(&self, object: &ObjectName, id: RecordId) -> Result<Record, Error> {
        let schema = self.schema(std::slice::from_ref(object)).await?;
        let describe = schema.object(object).ok_or_else(|| Error::ObjectHidden(object.clone()))?;
        let records = self.client.retrieve(object, &[id], &value_fields(describe)).await;
        self.count_calls().await;
        records?.pop().flatten().ok_or(Error::NotFound("record"))
    }

    /// Fetches a page of opportunities.
    pub(crate) async fn opportunities(&self, filter: &OpportunityFilter) -> Result<List<Record>, Error> {
        let plan = |schema: &Schema| {
            schema.object(&OPPORTUNITY).ok_or(Error::ObjectHidden(OPPORTUNITY))?;
            Ok(vec![filter.soql(&schema.visible(&OPPORTUNITY, &LIST_FIELDS))])
        };
        let (_, mut pages) = self.query(&[OPPORTUNITY], plan).await?;
        let page = pages.pop().ok_or(Error::NotFound("page"))??;
        Ok(page_of(page.records, filter.limit))
    }

    /// Fetches all objects that the user may see.
    pub(crate) async fn objects(&self) -> Result<Vec<ObjectSummary>, Error> {
        let objects = self.client.describe_global().await;
        self.count_calls().await;
        Ok(objects?)
    }

    /// Fetches the fields of an object that the user may see.
    pub(crate) async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        let describe = self.client.find_object(object).await;
        self.count_calls().await;
        describe?.ok_or_else(|| Error::ObjectHidden(object.clone()))
    }

    /// Adds the calls to the org's budget. A failure is only logged.
    async fn count_calls(&self) {
        record_api_calls(&self.deps.budgets, self.org, Lane::Interactive, &self.client, &self.deps.clock).await;
    }
}

/// Returns whether a query or a search was refused because of a field or an object that the schema still has.
fn is_outdated(error: &salesforce::Error) -> bool {
    error.has_code("INVALID_FIELD") || error.is_hidden()
}

/// Returns the fields to read. Leaves out compound fields, which repeat other fields, and files.
fn value_fields(describe: &ObjectDescribe) -> Vec<FieldName> {
    let is_value = |kind: &str| !["address", "location", "base64"].contains(&kind);
    let fields = describe.fields.iter().filter(|field| is_value(&field.field_type));
    fields.map(|field| field.name.clone()).collect()
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
    fn a_row_more_than_the_page_means_another_page() {
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
