//! The objects as the users of connections see them, remembered for a while: describes, and the picklist values of record
//! types.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use runtime::{Cache, Chain, Schema, Schemas};
use salesforce::deadline::TimeLimit;
use salesforce::{Client, Clock, Error, ObjectName, OrgId, RecordId};
use store::{ConnectionId, Pipeline, Pipelines};

use crate::check::{OfRecordType, Picklists, Row, check, needed_picklists, needs_pipelines, parents};

/// The age at which picklist values are requested again, as describes are.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(15);
/// The number of remembered record types; the values of one take 10 to 100 KB.
const MAX_RECORD_TYPES: usize = 64;
/// The number of remembered orgs; the pipelines of one take about 10 KB.
const MAX_ORGS: usize = 64;
/// The number of record types of a request whose values are requested. Those of others are checked against the values of all
/// record types together.
const MAX_REQUESTED: usize = 4;

/// The time for a read that only a check needs. Without it, the records are sent unchecked.
const CHECK_TIME: TimeLimit = TimeLimit {
    longest: Duration::from_secs(6),
    shortest: Duration::from_millis(500),
    reserve: Duration::from_secs(12),
};

type RecordTypeKey = (OrgId, ConnectionId, ObjectName, RecordId);

/// What is known of the objects of several connections.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub(crate) schemas: Schemas,
    /// `None` for a record type whose values the UI API does not have.
    picklists: Cache<RecordTypeKey, Option<Arc<OfRecordType>>>,
    pipelines: Pipelines,
    read_pipelines: Cache<OrgId, Arc<Vec<Pipeline>>>,
    clock: Clock,
}

impl Metadata {
    /// Creates it without any object.
    #[must_use]
    pub fn new(pipelines: Pipelines, clock: Clock) -> Self {
        let picklists = Cache::new(clock.clone()).with_max_entries(MAX_RECORD_TYPES);
        let read_pipelines = Cache::new(clock.clone()).with_max_entries(MAX_ORGS);
        Self { schemas: Schemas::default(), picklists, pipelines, read_pipelines, clock }
    }
}

/// Reads the objects of one connection for one request.
pub(crate) struct MetadataReader<'a> {
    metadata: &'a Metadata,
    client: &'a Client,
    key: (OrgId, &'a ConnectionId),
    /// Objects to describe again.
    outdated: Vec<ObjectName>,
    /// Objects that were known before this request, or before they were outdated.
    remembered: Vec<ObjectName>,
    /// `true` if picklist values were known before.
    remembers_picklists: bool,
}

