//! The plan of an upsert: what it would do with each record, and what would be refused. It reads the existing records through
//! the connection that would write.

mod difference;
mod reading;

use std::collections::BTreeMap;

use runtime::Schema;
use salesforce::{Client, ExternalIdType, JsonObject, ObjectDescribe, OrgId, Record, RecordId};
use serde::Serialize;
use serde_json::Value;
use store::owner_policy::Route;
use writes::{Defect, DefectCode, Error, Hidden, Planned, PlannedOperation};

use crate::check::{Action, check, find, needed_picklists};
use crate::metadata::MetadataReader;
use crate::ownership::{self, names_owner};
use crate::{Deps, Upsert};

use difference::Difference;

/// The plan of a write of records.
#[derive(Debug, Serialize)]
pub struct RecordsPlan {
    all_or_none: bool,
    result: PlannedResult,
    /// The result in a sentence.
    consequence: &'static str,
    /// The plan of each record, in the order of the request.
    records: Vec<RecordPlan>,
    /// The defects of the request as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    defects: Vec<Defect>,
}

/// The result of a write, as far as it is known before. Triggers, rules and locks of the org may still refuse a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PlannedResult {
    /// Every record is written.
    Written,
    /// Salesforce refuses some records and writes the others.
    PartlyWritten,
    /// Salesforce refuses some records, and so writes none.
    RolledBack,
    /// The request is refused, and nothing is sent.
    Refused,
}

/// The plan of one record.
#[derive(Debug, Serialize)]
struct RecordPlan {
    action: PlannedAction,
    /// The id of the existing record.
    id: Option<RecordId>,
    /// The fields whose values change.
    differences: BTreeMap<String, Difference>,
    defects: Vec<Defect>,
}

/// The effect of the write on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PlannedAction {
    /// The record is created.
    Create,
    /// Values of the existing record change.
    Update,
    /// The existing record has all of the values.
    Unchanged,
    /// The connection's user cannot look for the record.
    Unknown,
}

impl PlannedResult {
    fn of(is_refused: bool, all_or_none: bool, records: &[RecordPlan]) -> Self {
        match records.iter().any(|record| !record.defects.is_empty()) {
            _ if is_refused => Self::Refused,
            false => Self::Written,
            true if all_or_none => Self::RolledBack,
            true => Self::PartlyWritten,
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Written => "Every record would be written, unless a rule of the org refuses it.",
            Self::PartlyWritten => "Salesforce would refuse the records that have defects, and write the others.",
            Self::RolledBack => {
                "Salesforce would refuse the records that have defects, and because of all_or_none write none."
            }
            Self::Refused => "The request would be refused, and nothing would be sent to Salesforce.",
        }
    }
}

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
        let refused = match self.examine(&mut reader, client, route.owner_id).await {
            Ok(_) => Vec::new(),
            Err(Error::Refused(defects) | Error::Invalid(defects)) => defects,
            Err(Error::Hidden(hidden)) => vec![defect_of(&hidden)],
            Err(error) => return Err(error),
        };
        let schema = self.schema(&mut reader).await?;
        let mut calls = vec![("describe", 1), ("write", 1)];
        let mut records = match self.described(&schema) {
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
        let (of_records, of_request): (Vec<_>, Vec<_>) =
            refused.iter().cloned().partition(|defect| defect.record.is_some());
        for defect in of_records {
            let of_record = defect.record.and_then(|index| records.get_mut(index));
            if let Some(record) = of_record.filter(|record| !record.defects.contains(&defect)) {
                record.defects.push(defect);
            }
        }
        let result = PlannedResult::of(!refused.is_empty(), self.batch.all_or_none, &records);
        let (all_or_none, consequence) = (self.batch.all_or_none, result.consequence());
        let plan = RecordsPlan { all_or_none, result, consequence, records, defects: of_request };
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
                if !names_owner(record) {
                    record.insert("OwnerId".to_owned(), Value::String(owner.to_string()));
                }
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
        let needed = needed_picklists(schema, &self.rows(&sent, &actions)).len();
        (plans, needed)
    }

    fn plan_record(
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
    fn identity_defect(&self, found: usize, key_type: &ExternalIdType) -> Option<Defect> {
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

impl RecordPlan {
    fn unknown() -> Self {
        Self { action: PlannedAction::Unknown, id: None, differences: BTreeMap::new(), defects: Vec::new() }
    }
}

fn defect_of(hidden: &Hidden) -> Defect {
    let text = hidden.to_string();
    match hidden {
        Hidden::Object(_) => Defect::whole(text).code(DefectCode::ObjectNotVisible),
        Hidden::Key(_, key) => Defect::field(key.to_string(), text).code(DefectCode::FieldNotVisible),
        Hidden::NotAKey(_, key) => Defect::field(key.to_string(), text),
    }
}
