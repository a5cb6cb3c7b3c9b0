//! The upsert of a batch: checks the records, sets the owner, and sends them ([`crate::attempt`]).

use runtime::Schema;
use salesforce::{Client, ExternalIdType, JsonObject, ObjectDescribe, ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, Hidden, WriteOperation};

use crate::Deps;
use crate::attempt::Attempt;
use crate::batch::Batch;
use crate::check::{Action, Row, check, find, is_key};
use crate::metadata::MetadataReader;
use crate::ownership::{self, Existing};
use crate::rows;

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upsert {
    /// The object.
    pub object: ObjectName,
    /// The records.
    pub batch: Batch,
}

impl WriteOperation for Upsert {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::Records
    }

    fn object(&self) -> Option<&ObjectName> {
        Some(&self.object)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        deps.writable_objects.require(&self.object)
    }

    fn records(&self) -> Vec<RecordKey> {
        let field = &self.batch.external_id_field;
        self.batch.external_ids().map(|(_, value)| RecordKey::new(&self.object, field, value)).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let mut reader = self.reader(deps, client, route, write.org_id);
        let records = self.examine(&mut reader, client, route.owner_id).await?;
        Attempt { upsert: self, deps, client, route, write, records: &records }.run().await
    }

    /// The records of an upsert that were not written are upserted again, if one of them may be written without a change.
    fn remaining(&self, outcome: &Value) -> Option<Self> {
        let mut rest = self.clone();
        rows::retain_open(&mut rest.batch.records, outcome)?;
        Some(rest)
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl Upsert {
    pub(crate) fn reader<'a>(
        &self,
        deps: &'a Deps,
        client: &'a Client,
        route: &'a Route,
        org: OrgId,
    ) -> MetadataReader<'a> {
        MetadataReader::new(&deps.metadata, client, (org, &route.write_route.connection_id))
    }

    /// Checks the records against the object as the connection's user sees it, and returns them as they are sent: new ones get
    /// the owner, if one is named. A refusal is never based on what was remembered: the object is described again before.
    ///
    /// If Salesforce does not describe the object, the records are returned as they are, unless the owner or the external ids
    /// depend on the describe.
    ///
    /// # Errors
    /// [`Error::Refused`] with all defects; [`Error::Hidden`] if the object or the external id is hidden; [`Error::Invalid`] if
    /// two records have the same external id; those of the calls to Salesforce.
    pub(crate) async fn examine(
        &self,
        reader: &mut MetadataReader<'_>,
        client: &Client,
        owner: Option<RecordId>,
    ) -> Result<Vec<JsonObject>, Error> {
        loop {
            match self.examine_once(reader, client, owner).await {
                Err(error) if is_refusal(&error) && reader.forget_remembered() => {}
                examined => return examined,
            }
        }
    }

    async fn examine_once(
        &self,
        reader: &mut MetadataReader<'_>,
        client: &Client,
        owner: Option<RecordId>,
    ) -> Result<Vec<JsonObject>, Error> {
        let must_describe = owner.is_some() || self.batch.may_have_duplicates();
        let schema =
            if must_describe { Some(self.schema(reader).await?) } else { reader.schema_in_time(&self.upserts()).await };
        let Some(schema) = schema else { return Ok(self.batch.records.clone()) };
        let (describe, key_type) = self.described(&schema)?;
        if self.batch.may_have_duplicates() {
            self.batch.require_distinct(&key_type).map_err(Error::Invalid)?;
        }
        let existing = match owner.filter(|_| find(describe, "OwnerId").is_some()) {
            Some(owner) => Some((owner, self.existing(client, &key_type).await?)),
            None => None,
        };
        let records = match &existing {
            Some((owner, existing)) => ownership::with_owner(&self.batch, *owner, &key_type, existing),
            None => self.batch.records.clone(),
        };
        let action = |record: &JsonObject| match &existing {
            _ if key_type == ExternalIdType::Id => Action::Update,
            Some((_, existing)) => existing.action(&self.batch.external_id_field, &key_type, record),
            None => Action::Upsert,
        };
        let actions: Vec<Action> = self.batch.records.iter().map(action).collect();
        let rows = self.rows(&records, &actions);
        let picklists = reader.picklists(&schema, &rows).await;
        let defects = check(&schema, &picklists, &rows);
        if defects.is_empty() { Ok(records) } else { Err(Error::Refused(defects)) }
    }

    /// Returns the object and what is known of those that the records refer to.
    pub(crate) async fn schema(&self, reader: &mut MetadataReader<'_>) -> Result<Schema, salesforce::Error> {
        let (schema, failed) = reader.schema(&self.upserts()).await?;
        match failed.into_iter().find(|(object, _)| *object == self.object) {
            Some((_, error)) => Err(error),
            None => Ok(schema),
        }
    }

    /// Returns the describe of the object, and how its external ids are compared.
    pub(crate) fn described<'a>(&self, schema: &'a Schema) -> Result<(&'a ObjectDescribe, ExternalIdType), Error> {
        let (object, key) = (&self.object, &self.batch.external_id_field);
        let describe = schema.object(object).ok_or_else(|| Error::Hidden(Hidden::Object(object.clone())))?;
        match find(describe, key.as_str()) {
            None => Err(Error::Hidden(Hidden::Key(object.clone(), key.clone()))),
            Some(field) if !is_key(field) => Err(Error::Hidden(Hidden::NotAKey(object.clone(), key.clone()))),
            Some(field) => Ok((describe, ExternalIdType::of(field))),
        }
    }

    /// Returns the rows of records that may exist.
    fn upserts(&self) -> Vec<Row<'_>> {
        self.rows(&self.batch.records, &vec![Action::Upsert; self.batch.records.len()])
    }

    pub(crate) fn rows<'a>(&'a self, records: &'a [JsonObject], actions: &[Action]) -> Vec<Row<'a>> {
        let key = Some(&self.batch.external_id_field);
        let row =
            |(fields, action): (&'a JsonObject, &Action)| Row { object: &self.object, fields, action: *action, key };
        records.iter().zip(actions).map(row).collect()
    }

    async fn existing(&self, client: &Client, key_type: &ExternalIdType) -> Result<Existing, salesforce::Error> {
        let mut existing = Existing::default();
        for query in ownership::queries(&self.object, key_type, &self.batch) {
            let found = client.query(&query).await?.records;
            existing.extend(&self.batch.external_id_field, key_type, &self.batch, &found);
        }
        if !existing.is_clear() {
            tracing::warn!(sf.object = %self.object, "an existing record matches none of the request, so no owner is named");
        }
        Ok(existing)
    }

    /// Finds the reason for which Salesforce refused the whole request with a code that has several: the object or a field may
    /// have been hidden or removed since it was described. Costs one more call, of a request that wrote nothing.
    pub(crate) async fn explain(
        &self,
        reader: &mut MetadataReader<'_>,
        client: &Client,
        error: salesforce::Error,
    ) -> Error {
        if !["NOT_FOUND", "INVALID_TYPE", "INVALID_FIELD"].iter().any(|code| error.has_code(code)) {
            return error.into();
        }
        reader.forget(vec![self.object.clone()]);
        match self.examine_once(reader, client, None).await {
            Err(refusal) if is_refusal(&refusal) => return refusal,
            Ok(_) | Err(_) => {}
        }
        let may_create = match self.schema(reader).await {
            Ok(schema) => schema.object(&self.object).is_some_and(|describe| describe.summary.createable),
            Err(_) => false,
        };
        if may_create && error.has_code("INVALID_TYPE") { error.contradicted().into() } else { error.into() }
    }
}

/// Returns whether the error is a refusal for what the describe of an object says.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Hidden(_) | Error::Refused(_) | Error::Invalid(_))
}
