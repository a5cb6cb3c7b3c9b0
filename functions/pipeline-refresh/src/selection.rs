//! Chooses the fields that a scan reads of an object.

use mirroring::ObjectFields;
use salesforce::{FieldName, Record};
use serde::Serialize;
use store::{Position, ScanKey};

use crate::scan::{FIRST, PageFault};

/// The bytes for encoded field names in a query's URL. URL and headers may have 16,384 bytes
/// (shared/salesforce/FACTS.md 4).
const MAX_FIELDS_BYTES: usize = 12_000;

/// The fields beside the id and the version that a query by keys selects, if the object has them: those that explain a deletion or
/// merge, and other keys of a scan.
const KEY_FIELDS: [FieldName; 4] = [
    FieldName::from_static("IsDeleted"),
    FieldName::from_static("MasterRecordId"),
    FieldName::from_static("LastModifiedDate"),
    FieldName::from_static("CreatedDate"),
];

/// A reason for which an object cannot be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The connection cannot see the object, or the org does not have it.
    Invisible,
    /// The object cannot be queried.
    NotQueryable,
    /// Its records have no `SystemModstamp` or no `Id`.
    WithoutSystemModstamp,
    /// The org's settings leave the object out.
    NotMirrored,
    /// The object's backfill is not complete, so there is nothing to audit yet.
    NotCopied,
}

/// The fields that a scan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Each query selects all fields.
    Rows(Vec<FieldName>),
    /// More fields than fit into a URL: queries select the keys, and the rows are retrieved by id.
    KeysThenRows {
        /// The fields of the query.
        keys: Vec<FieldName>,
        /// The fields that are retrieved.
        fields: Vec<FieldName>,
    },
}

impl Skip {
    /// Returns the reason as a stable code.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Invisible => "object_not_visible",
            Self::NotQueryable => "object_not_queryable",
            Self::WithoutSystemModstamp => "object_without_system_modstamp",
            Self::NotMirrored => "object_not_mirrored",
            Self::NotCopied => "backfill_not_complete",
        }
    }
}

impl Selection {
    /// Chooses how an object is read.
    ///
    /// # Errors
    /// The object cannot be scanned.
    pub fn of(object: &ObjectFields) -> Result<Self, Skip> {
        let fields = object.selected.clone();
        if !object.queryable {
            return Err(Skip::NotQueryable);
        }
        if !fields.contains(&FieldName::ID) || !fields.contains(&FieldName::SYSTEM_MODSTAMP) {
            return Err(Skip::WithoutSystemModstamp);
        }
        Ok(Self::fitting(fields))
    }

    /// Chooses how these fields are read, the keys among them.
    #[must_use]
    pub fn fitting(fields: Vec<FieldName>) -> Self {
        // A comma and a space take six bytes once they are encoded.
        let encoded: usize = fields.iter().map(|field| field.as_str().len() + 6).sum();
        let rows = Self::Rows(fields);
        if encoded <= MAX_FIELDS_BYTES { rows } else { rows.by_keys() }
    }

    /// Returns the selection of the same fields by key.
    #[must_use]
    pub fn by_keys(&self) -> Self {
        let fields = self.fields().to_vec();
        let mut keys = vec![FieldName::ID, FieldName::SYSTEM_MODSTAMP];
        keys.extend(KEY_FIELDS.into_iter().filter(|field| fields.contains(field)));
        Self::KeysThenRows { keys, fields }
    }

    /// Returns the fields of a row.
    #[must_use]
    pub fn fields(&self) -> &[FieldName] {
        match self {
            Self::Rows(fields) | Self::KeysThenRows { fields, .. } => fields,
        }
    }

    /// Returns the fields that a query selects.
    #[must_use]
    pub fn queried(&self) -> &[FieldName] {
        match self {
            Self::Rows(fields) => fields,
            Self::KeysThenRows { keys, .. } => keys,
        }
    }
}

/// Returns the positions of a page's rows: their versions and ids.
///
/// # Errors
/// [`PageFault::WithoutKey`] when a row has no `SystemModstamp`.
pub fn positions(rows: &[Record]) -> Result<Vec<Position>, PageFault> {
    positions_by(rows, ScanKey::SystemModstamp)
}

/// Returns the positions of a page's rows in the order of a scan: the values of its key in place of the versions. In the order of
/// the ids all have the same time.
///
/// # Errors
/// [`PageFault::WithoutKey`] when a row lacks the key.
pub fn positions_by(rows: &[Record], key: ScanKey) -> Result<Vec<Position>, PageFault> {
    let field = key.field();
    let position = |row: &Record| {
        let value = if key == ScanKey::Id { Some(FIRST) } else { row.datetime(field.as_str()) };
        Ok(Position { system_modstamp: value.ok_or(PageFault::WithoutKey)?, record_id: row.id })
    };
    rows.iter().map(position).collect()
}

#[cfg(test)]
mod tests {
    use salesforce::ObjectName;
    use serde_json::{Value, json};

    use super::*;

    fn object(fields: &[&str]) -> ObjectFields {
        let selected = fields.iter().map(|name| name.parse().unwrap()).collect();
        ObjectFields { queryable: true, selected, ..ObjectFields::default() }
    }

    fn row(fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("not a JSON object") };
        Record { object: ObjectName::from_static("Account"), id: "0015e00000ZkM3hAAF".parse().unwrap(), fields }
    }

    #[test]
    fn an_object_with_few_fields_is_read_by_queries_alone() {
        let selection = Selection::of(&object(&["Id", "IsDeleted", "SystemModstamp", "Name"])).unwrap();
        assert_eq!(selection.queried().len(), 4);
        assert!(matches!(selection, Selection::Rows(_)));
    }

    #[test]
    fn an_object_with_too_many_fields_for_a_url_is_read_by_keys() {
        let names: Vec<String> = (0..700).map(|n| format!("A_rather_long_name_{n}__c")).collect();
        let mut fields = vec!["Id", "IsDeleted", "SystemModstamp", "MasterRecordId"];
        fields.extend(names.iter().map(String::as_str));

        let selection = Selection::of(&object(&fields)).unwrap();
        let queried: Vec<_> = selection.queried().iter().map(FieldName::as_str).collect();
        assert_eq!(queried, ["Id", "SystemModstamp", "IsDeleted", "MasterRecordId"]);
    }

    #[test]
    fn an_object_that_cannot_be_scanned_is_skipped_with_the_reason() {
        assert_eq!(Selection::of(&object(&["Id", "IsDeleted"])), Err(Skip::WithoutSystemModstamp));
        let hidden = ObjectFields { queryable: false, ..object(&["Id", "IsDeleted", "SystemModstamp"]) };
        assert_eq!(Selection::of(&hidden), Err(Skip::NotQueryable));
    }

    #[test]
    fn a_row_without_system_modstamp_is_a_fault() {
        assert_eq!(positions(&[row(json!({"IsDeleted": false}))]), Err(PageFault::WithoutKey));
    }
}
