//! The upsert of a batch: sets the owner, calls Salesforce, and stores the outcome of each record.
//!
//! A record is upserted by its external id, so a write whose response was lost can be sent again.

use runtime::Chain;
use salesforce::{Client, ObjectName, OrgId, RecordId, SaveOutcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::origins::Origin;
use store::owner_policy::Route;
use store::{Write, WriteKind};
use writes::{Error, WriteOperation};

use crate::Deps;
use crate::batch::Batch;
use crate::origins::{self, Call};
use crate::ownership::{self, Existing};

/// The maximum stored length of one of Salesforce's messages.
const MAX_MESSAGE_CHARS: usize = 400;

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

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Value, Error> {
        let records = self.records(client, route).await?;
        let from = deps.ledger.clock.now();
        let Batch { external_id_field, all_or_none, .. } = &self.batch;
        let outcomes = client.upsert(&self.object, external_id_field, &records, *all_or_none).await?;
        let call = Call { write_id: write.write_id, user_id: route.user_id, from, to: deps.ledger.clock.now() };
        record_origins(deps, write.org_id, &origins::from_outcomes(call, &records, &outcomes)).await;
        let failed = outcomes.iter().filter(|outcome| !outcome.success).count();
        tracing::info!(org.id = %write.org_id, records = outcomes.len(), failed, "wrote {} records", outcomes.len());
        Ok(stored_outcome(outcomes))
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl Upsert {
    /// Returns the records to send. New ones get the owner that the route names, if it names one.
    async fn records(&self, client: &Client, route: &Route) -> Result<Vec<Map<String, Value>>, salesforce::Error> {
        let Self { object, batch } = self;
        Ok(match route.owner_id {
            Some(owner) if has_owner(client, object).await? => {
                ownership::with_owner(batch, owner, &self.existing(client).await?)
            }
            _ => batch.records.clone(),
        })
    }

    async fn existing(&self, client: &Client) -> Result<Existing, salesforce::Error> {
        let mut existing = Existing::default();
        for query in ownership::queries(&self.object, &self.batch) {
            existing.extend(&self.batch.external_id_field, &client.query(&query).await?.records);
        }
        Ok(existing)
    }
}

/// Stores which records a write changed. A failure is only logged: the events of the change then do not name the write.
async fn record_origins(deps: &Deps, org: OrgId, changed: &[(RecordId, Origin)]) {
    if let Err(error) = deps.origins.record(org, changed).await {
        let records = changed.len();
        tracing::warn!(org.id = %org, records, error = %Chain(&error), "could not record the origin of a change");
    }
}

async fn has_owner(client: &Client, object: &ObjectName) -> Result<bool, salesforce::Error> {
    match ownership::has_owner(object) {
        Some(has_owner) => Ok(has_owner),
        None => Ok(client.describe(object).await?.fields.iter().any(|field| field.name.as_str() == "OwnerId")),
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
