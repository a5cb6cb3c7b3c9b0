//! The write of records of several objects in one call, all or none (`composite/graph`).

mod attempt;
mod created;
mod look;
mod plan;
mod request;

use salesforce::{Client, JsonObject, ObjectName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Defect, Error, Hidden, WriteOperation};

use crate::Deps;
use crate::batch::Batch;
use crate::check::{Action, Row};
use crate::duplicates::Duplicates;
use crate::metadata::MetadataReader;
use crate::ownership::{self, Existing};
use crate::target::Target;
use attempt::Attempt;
use plan::Plan;
use request::CLIENT_KEY;
pub use request::{GraphRecord, GraphRequest};

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Graph(pub GraphRequest);

impl WriteOperation for Graph {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::RecordGraph
    }

    /// Returns the object if all records are of one.
    fn object(&self) -> Option<&ObjectName> {
        let first = &self.0.records.first()?.object;
        self.0.records.iter().all(|record| record.object == *first).then_some(first)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        self.0.records.iter().try_for_each(|record| deps.writable_objects.require(&record.object))
    }

    /// A record that is created is no record that another write can name.
    fn records(&self) -> Vec<RecordKey> {
        let key = |record: &GraphRecord| {
            let (field, value) = record.external_id()?;
            Some(RecordKey::new(&record.object, field, value))
        };
        self.0.records.iter().filter_map(key).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let mut objects: Vec<ObjectName> = self.0.records.iter().map(|record| record.object.clone()).collect();
        objects.sort_unstable_by_key(|object| object.as_str().to_ascii_lowercase());
        objects.dedup();
        let connection = (write.org_id, &route.write_route.connection_id);
        // What an earlier request may have created is looked for, whatever the user may do by now.
        if !self.needs_lookup(write) {
            self.check(&mut MetadataReader::new(&deps.metadata, client, connection)).await?;
        }
        let now = deps.ledger.clock.now();
        let (schema, failed) = deps.metadata.schemas.load(client, connection, &objects, now).await?;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(error.into());
        }
        let mut plan = Plan::new(&self.0.records, &schema)?;
        self.add_owner(client, route, &schema, &mut plan).await?;
        Attempt { graph: &self.0, plan: &plan, schema: &schema, deps, client, route, write }.run().await
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        self.0.creates() && write.may_be_sent()
    }
}

impl GraphRequest {
    /// Returns whether a record is created, which must not be done twice.
    pub(crate) fn creates(&self) -> bool {
        self.records.iter().any(|record| record.client_key.is_some())
    }
}

impl GraphRecord {
    /// Returns the row of a check of these fields of the record.
    fn row<'a>(&'a self, fields: &'a JsonObject) -> Row<'a> {
        let action = if self.client_key.is_some() { Action::Create } else { Action::Upsert };
        Row { object: &self.object, fields, action, key: self.external_id_field.as_ref() }
    }
}

impl Graph {
    /// Checks the records against their objects as the connection's user sees them.
    pub(crate) async fn check(&self, reader: &mut MetadataReader<'_>) -> Result<(), Error> {
        match reader.check(&self.rows(&self.checked_fields())).await {
            Err(Error::Refused(defects)) => Err(Error::Refused(defects.into_iter().map(in_fields).collect())),
            checked => checked.map(drop),
        }
    }

    /// Checks how the records name each other. `schema` has their objects.
    pub(crate) fn check_references(&self, schema: &runtime::Schema) -> Result<(), Error> {
        Plan::new(&self.0.records, schema).map(drop)
    }

    /// Returns the fields that are checked. The client key of a record that the request creates stands for its id.
    pub(crate) fn checked_fields(&self) -> Vec<JsonObject> {
        let mut checked: Vec<JsonObject> = self.0.records.iter().map(|record| record.fields.clone()).collect();
        for parent in checked.iter_mut().flat_map(JsonObject::values_mut).filter_map(Value::as_object_mut) {
            if let Some(client_key) = parent.remove(CLIENT_KEY) {
                parent.insert("Id".to_owned(), client_key);
            }
        }
        checked
    }

    /// Returns the rows of a check of these fields of the records.
    pub(crate) fn rows<'a>(&'a self, fields: &'a [JsonObject]) -> Vec<Row<'a>> {
        self.0.records.iter().zip(fields).map(|(record, fields)| record.row(fields)).collect()
    }

    /// Adds the owner that the route names to the new records whose object has an owner, and whose request names none. An
    /// existing record keeps its owner.
    async fn add_owner(
        &self,
        client: &Client,
        route: &Route,
        schema: &runtime::Schema,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        let Some(owner) = route.owner_id else { return Ok(()) };
        for (batch, object, positions) in batches(&self.0.records) {
            let describe = schema.object(object).ok_or_else(|| Error::Hidden(Hidden::Object(object.clone())))?;
            let target = Target::new(describe);
            if !target.has_owner {
                continue;
            }
            let owned = match &batch {
                None => positions.clone(),
                Some(batch) => {
                    let Some(key_type) = target.key(&batch.external_id_field) else { continue };
                    let mut existing = Existing::default();
                    for query in ownership::queries(object, key_type, batch) {
                        let found = client.query(&query).await?.records;
                        existing.extend(&batch.external_id_field, key_type, batch, &found);
                    }
                    let with_owner = ownership::with_owner(batch, owner, key_type, &existing);
                    let sets_owner = |(at, record): (usize, &salesforce::JsonObject)| {
                        (record.len() > batch.records[at].len()).then(|| positions[at])
                    };
                    with_owner.iter().enumerate().filter_map(sets_owner).collect()
                }
            };
            for planned in plan.0.iter_mut().filter(|planned| owned.contains(&planned.index)) {
                planned.gets_owner = ownership::add_owner(&mut planned.node.fields, owner);
            }
        }
        Ok(())
    }
}

/// Names the place of a defect of a field as the request has it.
pub(crate) fn in_fields(defect: Defect) -> Defect {
    Defect { field: defect.field.map(|field| format!("fields.{field}")), ..defect }
}

/// Returns the records by object and external-id field, with their positions; those that are created without a batch.
pub(crate) fn batches(records: &[GraphRecord]) -> Vec<(Option<Batch>, &ObjectName, Vec<usize>)> {
    let mut batches: Vec<(Option<Batch>, &ObjectName, Vec<usize>)> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let field = record.external_id_field.as_ref();
        let is_same = |(batch, object, _): &&mut (Option<Batch>, &ObjectName, Vec<usize>)| {
            **object == record.object && batch.as_ref().map(|batch| &batch.external_id_field) == field
        };
        match batches.iter_mut().find(is_same) {
            Some((batch, _, positions)) => {
                batch.iter_mut().for_each(|batch| batch.records.push(record.fields.clone()));
                positions.push(index);
            }
            None => {
                let batch = field.map(|field| Batch {
                    external_id_field: field.clone(),
                    all_or_none: true,
                    duplicates: Duplicates::default(),
                    records: vec![record.fields.clone()],
                });
                batches.push((batch, &record.object, vec![index]));
            }
        }
    }
    batches
}
