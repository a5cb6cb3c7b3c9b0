//! The plan of a write of records: what it would do with each record, and what would be refused. It reads the existing records
//! through the connection that would write.

mod create;
mod difference;
mod graph;
mod reading;
mod upsert;

use std::collections::BTreeMap;

use salesforce::{JsonObject, ObjectDescribe, RecordId};
use serde::Serialize;
use writes::{Defect, DefectCode, Error, Hidden};

use crate::create::CLIENT_KEY;

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
    /// The connection's user cannot look for the record, or a request without a response may have created it.
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

impl RecordsPlan {
    /// Returns the plan of a write that is refused as a whole for the defects of `refused`, if there are any.
    fn new(all_or_none: bool, mut records: Vec<RecordPlan>, refused: Vec<Defect>) -> Self {
        let is_refused = !refused.is_empty();
        let mut defects = Vec::new();
        for defect in refused {
            match defect.record.and_then(|index| records.get_mut(index)) {
                Some(record) if record.has(&defect) => {}
                Some(record) => record.defects.push(defect),
                None => defects.push(defect),
            }
        }
        let result = PlannedResult::of(is_refused, all_or_none, &records);
        Self { all_or_none, result, consequence: result.consequence(), records, defects }
    }
}

impl RecordPlan {
    fn unknown() -> Self {
        Self { action: PlannedAction::Unknown, id: None, differences: BTreeMap::new(), defects: Vec::new() }
    }

    /// Returns whether the field, or the record, has a defect of the same kind.
    fn has(&self, defect: &Defect) -> bool {
        self.defects.iter().any(|known| (&known.field, known.code) == (&defect.field, defect.code))
    }

    /// Returns the plan of a record that a client key names, and that does not exist.
    fn created(describe: &ObjectDescribe, fields: &JsonObject) -> Self {
        let differences = difference::of(describe, &CLIENT_KEY, fields, None);
        Self { action: PlannedAction::Create, differences, ..Self::unknown() }
    }
}

/// Returns the defects for which a write is refused.
///
/// # Errors
/// Those that are no refusal.
fn refusal<T>(examined: Result<T, Error>) -> Result<Vec<Defect>, Error> {
    match examined {
        Ok(_) => Ok(Vec::new()),
        Err(Error::Refused(defects) | Error::Invalid(defects)) => Ok(defects),
        Err(Error::Hidden(hidden)) => Ok(vec![defect_of(&hidden)]),
        Err(error) => Err(error),
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
