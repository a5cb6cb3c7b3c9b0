//! The upsert of a batch: sets the owner, calls Salesforce, and stores the outcome of each record.
//!
//! A record is upserted by its external id, so a write whose response was lost can be sent again.

use jiff::SignedDuration;
use runtime::Chain;
use salesforce::{Client, ObjectDescribe, ObjectName, OrgId, RecordId, SaveOutcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::origins::Origin;
use store::owner_policy::{Route, RouteError};
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, Hidden, WriteOperation};

use crate::Deps;
use crate::batch::{Batch, find_field};
use crate::origins::{self, Call};
use crate::ownership::{self, Existing};
use crate::target::{self, KeyType, Target};
use crate::writable::Permission;

/// The maximum stored length of one of Salesforce's messages.
const MAX_MESSAGE_CHARS: usize = 400;
/// The time for which a described object is remembered.
const TARGET_TTL: SignedDuration = SignedDuration::from_mins(5);
/// Salesforce's codes for an owner who is inactive.
const INACTIVE_OWNER: [&str; 2] = ["INACTIVE_OWNER_OR_USER", "OPERATION_WITH_INACTIVE_USER"];

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
        let Batch { external_id_field: field, records, .. } = &self.batch;
        let values = records.iter().filter_map(|record| find_field(record, field.as_str()));
        values.map(|value| RecordKey::new(&self.object, field, value)).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let records = self.records(deps, client, route, write.org_id).await?;
        let from = deps.ledger.clock.now();
        let Batch { external_id_field, all_or_none, .. } = &self.batch;
        let outcomes = match client.upsert(&self.object, external_id_field, &records, *all_or_none).await {
            Ok(outcomes) => outcomes,
            Err(error) => return Err(self.explain(client, error).await),
        };
        if let Some(owner) = self.inactive_owner(route, &records, &outcomes) {
            deps.ledger.users.forget(write.org_id, owner);
            if !outcomes.iter().any(|outcome| outcome.success) {
                return Err(Error::NoRoute(RouteError::RepInactive));
            }
        }
        let call = Call { write_id: write.write_id, user_id: route.user_id, from, to: deps.ledger.clock.now() };
        record_origins(deps, write.org_id, &origins::from_outcomes(call, &records, &outcomes)).await;
        let failed = outcomes.iter().filter(|outcome| !outcome.success).count();
        tracing::info!(org.id = %write.org_id, records = outcomes.len(), failed, "wrote {} records", outcomes.len());
        Ok(Attempted::Completed(stored_outcome(outcomes)))
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl Upsert {
    /// Returns the records to send. New ones get the owner that the route names, if it names one.
    async fn records(
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
        match client.describe(&self.object).await {
            Err(error) if error.is_hidden() => Err(Error::Hidden(Hidden::Object(self.object.clone()))),
            described => Ok(described?),
        }
    }

    async fn existing(&self, client: &Client, key_type: &KeyType) -> Result<Existing, salesforce::Error> {
        let mut existing = Existing::default();
        for query in ownership::queries(&self.object, key_type, &self.batch) {
            let found = client.query(&query).await?.records;
            existing.extend(&self.batch.external_id_field, key_type, &self.batch, &found);
        }
        Ok(existing)
    }

    /// Finds the reason for which Salesforce refused the whole request with a code that has several: the object, the key or a
    /// field may be unknown or hidden. Costs one more call, of a request that wrote nothing.
    async fn explain(&self, client: &Client, error: salesforce::Error) -> Error {
        if !["NOT_FOUND", "INVALID_TYPE", "INVALID_FIELD"].iter().any(|code| error.has_code(code)) {
            return error.into();
        }
        match self.describe(client).await {
            Ok(describe) => match target::hidden(&describe, &self.object, &self.batch) {
                Some(hidden) => Error::Hidden(hidden),
                None => error.into(),
            },
            Err(hidden @ Error::Hidden(_)) => hidden,
            Err(_) => error.into(),
        }
    }

    /// Returns the owner that the route names, if Salesforce refused a record because that user is inactive.
    fn inactive_owner(&self, route: &Route, sent: &[Map<String, Value>], outcomes: &[SaveOutcome]) -> Option<RecordId> {
        let got_owner = self.batch.records.iter().zip(sent).map(|(record, sent)| sent.len() > record.len());
        let mut refused = got_owner.zip(outcomes).filter(|(got_owner, _)| *got_owner).map(|(_, outcome)| outcome);
        let is_inactive =
            |outcome: &SaveOutcome| outcome.errors.iter().any(|error| INACTIVE_OWNER.contains(&error.code.as_str()));
        route.owner_id.filter(|_| refused.any(is_inactive))
    }
}

/// Stores which records a write changed. A failure is only logged: the events of the change then do not name the write.
async fn record_origins(deps: &Deps, org: OrgId, changed: &[(RecordId, Origin)]) {
    if let Err(error) = deps.origins.record(org, changed).await {
        let records = changed.len();
        tracing::warn!(org.id = %org, records, error = %Chain(&error), "could not record the origin of a change");
    }
}

/// Returns the part of Salesforce's response that the ledger stores.
fn stored_outcome(outcomes: Vec<SaveOutcome>) -> Value {
    let shortened: Vec<SaveOutcome> = outcomes.into_iter().map(shorten).collect();
    json!({ "records": shortened })
}

fn shorten(mut outcome: SaveOutcome) -> SaveOutcome {
    for error in &mut outcome.errors {
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use salesforce::SaveError;

    use super::*;

    fn outcome(message: &str) -> SaveOutcome {
        let error = SaveError {
            code: "REQUIRED_FIELD_MISSING".to_owned(),
            message: message.to_owned(),
            fields: vec!["LastName".to_owned()],
        };
        SaveOutcome { id: None, success: false, created: false, errors: vec![error] }
    }

    #[test]
    fn a_records_error_keeps_its_code_message_and_fields() {
        insta::assert_json_snapshot!(stored_outcome(vec![outcome("Required fields are missing: [LastName]")]), @r#"
        {
          "records": [
            {
              "id": null,
              "success": false,
              "created": false,
              "errors": [
                {
                  "code": "REQUIRED_FIELD_MISSING",
                  "message": "Required fields are missing: [LastName]",
                  "fields": [
                    "LastName"
                  ]
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let stored = stored_outcome(vec![outcome(&"é".repeat(900))]);
        let message = stored["records"][0]["errors"][0]["message"].as_str().unwrap();
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
