//! The creation of records that have no external id, exactly once: each has a client key, an external id that Ferry keeps.
//!
//! Salesforce does not prevent a second copy. [`writes::creation`] does, as for notes: an attempt that follows a request with a
//! lost response searches for its records ([`matching`]), and creates only when no earlier request can take effect.

mod attempt;
pub mod matching;
mod request;
mod search;

use jiff::Timestamp;
use salesforce::{Client, FieldName, JsonObject, ObjectName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{ClientKey, RecordKey, Write, WriteKind};
use writes::{Attempted, Error, Hidden, WriteOperation};

pub use request::{NewRecord, NewRecords};

use crate::check::{Action, Row};
use crate::metadata::MetadataReader;
use crate::{Deps, ownership, rows};
use attempt::Attempt;

/// The member of a record that holds its client key. No field of Salesforce has this name.
pub(crate) const CLIENT_KEY: FieldName = FieldName::from_static("client_key");

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// The object.
    pub object: ObjectName,
    /// The time at which the org passed to its tenant, whose client keys these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_at: Option<Timestamp>,
    /// The records.
    #[serde(flatten)]
    pub new: NewRecords,
}

impl WriteOperation for Create {
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
        let key =
            |record: &NewRecord| RecordKey::new(&self.object, &CLIENT_KEY, &Value::from(record.client_key.as_str()));
        self.new.records.iter().map(key).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        // What an earlier request may have created is looked for, whatever the user may do by now.
        if !write.may_be_sent() {
            let connection = (write.org_id, &route.write_route.connection_id);
            let fields: Vec<JsonObject> = self.new.records.iter().map(|record| record.fields.clone()).collect();
            MetadataReader::new(&deps.metadata, client, connection).check(&self.rows(&fields)).await?;
        }
        let records = self.owned_records(deps, client, route, write).await?;
        Attempt::new(self, deps, (client, route), write, records).run().await
    }

    /// A retry has other claims, but the same client keys: what an earlier request may have created is looked for.
    fn remaining(&self, outcome: &Value) -> Option<Self> {
        let mut rest = self.clone();
        rows::retain_open(&mut rest.new.records, outcome)?;
        Some(rest)
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        write.may_be_sent()
    }
}

impl Create {
    pub(crate) fn client_keys(&self) -> Vec<ClientKey> {
        let key = |record: &NewRecord| ClientKey::new(self.bound_at, &self.object, &record.client_key);
        self.new.records.iter().map(key).collect()
    }

    /// Returns the rows of a check of these records.
    pub(crate) fn rows<'a>(&'a self, records: &'a [JsonObject]) -> Vec<Row<'a>> {
        records.iter().map(|fields| Row { object: &self.object, fields, action: Action::Create, key: None }).collect()
    }

    /// Returns the records to send, with the owner that the route names, if it names one. That costs a describe, unless it is
    /// remembered.
    async fn owned_records(
        &self,
        deps: &Deps,
        client: &Client,
        route: &Route,
        write: &Write,
    ) -> Result<Vec<JsonObject>, Error> {
        let fields = self.new.records.iter().map(|record| record.fields.clone());
        let Some(owner) = route.owner_id else { return Ok(fields.collect()) };
        let objects = std::slice::from_ref(&self.object);
        let connection = (write.org_id, &route.write_route.connection_id);
        let now = deps.ledger.clock.now();
        let (schema, failed) = deps.metadata.schemas.load(client, connection, objects, now).await?;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(error.into());
        }
        let hidden = || Error::Hidden(Hidden::Object(self.object.clone()));
        Ok(ownership::new_with_owner(fields, owner, schema.object(&self.object).ok_or_else(hidden)?))
    }
}
