//! Live reads of Salesforce through one connection.

use std::collections::BTreeMap;

use mirroring::{Filtered, MirroredFields, ObjectFields};
use runtime::{Chain, Schema, record_api_calls};
use salesforce::soql::Filter;
use salesforce::{
    Client, FieldName, InstanceUrl, Layout, ObjectDescribe, ObjectName, ObjectSummary, OrgId, Page, Picklist, Record,
    RecordId, Soql, Sosl, soql,
};
use store::owner_policy::{FoundUser, UserKey, choose_reader};
use store::{Change, ConnectionId, Lane, Org, OrgState, PlatformUser, Tombstone};

use crate::{Deps, Error};

/// Reads an org through one connection.
pub(crate) struct LiveReader<'a> {
    deps: &'a Deps,
    org: OrgId,
    connection: ConnectionId,
    client: Client,
}

/// The objects that have to be described for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Every object.
    Every,
    /// The first. What belongs to another one that Salesforce did not describe is missing.
    First,
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
        self.schema_of(objects, Needs::Every).await
    }

    /// Returns the schema, as [`LiveReader::schema`] does. Remembers no object that Salesforce did not describe.
    async fn schema_of(&self, objects: &[ObjectName], needs: Needs) -> Result<Schema, Error> {
        let key = (self.org, &self.connection);
        let found = self.deps.schemas.load(&self.client, key, objects, self.deps.clock.now()).await;
        self.count_calls().await;
        let (mut schema, failed) = found?;
        for (object, error) in failed {
            if needs == Needs::Every || objects.first() == Some(&object) {
                return Err(error.into());
            }
            tracing::warn!(%object, error = %Chain(&error), "could not describe an object of a view");
            schema.add_unanswered(object);
        }
        Ok(schema)
    }

    /// Sends the queries that `plan` makes of the schema, in one call for every 5. If one is refused because a field or an
    /// object has changed since it was described, plans once more with a fresh schema, and sends queries that differ.
    pub(crate) async fn query(
        &self,
        objects: &[ObjectName],
        plan: impl Fn(&Schema) -> Result<Vec<Soql>, Error>,
    ) -> Result<(Schema, Pages), Error> {
        self.query_with((objects, Needs::Every), plan).await
    }

    /// Sends queries as [`LiveReader::query`] does. Of the objects only the first has to be described.
    pub(crate) async fn query_parts(
        &self,
        objects: &[ObjectName],
        plan: impl Fn(&Schema) -> Result<Vec<Soql>, Error>,
    ) -> Result<(Schema, Pages), Error> {
        self.query_with((objects, Needs::First), plan).await
    }

    async fn query_with(
        &self,
        (objects, needs): (&[ObjectName], Needs),
        plan: impl Fn(&Schema) -> Result<Vec<Soql>, Error>,
    ) -> Result<(Schema, Pages), Error> {
        let schema = self.schema_of(objects, needs).await?;
        let queries = plan(&schema)?;
        let pages = self.pages(&queries).await?;
        if !pages.iter().any(|page| page.as_ref().is_err_and(is_outdated)) {
            return Ok((schema, pages));
        }
        self.deps.schemas.forget((self.org, &self.connection), objects);
        let schema = self.schema_of(objects, needs).await?;
        let fresh = plan(&schema)?;
        let pages = if fresh == queries { pages } else { self.pages(&fresh).await? };
        Ok((schema, pages))
    }

    async fn pages(&self, queries: &[Soql]) -> Result<Pages, Error> {
        let pages = self.client.query_several(queries).await;
        self.count_calls().await;
        Ok(pages?)
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

    /// Fetches a record with these fields, or with all that the user may see, and the pages of the queries that `plan` makes of
    /// the schema, in one call. The first query has to select the record itself: it proves that a record exists or does not,
    /// where the answer "not found" to a read proves neither.
    pub(crate) async fn record(
        &self,
        (object, id): (&ObjectName, RecordId),
        fields: Option<&[FieldName]>,
        objects: &[ObjectName],
        plan: impl Fn(&Schema) -> Vec<Soql>,
    ) -> Result<(Schema, Record, Pages), Error> {
        let planned = async || {
            let schema = self.schema_of(objects, Needs::First).await?;
            schema.object(object).ok_or_else(|| Error::ObjectHidden(object.clone()))?;
            let fields = fields.map(|fields| selected(&schema, object, fields)).unwrap_or_default();
            let queries = plan(&schema);
            Ok::<_, Error>((schema, (fields, queries)))
        };
        let (mut schema, reads) = planned().await?;
        let (mut record, mut pages) = self.record_and_pages((object, id), &reads).await?;
        let mut refused = pages.iter().filter_map(|page| page.as_ref().err()).chain(record.as_ref().err());
        if !pages.is_empty() && refused.any(is_outdated) && !is_missing(&record, &pages) {
            self.deps.schemas.forget((self.org, &self.connection), objects);
            let (fresh, again) = planned().await?;
            schema = fresh;
            // A record that its query found may have been missing in passing.
            if record.is_err() || again != reads {
                (record, pages) = self.record_and_pages((object, id), &again).await?;
            }
        }
        if is_missing(&record, &pages) {
            return Err(Error::NotFound("record"));
        }
        let record = record.map_err(|error| if error.is_hidden() { error.contradicted() } else { error })?;
        let values = schema.object(object).map(value_fields).unwrap_or_default();
        Ok((schema, only_values(record, &values), pages))
    }

    async fn record_and_pages(
        &self,
        record: (&ObjectName, RecordId),
        (fields, queries): &(Vec<FieldName>, Vec<Soql>),
    ) -> Result<(Result<Record, salesforce::Error>, Pages), Error> {
        let found = self.client.record_and_rows(record, fields, queries).await;
        self.count_calls().await;
        Ok(found?)
    }

    /// Returns the base URL of the org's API.
    pub(crate) async fn instance_url(&self) -> Result<InstanceUrl, Error> {
        Ok(self.client.instance_url().await?)
    }

    /// Reads a record for the mirror: its mirrored fields, or its deletion; `None` if the user does not see it.
    pub(crate) async fn change(
        &self,
        object: &ObjectName,
        id: RecordId,
        mirrored: &MirroredFields,
    ) -> Result<Option<Change>, Error> {
        let schema = self.schema(std::slice::from_ref(object)).await?;
        let describe = schema.object(object).ok_or_else(|| Error::ObjectHidden(object.clone()))?;
        let fields = ObjectFields::from_describe(describe, mirrored);
        let read_at = self.deps.clock.now();
        let found = self.client.retrieve(object, &[id], &fields.selected).await;
        self.count_calls().await;
        if let Some(record) = found?.pop().flatten() {
            return Ok(Some(Change::Upsert { record, read_at }));
        }
        if !fields.queryable || fields.deletion_fields.is_empty() {
            return Ok(None);
        }
        // A query with deleted rows proves a deletion, where a missing record proves nothing.
        let query = Soql::select(&fields.deletion_fields).from(object).where_(soql::eq(&FieldName::ID, id));
        let read_at = self.deps.clock.now();
        let page = self.client.query_all(&query).await;
        self.count_calls().await;
        let row = page?.records.pop();
        Ok(row.and_then(|row| Tombstone::from_row(&row, read_at)).map(Change::Tombstone))
    }

    /// Divides a change by the filter of the org's settings.
    pub(crate) async fn filter(
        &self,
        object: &ObjectName,
        filter: Option<&Filter>,
        change: Change,
    ) -> Result<Filtered, Error> {
        let filtered = mirroring::filter(&self.client, object, filter, vec![change]).await;
        self.count_calls().await;
        Ok(filtered?)
    }

    /// Forgets the fields of an object that have changed.
    pub(crate) fn forget(&self, object: &ObjectName) {
        self.deps.schemas.forget((self.org, &self.connection), std::slice::from_ref(object));
    }

    /// Looks up the Salesforce user of a platform user, as a write does.
    pub(crate) async fn find_user(&self, key: UserKey) -> Result<FoundUser, Error> {
        if let Some(known) = self.deps.users.known(self.org, &key) {
            return Ok(known);
        }
        let found = self.deps.users.find(&self.client, self.org, key).await;
        self.count_calls().await;
        Ok(found?)
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

    /// Fetches the page of a record type and the values of its picklists, each `None` if the object has none. Two calls at once.
    pub(crate) async fn page(
        &self,
        object: &ObjectName,
        record_type: &RecordId,
    ) -> Result<(Option<Layout>, Option<BTreeMap<FieldName, Picklist>>), Error> {
        let (layout, picklists) = tokio::join!(
            self.client.fetch_layout(object, record_type),
            self.client.fetch_picklist_values(object, record_type),
        );
        self.count_calls().await;
        Ok((unless_unsupported(layout)?, unless_unsupported(picklists)?))
    }

    /// Adds the calls to the org's budget. A failure is only logged.
    async fn count_calls(&self) {
        record_api_calls(&self.deps.budgets, self.org, Lane::Interactive, &self.client, &self.deps.clock).await;
    }
}

/// Returns `None` if Salesforce does not offer the resource for the object. Not every object has a page, and the UI API supports
/// only some objects.
fn unless_unsupported<T>(result: Result<T, salesforce::Error>) -> Result<Option<T>, salesforce::Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_hidden() || error.has_code("INVALID_INPUT") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a query or a search was refused because of a field or an object that the schema still has.
fn is_outdated(error: &salesforce::Error) -> bool {
    error.has_code("INVALID_FIELD") || error.is_hidden()
}

/// Returns those of the fields that the user may see, with `Id` and those that every view of a record needs.
fn selected(schema: &Schema, object: &ObjectName, fields: &[FieldName]) -> Vec<FieldName> {
    let names = ["Id", "OwnerId", "RecordTypeId", "SystemModstamp"].into_iter();
    let names: Vec<&str> = names.chain(fields.iter().map(FieldName::as_str)).collect();
    let mut selected = schema.visible(object, &names);
    selected.sort();
    selected.dedup();
    selected
}

/// Returns whether the record does not exist or is hidden: its read and the query for it both say so. Of an object that
/// Salesforce does not query by id, the read decides alone.
fn is_missing(record: &Result<Record, salesforce::Error>, pages: &Pages) -> bool {
    let is_not_found = record.as_ref().is_err_and(|error| error.is_not_found() || error.is_deleted());
    let is_confirmed = match pages.first() {
        Some(Ok(page)) => page.records.is_empty(),
        Some(Err(error)) => error.has_code("MALFORMED_QUERY"),
        None => false,
    };
    is_not_found && is_confirmed
}

fn only_values(mut record: Record, values: &[FieldName]) -> Record {
    record.fields.retain(|name, _| values.iter().any(|value| value.as_str() == name));
    record
}

/// Returns the fields to show. Leaves out compound fields, which repeat other fields, and files.
fn value_fields(describe: &ObjectDescribe) -> Vec<FieldName> {
    let is_value = |kind: &str| !["address", "location", "base64"].contains(&kind);
    let fields = describe.fields.iter().filter(|field| is_value(&field.field_type));
    fields.map(|field| field.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use salesforce::JsonObject;

    use super::*;

    fn rows(count: usize) -> Vec<Record> {
        let id = |number| format!("006000000000{number:03}").parse().unwrap();
        (0..count)
            .map(|n| Record { object: ObjectName::from_static("Opportunity"), id: id(n), fields: JsonObject::new() })
            .collect()
    }

    fn refused(status: u16, code: &str) -> salesforce::Error {
        let problems = vec![salesforce::Problem { code: code.to_owned(), fields: Vec::new() }];
        salesforce::Error::Rejected { operation: "read the record", status, problems }
    }

    #[test]
    fn a_record_is_missing_only_if_the_query_says_so_too() {
        let page = |count| Page { records: rows(count), total_size: 0, done: true, next: None };
        let missing = |read, pages: Pages| is_missing(&Err(read), &pages);
        assert!(missing(refused(404, "NOT_FOUND"), vec![Ok(page(0))]));
        assert!(missing(refused(404, "ENTITY_IS_DELETED"), vec![Ok(page(0))]));
        assert!(missing(refused(404, "NOT_FOUND"), vec![Err(refused(400, "MALFORMED_QUERY"))]));
        assert!(!missing(refused(404, "NOT_FOUND"), vec![Ok(page(1))]));
        assert!(!missing(refused(404, "NOT_FOUND"), vec![Err(refused(400, "QUERY_TIMEOUT"))]));
        assert!(!missing(refused(404, "NOT_FOUND"), Vec::new()));
        assert!(!missing(refused(403, "INSUFFICIENT_ACCESS"), vec![Ok(page(0))]));
        assert!(!is_missing(&Ok(rows(1).remove(0)), &vec![Ok(page(0))]));
    }
}
