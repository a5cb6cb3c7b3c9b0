//! Records looked up, counted and rendered as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::Error;
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Live records by object; objects without any are left out.
pub(crate) fn record_counts(org: &Org) -> BTreeMap<String, usize> {
    let count = |name: &str| org.store.table(name).map_or(0, crate::model::store::Table::live);
    org.schema.objects().map(|object| (object.name.clone(), count(&object.name))).filter(|(_, n)| *n > 0).collect()
}

/// All fields of a record, deleted or not.
pub(crate) fn record(org: &Org, object: &str, id: &str) -> Option<Map<String, Json>> {
    let object = org.schema.object(object)?;
    let row = org.store.get(&object.name, RecordId::parse(id)?)?;
    Some(org.render_all(object, row, "66.0"))
}

/// Reads the id of a record.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Error> {
    RecordId::parse(text).ok_or_else(|| Error::Unknown { what: "record", name: text.to_owned() })
}
