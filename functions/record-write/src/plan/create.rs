//! The plan of new records with client keys.

use salesforce::{Client, JsonObject, OrgId, RecordId};
use store::client_keys::Claimed;
use store::owner_policy::Route;
use writes::{Error, Planned, PlannedOperation};

use super::{PlannedAction, RecordPlan, RecordsPlan, refusal};
use crate::metadata::{MetadataReader, requested_picklists};
use crate::{Create, Deps, ownership};

impl PlannedOperation for Create {
    type Plan = RecordsPlan;

    async fn plan(
        &self,
        deps: &Deps,
        client: &Client,
        route: &Route,
        org: OrgId,
    ) -> Result<Planned<RecordsPlan>, Error> {
        let mut reader = MetadataReader::new(&deps.metadata, client, (org, &route.write_route.connection_id));
        let fields: Vec<JsonObject> = self.new.records.iter().map(|record| record.fields.clone()).collect();
        let rows = self.rows(&fields);
        let refused = refusal(reader.check(&rows).await)?;
        let (schema, failed) = reader.schema(&rows).await?;
        if let Some((_, error)) = failed.into_iter().find(|(object, _)| *object == self.object) {
            return Err(error.into());
        }
        let picklists = requested_picklists(&schema, &rows).len();
        let claims = deps.client_keys.look_up(org, &self.client_keys()).await?;
        let unanswered = claims.iter().filter(|claim| matches!(claim, Claimed::Sent(_))).count();
        let unknown = claims.iter().filter(|claim| !matches!(claim, Claimed::Created { .. })).count();
        let records: Vec<RecordPlan> = match schema.object(&self.object) {
            None => fields.iter().map(|_| RecordPlan::unknown()).collect(),
            Some(describe) => {
                let sent = match route.owner_id {
                    Some(owner) => ownership::new_with_owner(fields, owner, describe),
                    None => fields,
                };
                let plan = |(fields, claim): (&JsonObject, Claimed)| match claim {
                    Claimed::Yes => RecordPlan::created(describe, fields),
                    Claimed::Sent(_) => RecordPlan::unknown(),
                    Claimed::Created { record, .. } => RecordPlan::known(record),
                };
                sent.iter().zip(claims).map(plan).collect()
            }
        };
        let calls = vec![
            ("describe", 1),
            ("picklists", picklists),
            ("existing_records", unanswered.min(1)),
            ("write", unknown.min(1)),
        ];
        Ok(Planned { calls, plan: RecordsPlan::new(self.new.all_or_none, records, refused) })
    }
}

impl RecordPlan {
    /// Returns the plan of a record that its client key has created: it stays as it is.
    fn known(id: RecordId) -> Self {
        Self { action: PlannedAction::Unchanged, id: Some(id), ..Self::unknown() }
    }
}
