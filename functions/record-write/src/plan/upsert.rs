//! The plan of an upsert.

use runtime::Schema;
use salesforce::{Client, ExternalIdType, JsonObject, ObjectDescribe, OrgId, Record, RecordId};
use store::owner_policy::Route;
use writes::{Defect, DefectCode, Error, Planned, PlannedOperation};

use super::{PlannedAction, RecordPlan, RecordsPlan, difference, reading, refusal};
use crate::check::{Action, check, find};
use crate::metadata::{MetadataReader, requested_picklists};
use crate::ownership::{self, names_owner};
use crate::{Deps, Upsert};

impl PlannedOperation for Upsert {
    type Plan = RecordsPlan;

    async fn plan(
        &self,
        deps: &Deps,
        client: &Client,
        route: &Route,
        org: OrgId,
    ) -> Result<Planned<RecordsPlan>, Error> {
        let mut reader = self.reader(deps, client, route, org);
        let refused = refusal(self.examine(&mut reader, client, route.owner_id).await)?;
        let schema = self.schema(&mut reader).await?;
        let mut calls = vec![("describe", 1), ("write", 1)];
        let records = match self.described(&schema) {
            Err(_) => self.batch.records.iter().map(|_| RecordPlan::unknown()).collect(),
            Ok((describe, key_type)) => {
                let owner = route.owner_id.filter(|_| find(describe, "OwnerId").is_some());
                if owner.is_some() {
                    calls.push(("existing_records", ownership::queries(&self.object, &key_type, &self.batch).len()));
                }
                let read = reading::existing(self, client, describe, &key_type).await?;
                let (records, picklists) = self.plan_records(&mut reader, (&schema, describe), &read, owner).await;
                calls.push(("picklists", picklists));
                records
            }
        };
        let plan = RecordsPlan::new(self.batch.all_or_none, records, refused);
        Ok(Planned { calls, plan })
    }
}

impl Upsert {
    /// Returns the plan of each record, and the number of record types whose picklist values the check needs.
    async fn plan_records(
        &self,
        reader: &mut MetadataReader<'_>,
        (schema, describe): (&Schema, &ObjectDescribe),
        read: &[Vec<Record>],
        owner: Option<RecordId>,
    ) -> (Vec<RecordPlan>, usize) {
        let key_type = self.described(schema).map_or(ExternalIdType::Id, |(_, key_type)| key_type);
        let action = |found: &Vec<Record>| match found.len() {
            0 if key_type != ExternalIdType::Id => Action::Create,
            _ => Action::Update,
        };
        let actions: Vec<Action> = read.iter().map(action).collect();
        let mut sent = self.batch.records.clone();
        if let Some(owner) = owner {
            for (record, _) in sent.iter_mut().zip(&actions).filter(|(_, action)| **action == Action::Create) {
                ownership::add_owner(record, owner);
            }
        }
        let rows = self.rows(&sent, &actions);
        let picklists = reader.picklists(schema, &rows).await;
        let mut plans: Vec<RecordPlan> = sent
            .iter()
            .zip(read)
            .map(|(record, found)| self.plan_record((describe, &key_type), record, found))
            .collect();
        for defect in check(schema, &picklists, &rows) {
            if let Some(plan) = defect.record.and_then(|index| plans.get_mut(index)) {
                plan.defects.push(defect);
            }
        }
        for (index, plan) in plans.iter_mut().enumerate() {
            let found = read.get(index).map_or(0, Vec::len);
            plan.defects.extend(self.identity_defect(found, &key_type).map(|defect| defect.of_record(index)));
        }
        let known_to_write = |(record, action): (&JsonObject, &Action)| match owner {
            _ if key_type == ExternalIdType::Id => Action::Update,
            Some(_) if !names_owner(record) => *action,
            _ => Action::Upsert,
        };
        let actions: Vec<Action> = self.batch.records.iter().zip(&actions).map(known_to_write).collect();
        let needed = requested_picklists(schema, &self.rows(&sent, &actions)).len();
        (plans, needed)
    }

    pub(super) fn plan_record(
        &self,
        (describe, key_type): (&ObjectDescribe, &ExternalIdType),
        record: &JsonObject,
        found: &[Record],
    ) -> RecordPlan {
        let existing = found.first().filter(|_| found.len() == 1);
        let differences = difference::of(describe, &self.batch.external_id_field, record, existing);
        let action = match (found.len(), differences.is_empty()) {
            (0, _) if *key_type != ExternalIdType::Id => PlannedAction::Create,
            (1, true) => PlannedAction::Unchanged,
            (1, false) => PlannedAction::Update,
            _ => PlannedAction::Unknown,
        };
        RecordPlan { action, id: existing.map(|existing| existing.id), differences, defects: Vec::new() }
    }

    /// Returns the defect of an external id that does not identify one record.
    pub(super) fn identity_defect(&self, found: usize, key_type: &ExternalIdType) -> Option<Defect> {
        let key = self.batch.external_id_field.as_str();
        match found {
            0 if *key_type == ExternalIdType::Id => Some(
                Defect::field(key, "the record does not exist, or the connection's user does not see it")
                    .code(DefectCode::InvalidReference),
            ),
            0 | 1 => None,
            _ => Some(
                Defect::field(key, "several records have this external id: have an administrator of the org merge them, or correct their external ids")
                    .code(DefectCode::SeveralRecords),
            ),
        }
    }
}
