//! Defects of a request: what has to change, and where.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// The maximum number of defects that a problem lists.
const MAX_LISTED: usize = 100;
/// The maximum size of the allowed values that a problem lists, in bytes: a problem has to fit into the ledger.
const MAX_ALLOWED_BYTES: usize = 32 * 1024;
/// The maximum number of defects that the text of a problem lists.
const MAX_IN_TEXT: usize = 20;
/// The maximum number of allowed values that a defect lists.
pub const MAX_ALLOWED: usize = 50;

/// A defect of a request: its place, and the change that is needed there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// The position in `records`, from 0; `None` for a request without records, or for a defect of all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<usize>,
    /// The member of the body or the field of the record, as the request spells it: `title`, `links[2]`, `Name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The kind of defect, for programs.
    pub code: DefectCode,
    /// The change that is needed, or the fault: it reads after the place and a colon.
    pub detail: Cow<'static, str>,
    /// The first values that are allowed, where they can be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// The kind of a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DefectCode {
    /// The request itself is wrong, in every org.
    Malformed,
    /// The object does not exist, or is hidden from the connection's user.
    ObjectNotVisible,
    /// The connection's user may not create, or not update, records of the object.
    ObjectReadOnly,
    /// The field does not exist, or is hidden from the connection's user.
    FieldNotVisible,
    /// The connection's user may not set the field.
    FieldReadOnly,
    /// A new record needs a value, or an existing one must not lose it.
    Required,
    /// The value is of another type than the field.
    WrongType,
    /// The text has more characters than the field.
    TooLong,
    /// The number has more digits than the field.
    TooManyDigits,
    /// The picklist has no such value.
    UnknownPicklistValue,
    /// The value of the controlling field does not allow the picklist value.
    UnknownDependentValue,
    /// The record type does not exist, or is not available to the connection's user.
    RecordTypeNotAvailable,
    /// The reference names an object or a field that it cannot name.
    InvalidReference,
    /// Several records have the external id.
    SeveralRecords,
}

impl DefectCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::ObjectNotVisible,
        Self::ObjectReadOnly,
        Self::FieldNotVisible,
        Self::FieldReadOnly,
        Self::Required,
        Self::WrongType,
        Self::TooLong,
        Self::TooManyDigits,
        Self::UnknownPicklistValue,
        Self::UnknownDependentValue,
        Self::RecordTypeNotAvailable,
        Self::InvalidReference,
        Self::SeveralRecords,
    ];

    /// Returns whether an administrator of the org can remove the defect by a permission.
    #[must_use]
    pub fn is_permission(self) -> bool {
        matches!(self, Self::ObjectNotVisible | Self::ObjectReadOnly | Self::FieldNotVisible | Self::FieldReadOnly)
    }
}

impl Defect {
    /// Creates a defect of the whole request.
    #[must_use]
    pub fn whole(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { record: None, field: None, code: DefectCode::Malformed, detail: detail.into(), allowed: Vec::new() }
    }

    /// Creates a defect of a member of the body.
    #[must_use]
    pub fn field(field: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::whole(detail) }
    }

    /// Creates a defect of a record.
    #[must_use]
    pub fn record(record: usize, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { record: Some(record), ..Self::whole(detail) }
    }

    /// Places the defect in a record.
    #[must_use]
    pub fn of_record(self, record: usize) -> Self {
        Self { record: Some(record), ..self }
    }

    /// Sets the kind of the defect.
    #[must_use]
    pub fn code(self, code: DefectCode) -> Self {
        Self { code, ..self }
    }

    /// Lists the first [`MAX_ALLOWED`] allowed values.
    #[must_use]
    pub fn allowed(self, values: impl IntoIterator<Item = String>) -> Self {
        Self { allowed: values.into_iter().take(MAX_ALLOWED).collect(), ..self }
    }
}

impl fmt::Display for Defect {
    /// Writes `records[3].Name: the field occurs more than once` or `links[2]: must be a record id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.record, &self.field) {
            (Some(record), Some(field)) => write!(f, "records[{record}].{field}: {}", self.detail),
            (Some(record), None) => write!(f, "records[{record}]: {}", self.detail),
            (None, Some(field)) => write!(f, "{field}: {}", self.detail),
            (None, None) => f.write_str(&self.detail),
        }
    }
}

/// Returns the text of the first defects.
pub(super) fn text(defects: &[Defect]) -> String {
    defects.iter().take(MAX_IN_TEXT).map(Defect::to_string).collect::<Vec<_>>().join("; ")
}

/// Returns the first defects, and of the allowed values those that fit.
pub(super) fn listed(defects: Vec<Defect>) -> Vec<Defect> {
    let mut left = MAX_ALLOWED_BYTES;
    let bounded = |defect: Defect| {
        let bytes = defect.allowed.iter().map(|value| value.len() + 3).sum::<usize>();
        match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                defect
            }
            None => Defect { allowed: Vec::new(), ..defect },
        }
    };
    defects.into_iter().take(MAX_LISTED).map(bounded).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_defect_names_its_place_and_its_kind() {
        let defect = Defect::field("Name", "must be shorter").of_record(3).code(DefectCode::TooLong);
        assert_eq!(defect.to_string(), "records[3].Name: must be shorter");
        let expected = json!({"record": 3, "field": "Name", "code": "too_long", "detail": "must be shorter"});
        assert_eq!(serde_json::to_value(&defect).unwrap(), expected);
        let whole = serde_json::to_value(Defect::whole("must be an object")).unwrap();
        assert_eq!(whole, json!({"code": "malformed", "detail": "must be an object"}));
    }

    #[test]
    fn every_kind_is_listed_once() {
        let distinct: BTreeSet<_> = DefectCode::ALL.into_iter().collect();
        assert_eq!(distinct.len(), DefectCode::ALL.len());
    }

    #[test]
    fn the_list_of_a_problem_is_bounded() {
        let values = (0..60).map(|n| format!("{n:0>100}"));
        let defect = Defect::field("Industry", "wrong").allowed(values);
        assert_eq!(defect.allowed.len(), MAX_ALLOWED);
        let listed = listed(vec![defect; 200]);
        assert_eq!(listed.len(), MAX_LISTED);
        assert!(!listed[0].allowed.is_empty() && listed[MAX_LISTED - 1].allowed.is_empty());
        assert!(serde_json::to_vec(&listed).unwrap().len() < 64 * 1024);
    }
}
