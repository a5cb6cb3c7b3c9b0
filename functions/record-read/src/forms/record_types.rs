//! The record types among which the user chooses.

use salesforce::{RecordId, RecordTypeInfo};
use serde::Serialize;

use crate::Error;

/// A record type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RecordTypeView {
    id: RecordId,
    label: String,
    developer_name: Option<String>,
    /// `true` for the one that a record without `RecordTypeId` gets.
    default: bool,
    /// `true` for the record type of an object that has no other.
    master: bool,
}

impl From<&RecordTypeInfo> for RecordTypeView {
    fn from(info: &RecordTypeInfo) -> Self {
        Self {
            id: info.record_type_id,
            label: info.name.clone(),
            developer_name: info.developer_name.clone(),
            default: info.default_record_type_mapping,
            master: info.master,
        }
    }
}

/// Returns the record types that the user may choose: the master record type only if there is no other.
pub(super) fn offered(infos: &[RecordTypeInfo]) -> impl Iterator<Item = &RecordTypeInfo> {
    let usable = |info: &&RecordTypeInfo| info.master || info.active && info.available;
    let only_master = !infos.iter().filter(usable).any(|info| !info.master);
    infos.iter().filter(usable).filter(move |info| info.master == only_master)
}

/// Chooses the requested record type, by id or developer name; without a request the user's default, or else the master
/// record type, which Salesforce then uses.
///
/// # Errors
/// [`Error::NoRecordType`]: the user may not choose the requested one.
pub(super) fn choose<'a>(infos: &'a [RecordTypeInfo], requested: Option<&str>) -> Result<&'a RecordTypeInfo, Error> {
    let unknown = || {
        let names = offered(infos).filter_map(|info| info.developer_name.clone()).collect();
        Error::NoRecordType { offered: names }
    };
    let default = infos.iter().find(|info| info.default_record_type_mapping && (info.master || info.available));
    let Some(requested) = requested else {
        return default.or_else(|| infos.iter().find(|info| info.master)).ok_or_else(unknown);
    };
    let id = requested.parse::<RecordId>().ok();
    let is_named = |info: &&RecordTypeInfo| {
        let name = info.developer_name.as_deref();
        Some(info.record_type_id) == id || name.is_some_and(|name| name.eq_ignore_ascii_case(requested))
    };
    let master = infos.iter().filter(|info| info.master);
    offered(infos).chain(master).find(is_named).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(id: &str, name: &str, [available, default, master]: [bool; 3]) -> RecordTypeInfo {
        serde_json::from_value(json!({
            "recordTypeId": id, "name": name, "developerName": name, "active": true, "available": available,
            "defaultRecordTypeMapping": default, "master": master,
        }))
        .unwrap()
    }

    fn name<'a>(infos: &'a [RecordTypeInfo], requested: Option<&str>) -> Option<&'a str> {
        choose(infos, requested).ok().map(|info| info.name.as_str())
    }

    #[test]
    fn the_default_is_chosen_unless_another_is_requested() {
        let infos = [
            info("012000000000001", "New", [true, false, false]),
            info("012000000000002", "Renewal", [true, true, false]),
            info("012000000000003", "Hidden", [false, false, false]),
            info("012000000000000", "Master", [true, false, true]),
        ];
        assert_eq!(name(&infos, None), Some("Renewal"));
        assert_eq!(name(&infos, Some("new")), Some("New"));
        assert_eq!(name(&infos, Some("012000000000001AAA")), Some("New"));
        assert_eq!(offered(&infos).map(|info| info.name.as_str()).collect::<Vec<_>>(), ["New", "Renewal"]);
        for refused in ["Hidden", "012000000000003", "Nope"] {
            let error = choose(&infos, Some(refused)).unwrap_err();
            assert!(matches!(error, Error::NoRecordType { offered } if offered == ["New", "Renewal"]));
        }
    }

    #[test]
    fn an_object_without_record_types_has_the_master_record_type() {
        let infos = [info("012000000000000", "Master", [true, true, true])];
        assert_eq!(name(&infos, None), Some("Master"));
        assert_eq!(offered(&infos).count(), 1);
    }
}