impl<'a> MetadataReader<'a> {
    pub(crate) fn new(metadata: &'a Metadata, client: &'a Client, key: (OrgId, &'a ConnectionId)) -> Self {
        let (outdated, remembered) = (Vec::new(), Vec::new());
        Self { metadata, client, key, outdated, remembered, remembers_picklists: false }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.metadata.clock
    }

    /// Returns the objects of the rows, and of those that they refer to the ones that are known without a call; and an error for
    /// each object that Salesforce did not describe. Costs a call for unknown objects, two if one of them is hidden.
    ///
    /// # Errors
    /// That of the whole request.
    pub(crate) async fn schema(&mut self, rows: &[Row<'_>]) -> Result<(Schema, Vec<(ObjectName, Error)>), Error> {
        let Metadata { schemas, clock, .. } = self.metadata;
        let mut objects: Vec<ObjectName> = Vec::new();
        for row in rows {
            if !objects.contains(row.object) {
                objects.push(row.object.clone());
            }
        }
        let now = clock.now();
        let outdated = std::mem::take(&mut self.outdated);
        let mut wanted = outdated.clone();
        let unknown = schemas.get(self.key, &objects, now).1;
        self.remembered
            .extend(objects.iter().filter(|object| !unknown.contains(object) && !wanted.contains(object)).cloned());
        wanted.extend(unknown.into_iter().filter(|object| !outdated.contains(object)));
        let failed = self.describe(&wanted).await?;
        let known = schemas.get(self.key, &objects, now).0;
        let (parents, described) = (parents(&known, rows), wanted);
        let unknown = schemas.get(self.key, &parents, now).1;
        self.remembered
            .extend(parents.iter().filter(|parent| !unknown.contains(parent) && !described.contains(parent)).cloned());
        objects.extend(parents);
        let mut schema = schemas.get(self.key, &objects, now).0;
        failed.iter().for_each(|(object, _)| schema.add_unanswered(object.clone()));
        Ok((schema, failed))
    }

    /// Returns the schema as [`MetadataReader::schema`] does; `None` if Salesforce does not return it soon. A check must not take
    /// the time in which the records can be sent.
    pub(crate) async fn schema_in_time(&mut self, rows: &[Row<'_>]) -> Option<Schema> {
        let time = CHECK_TIME.now(self.clock()).ok()?;
        let error = match tokio::time::timeout(time, self.schema(rows)).await {
            Ok(Ok((schema, failed))) => {
                let Some((_, error)) = failed.iter().find(|(object, _)| rows.iter().any(|row| row.object == object))
                else {
                    return Some(schema);
                };
                Chain(error).to_string()
            }
            Ok(Err(error)) => Chain(&error).to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(org.id = %self.key.0, error, "could not describe the objects, so the records are sent unchecked");
        None
    }

    /// Checks the rows, and returns the schema; `None` if they are unchecked, because Salesforce does not describe their objects
    /// now. A refusal is never based on what was remembered: the objects are described again before.
    ///
    /// # Errors
    /// [`writes::Error::Refused`] with all defects.
    pub(crate) async fn check(&mut self, rows: &[Row<'_>]) -> Result<Option<Schema>, writes::Error> {
        loop {
            let Some(schema) = self.schema_in_time(rows).await else { return Ok(None) };
            let picklists = self.picklists(&schema, rows).await;
            let defects = check(&schema, &picklists, rows);
            if defects.is_empty() {
                return Ok(Some(schema));
            }
            if !self.forget_remembered() {
                return Err(writes::Error::Refused(defects));
            }
        }
    }

    /// Describes the objects and remembers them. Returns the errors.
    async fn describe(&self, objects: &[ObjectName]) -> Result<Vec<(ObjectName, Error)>, Error> {
        let found = match objects {
            [] => return Ok(Vec::new()),
            [object] => vec![self.client.find_object(object).await],
            objects => self.client.find_objects(objects).await?,
        };
        let (mut described, mut failed) = (Vec::new(), Vec::new());
        for (object, found) in objects.iter().cloned().zip(found) {
            match found {
                Ok(describe) => described.push((object, describe)),
                Err(error) => failed.push((object, error)),
            }
        }
        let now = self.metadata.clock.now();
        self.metadata.schemas.insert(self.key, described, now, &mut Schema::default());
        Ok(failed)
    }

    /// Returns the picklist values that the check of the rows needs, as far as Salesforce returns them. Costs one call for each
    /// record type that is not known.
    pub(crate) async fn picklists(&mut self, schema: &Schema, rows: &[Row<'_>]) -> Picklists {
        let mut picklists = Picklists::default();
        let (org, connection) = self.key;
        for (object, record_type) in requested_picklists(schema, rows) {
            let key = (org, connection.clone(), object.clone(), record_type);
            let known = self.metadata.picklists.get(&key);
            self.remembers_picklists |= known.is_some();
            let values = match known {
                Some(known) => known,
                None => self.fetch(key).await,
            };
            if let Some(values) = values {
                picklists.insert(object, record_type, values);
            }
        }
        if needs_pipelines(schema, rows) {
            picklists.set_pipelines(self.pipelines().await);
        }
        picklists
    }

    /// Returns the pipelines that the last refresh stored; none if they cannot be read, since Salesforce decides then.
    async fn pipelines(&mut self) -> Arc<Vec<Pipeline>> {
        let org = self.key.0;
        if let Some(known) = self.metadata.read_pipelines.get(&org) {
            self.remembers_picklists = true;
            return known;
        }
        match self.metadata.pipelines.list(org).await {
            Ok(pipelines) => {
                let pipelines = Arc::new(pipelines);
                self.metadata.read_pipelines.put(org, Arc::clone(&pipelines), MAX_AGE);
                pipelines
            }
            Err(error) => {
                tracing::warn!(org.id = %org, error = %Chain(&error), "could not read the pipelines, so stages are not checked against them");
                Arc::default()
            }
        }
    }

    async fn fetch(&self, key: RecordTypeKey) -> Option<Arc<OfRecordType>> {
        let (org, _, object, record_type) = &key;
        let time = CHECK_TIME.now(self.clock()).ok()?;
        let fetched = tokio::time::timeout(time, self.client.fetch_picklist_values(object, record_type)).await;
        let values = match fetched.ok()? {
            Ok(values) => Some(Arc::new(values)),
            Err(error @ Error::Rejected { .. }) if error.is_hidden() || error.has_code("INVALID_INPUT") => None,
            Err(error) => {
                tracing::warn!(org.id = %org, sf.object = %object, error = %Chain(&error),
                    "could not fetch the picklist values of a record type, so they are not checked");
                return None;
            }
        };
        self.metadata.picklists.put(key, values.clone(), MAX_AGE);
        values
    }

    /// Forgets what was known before this request. Returns `false` if that is nothing: then reading it again changes nothing.
    pub(crate) fn forget_remembered(&mut self) -> bool {
        let remembered = std::mem::take(&mut self.remembered);
        let any = !remembered.is_empty() || std::mem::take(&mut self.remembers_picklists);
        self.forget(remembered);
        any
    }

    /// Forgets objects, which may have changed. The next read describes them again.
    pub(crate) fn forget(&mut self, objects: Vec<ObjectName>) {
        let (org, connection) = self.key;
        self.metadata.schemas.forget(self.key, &objects);
        self.metadata
            .picklists
            .remove_if(|(of_org, of_connection, _, _), _| *of_org == org && of_connection == connection);
        self.metadata.read_pipelines.remove_if(|of_org, _| *of_org == org);
        self.outdated = objects;
    }
}

/// Returns the record types whose picklist values are requested for a check of the rows.
pub(crate) fn requested_picklists(schema: &Schema, rows: &[Row<'_>]) -> Vec<(ObjectName, RecordId)> {
    let mut needed = needed_picklists(schema, rows);
    needed.truncate(MAX_REQUESTED);
    needed
}
