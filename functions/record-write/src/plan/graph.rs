//! The plan of a graph.

use runtime::Schema;
use salesforce::{Client, ExternalIdType, JsonObject, OrgId, RecordId};
use store::owner_policy::Route;
use writes::{Error, Planned, PlannedOperation};

use super::{PlannedAction, RecordPlan, RecordsPlan, reading, refusal};
use crate::check::{Action, check};
use crate::graph::{batches, in_fields};
use crate::metadata::{MetadataReader, requested_picklists};
use crate::target::Target;
use crate::{Deps, Graph, Upsert, ownership};

impl PlannedOperation for Graph {
    type Plan = RecordsPlan;

    async fn plan(
        &self,
        deps: &Deps,
        client: &Client,
        route: &Route,
        org: OrgId,
    ) -> Result<Planned<RecordsPlan>, Error> {
        let mut reader = MetadataReader::new(&deps.metadata, client, (org, &route.write_route.connection_id));
        let mut refused = refusal(self.check(&mut reader).await)?;
        let fields = self.checked_fields();
        let rows = self.rows(&fields);
        let (schema, failed) = reader.schema(&rows).await?;
        if let Some((_, error)) = failed.into_iter().find(|(object, _)| rows.iter().any(|row| row.object == object)) {
            return Err(error.into());
        }
        if refused.is_empty() {
            refused = refusal(self.check_references(&schema))?;
        }
        let (mut records, queries) = self.find(client, &schema, route.owner_id).await?;
        self.add_defects(&mut reader, &schema, &mut records).await;
        let picklists = requested_picklists(&schema, &rows).len();
        let calls = vec![("describe", 1), ("picklists", picklists), ("existing_records", queries), ("write", 1)];
        Ok(Planned { calls, plan: RecordsPlan::new(true, records, refused) })
    }
}

impl Graph {
    /// Returns the plan of each record, and the number of queries with which the write looks for those that keep their owners.
    async fn find(
        &self,
        client: &Client,
        schema: &Schema,
        owner: Option<RecordId>,
    ) -> Result<(Vec<RecordPlan>, usize), Error> {
        let mut records: Vec<RecordPlan> = self.0.records.iter().map(|_| RecordPlan::unknown()).collect();
        let mut queries = 0;
        for (batch, object, positions) in batches(&self.0.records) {
            let Some(describe) = schema.object(object) else { continue };
            let owner = owner.filter(|_| Target::new(describe).has_owner);
            let Some(batch) = batch else {
                for at in positions {
                    records[at] = RecordPlan::created(describe, &with_owner(&self.0.records[at].fields, owner));
                }
                continue;
            };
            let upsert = Upsert { object: object.clone(), batch };
            let Ok((_, key_type)) = upsert.described(schema) else { continue };
            if owner.is_some() {
                queries += ownership::queries(object, &key_type, &upsert.batch).len();
            }
            let existing = reading::existing(&upsert, client, describe, &key_type).await?;
            for (at, found) in positions.into_iter().zip(existing) {
                let owner = owner.filter(|_| found.is_empty() && key_type != ExternalIdType::Id);
                let fields = with_owner(&self.0.records[at].fields, owner);
                records[at] = upsert.plan_record((describe, &key_type), &fields, &found);
                let defect = upsert.identity_defect(found.len(), &key_type);
                records[at].defects.extend(defect.map(|defect| in_fields(defect).of_record(at)));
            }
        }
        Ok((records, queries))
    }

    /// Checks the records, of which it is known whether they exist.
    async fn add_defects(&self, reader: &mut MetadataReader<'_>, schema: &Schema, plans: &mut [RecordPlan]) {
        let fields = self.checked_fields();
        let mut rows = self.rows(&fields);
        for (row, plan) in rows.iter_mut().zip(plans.iter()) {
            row.action = match plan.action {
                PlannedAction::Create => Action::Create,
                PlannedAction::Update | PlannedAction::Unchanged => Action::Update,
                PlannedAction::Unknown => row.action,
            };
        }
        let picklists = reader.picklists(schema, &rows).await;
        for defect in check(schema, &picklists, &rows) {
            if let Some(plan) = defect.record.and_then(|index| plans.get_mut(index)) {
                plan.defects.push(in_fields(defect));
            }
        }
    }
}

fn with_owner(fields: &JsonObject, owner: Option<RecordId>) -> JsonObject {
    let mut fields = fields.clone();
    if let Some(owner) = owner {
        ownership::add_owner(&mut fields, owner);
    }
    fields
}
