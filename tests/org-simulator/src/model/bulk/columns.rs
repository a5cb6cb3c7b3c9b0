//! The columns of an upload, resolved against the schema.

use serde_json::{Map, Value as Json, json};

/// The field or relationship that a column of the upload sets.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Field(String),
    /// A parent record, identified by a key: `Account.Key__c`, or `Lead:Who.Email` where the relationship is
    /// polymorphic.
    Parent {
        relationship: String,
        reference: String,
        key: String,
        kind: Option<String>,
    },
}

/// The columns of an upload, resolved against the schema.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) all: Vec<Column>,
    pub(crate) id: Option<usize>,
    pub(crate) key: Option<usize>,
}

impl Columns {
    /// Returns the fields that a row sets, without the column that identifies the record.
    pub(crate) fn body(&self, values: &[String], found_by: Option<usize>) -> Map<String, Json> {
        let mut body = Map::new();
        for (at, (column, value)) in self.all.iter().zip(values).enumerate() {
            if value.is_empty() || Some(at) == found_by {
                continue;
            }
            let is_null = value == NULL;
            match column {
                Column::Field(name) => {
                    body.insert(name.clone(), if is_null { Json::Null } else { Json::from(value.as_str()) });
                }
                Column::Parent { reference, .. } if is_null => {
                    body.insert(reference.clone(), Json::Null);
                }
                Column::Parent { relationship, key, kind, .. } => {
                    let mut parent = Map::new();
                    if let Some(kind) = kind {
                        parent.insert("attributes".to_owned(), json!({"type": kind}));
                    }
                    parent.insert(key.clone(), Json::from(value.as_str()));
                    body.insert(relationship.clone(), Json::Object(parent));
                }
            }
        }
        body
    }
}

/// Text that sets a field to null; an empty value leaves the field as it is.
pub(crate) const NULL: &str = "#N/A";
