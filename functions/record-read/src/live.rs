//! Live reads of Salesforce through one connection.

use mirroring::{MirroredFields, ObjectFields};
use runtime::record_api_calls;
use salesforce::{
    Client, FieldName, ObjectDescribe, ObjectName, ObjectSummary, OrgId, Page, Record, RecordId, Soql, soql,
};
use store::owner_policy::choose_reader;
use store::{Change, ConnectionId, Lane, Org, OrgState, PlatformUser, Tombstone};

use crate::schema::Schema;
use crate::{Deps, Error};

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
        let is_outdated = |error: &salesforce::Error| error.has_code("INVALID_FIELD") || error.is_hidden();
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

    /// Forgets the fields of an object that have changed.
    pub(crate) fn forget(&self, object: &ObjectName) {
        self.deps.schemas.forget((self.org, &self.connection), std::slice::from_ref(object));
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

/// Returns the fields to read. Leaves out compound fields, which repeat other fields, and files.
fn value_fields(describe: &ObjectDescribe) -> Vec<FieldName> {
    let is_value = |kind: &str| !["address", "location", "base64"].contains(&kind);
    let fields = describe.fields.iter().filter(|field| is_value(&field.field_type));
    fields.map(|field| field.name.clone()).collect()
}
