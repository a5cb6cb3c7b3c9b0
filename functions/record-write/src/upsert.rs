//! The upsert of a batch: checks the external ids, sets the owner, and sends the records ([`crate::attempt`]).

use jiff::SignedDuration;
use salesforce::{Client, ExternalIdType, ObjectDescribe, ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, Hidden, WriteOperation};

use crate::Deps;
use crate::attempt::Attempt;
use crate::batch::Batch;
use crate::ownership::{self, Existing};
use crate::rows;
use crate::target::{self, Target};
use crate::writable::Permission;

/// The time for which a described object is remembered.
const TARGET_TTL: SignedDuration = SignedDuration::from_mins(5);

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
        let never = match deps.writable_objects.permission(&self.object) {
            Permission::Allowed => return Ok(()),
            Permission::NotListed => false,
            Permission::Never => true,
        };
        Err(Error::NotWritable { object: self.object.clone(), never })
    }

    fn records(&self) -> Vec<RecordKey> {
        let field = &self.batch.external_id_field;
        self.batch.external_ids().map(|(_, value)| RecordKey::new(&self.object, field, value)).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        self.require_distinct(deps, client, write.org_id).await?;
        let records = self.owned_records(deps, client, route, write.org_id).await?;
        Attempt { upsert: self, deps, client, route, write, records: &records }.run().await
    }

    /// The records of an upsert that were not written are upserted again, if one of them may be written without a change.
    fn remaining(&self, outcome: &Value) -> Option<Self> {
        if outcome.get("records").is_none() {
            return Some(self.clone());
        }
        let rows = rows::resumed(Some(outcome), self.batch.records.len())?;
        if !rows.iter().any(|row| row.retryable) {
            return None;
        }
        let mut rest = self.clone();
        let mut written = rows.iter().map(|row| row.success);
        rest.batch.records.retain(|_| written.next() == Some(false));
        Some(rest)
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl Upsert {
    /// Returns the records to send. New ones get the owner that the route names, if it names one.
    async fn owned_records(
        &self,
        deps: &Deps,
        client: &Client,
        route: &Route,
        org: OrgId,
    ) -> Result<Vec<Map<String, Value>>, Error> {
        let Some(owner) = route.owner_id else { return Ok(self.batch.records.clone()) };
        let target = self.target(deps, client, org).await?;
        let Some(key_type) = target.key(&self.batch.external_id_field).filter(|_| target.has_owner) else {
            return Ok(self.batch.records.clone());
        };
        let existing = self.existing(client, key_type).await?;
        if !existing.is_clear() {
            tracing::warn!(org.id = %org, sf.object = %self.object, "an existing record matches none of the request, so no owner is named");
        }
        Ok(ownership::with_owner(&self.batch, owner, key_type, &existing))
    }

    /// Returns the object as the team's connection sees it. It is described again if the remembered describe lacks the batch's
    /// key, which may have been granted meanwhile.
    async fn target(&self, deps: &Deps, client: &Client, org: OrgId) -> Result<Target, Error> {
        let key = (org, self.object.clone());
        if let Some(known) = deps.targets.0.get(&key).filter(|known| known.key(&self.batch.external_id_field).is_some())
        {
            return Ok(known);
        }
        let target = Target::new(&self.describe(client).await?);
        deps.targets.0.put(key, target.clone(), TARGET_TTL);
        Ok(target)
    }

    /// Describes the object. An error says if it is hidden.
    async fn describe(&self, client: &Client) -> Result<ObjectDescribe, Error> {
        client.find_object(&self.object).await?.ok_or_else(|| Error::Hidden(Hidden::Object(self.object.clone())))
    }

    /// Checks that no two records have the same external id to Salesforce, which would refuse both. [`Batch::parse`] has found
    /// those of the same spelling; here the describe says whether case and the spelling of numbers count.
    async fn require_distinct(&self, deps: &Deps, client: &Client, org: OrgId) -> Result<(), Error> {
        if self.batch.may_have_duplicates() {
            let target = self.target(deps, client, org).await?;
            if let Some(key_type) = target.key(&self.batch.external_id_field) {
                self.batch.require_distinct(key_type).map_err(Error::Invalid)?;
            }
        }
        Ok(())
    }

    async fn existing(&self, client: &Client, key_type: &ExternalIdType) -> Result<Existing, salesforce::Error> {
        let mut existing = Existing::default();
        for query in ownership::queries(&self.object, key_type, &self.batch) {
            let found = client.query(&query).await?.records;
            existing.extend(&self.batch.external_id_field, key_type, &self.batch, &found);
        }
        Ok(existing)
    }

    /// Finds the reason for which Salesforce refused the whole request with a code that has several: the object, the key or a
    /// field may be unknown or hidden. Costs one more call, of a request that wrote nothing.
    pub(crate) async fn explain(&self, client: &Client, error: salesforce::Error) -> Error {
        if !["NOT_FOUND", "INVALID_TYPE", "INVALID_FIELD"].iter().any(|code| error.has_code(code)) {
            return error.into();
        }
        match self.describe(client).await {
            Ok(describe) => match target::hidden(&describe, &self.object, &self.batch) {
                Some(hidden) => Error::Hidden(hidden),
                None if error.has_code("INVALID_TYPE") && describe.summary.createable => error.contradicted().into(),
                None => error.into(),
            },
            Err(hidden @ Error::Hidden(_)) => hidden,
            Err(_) => error.into(),
        }
    }
}
