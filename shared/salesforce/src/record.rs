//! Records as Salesforce answers them, without the `attributes` that it adds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ObjectName, RecordId, datetime};

/// A JSON object; the order of its keys is kept.
pub type JsonObject = Map<String, Value>;

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The object that the record is of.
    pub object: ObjectName,
    /// Its id.
    pub id: RecordId,
    /// What was selected, by API name, `Id` included where it was; a parent is an object or null,
    /// and `attributes` are gone at every depth.
    pub fields: JsonObject,
}

impl Record {
    /// When the record last changed in any way, where `SystemModstamp` was selected.
    pub fn system_modstamp(&self) -> Option<Timestamp> {
        datetime::parse(self.text("SystemModstamp")?).ok()
    }

    /// The text of a field; `None` when it is absent, null or not a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }
}
