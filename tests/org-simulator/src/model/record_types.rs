//! The record types of an object.

use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

impl Org {
    /// Returns the record types of an object, the master record type last.
    pub(crate) fn record_types(&self, object: &Object) -> Vec<RecordTypeInfo> {
        let default = self.default_record_types.get(&object.name);
        let rows = self.store.table("RecordType").into_iter().flat_map(|table| table.rows());
        let own = rows.filter(|row| self.value("RecordType", row, "SobjectType").as_text() == object.name);
        let mut infos: Vec<RecordTypeInfo> = own
            .filter_map(|row| {
                let text = |field| self.value("RecordType", row, field).as_text().to_owned();
                let id = row.id()?;
                Some(RecordTypeInfo {
                    id: id.to_string(),
                    name: text("Name"),
                    developer_name: text("DeveloperName"),
                    active: *self.value("RecordType", row, "IsActive") == Value::Bool(true),
                    is_default: default == Some(&id),
                    is_master: false,
                })
            })
            .collect();
        infos.push(RecordTypeInfo {
            id: MASTER_RECORD_TYPE.to_owned(),
            name: "Master".to_owned(),
            developer_name: "Master".to_owned(),
            active: true,
            is_default: default.is_none(),
            is_master: true,
        });
        infos
    }
}

/// A record type of an object, as describe lists it.
pub(crate) struct RecordTypeInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) developer_name: String,
    pub(crate) active: bool,
    pub(crate) is_default: bool,
    pub(crate) is_master: bool,
}

/// Id of the master record type, which every object has in every org.
pub(crate) const MASTER_RECORD_TYPE: &str = "012000000000000AAA";
