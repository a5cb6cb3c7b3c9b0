//! The part of an org that is mirrored: as the settings of the org say, and the deployment where they say nothing.

use std::collections::BTreeMap;

use salesforce::ObjectName;
use salesforce::soql::Filter;
use serde_json::{Map, Value};
use store::{Change, MirrorRecord, OrgSettings};

use super::{ALWAYS, MirroredFields};

/// The objects and fields of an org that are mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgMirror {
    objects: Vec<ObjectName>,
    fields: MirroredFields,
    filters: BTreeMap<ObjectName, Filter>,
}

impl OrgMirror {
    /// Returns those of an org, where `objects` and `fields` are those of the deployment.
    #[must_use]
    pub fn new(settings: &OrgSettings, objects: &[ObjectName], fields: &MirroredFields) -> Self {
        Self {
            objects: settings.mirrored_objects(objects).to_vec(),
            fields: fields.replaced_by(&settings.fields),
            filters: settings.filters.clone(),
        }
    }

    /// Returns the mirrored objects.
    #[must_use]
    pub fn objects(&self) -> &[ObjectName] {
        &self.objects
    }

    /// Returns the mirrored fields.
    #[must_use]
    pub fn fields(&self) -> &MirroredFields {
        &self.fields
    }

    /// Returns the condition that the mirrored records of an object meet.
    #[must_use]
    pub fn filter(&self, object: &ObjectName) -> Option<&Filter> {
        self.filters.get(object)
    }

    /// Returns the name of an object as it is configured; `None` if it is not mirrored.
    #[must_use]
    pub fn find(&self, object: &ObjectName) -> Option<&ObjectName> {
        self.objects.iter().find(|mirrored| *mirrored == object)
    }

    /// Returns whether the object is mirrored.
    #[must_use]
    pub fn has(&self, object: &ObjectName) -> bool {
        self.find(object).is_some()
    }

    /// Removes what the mirror has of a row's fields although they are not mirrored any more.
    pub fn retain(&self, row: &mut MirrorRecord) {
        let MirrorRecord { object, fields, carried, .. } = row;
        self.fields.retain(object, fields);
        carried.fields.retain(|name, _| fields.contains_key(name));
    }

    /// Removes the fields of a record that are not mirrored.
    pub fn retain_in(&self, change: &mut Change) {
        if let Change::Upsert { record, .. } = change {
            self.fields.retain(&record.object, &mut record.fields);
        }
    }
}

impl MirroredFields {
    /// Returns whether a field of the object is mirrored, if the connection may read it.
    #[must_use]
    pub fn includes(&self, object: &ObjectName, field: &str) -> bool {
        let listed = self.for_object(object);
        listed.is_none_or(|listed| listed.iter().any(|name| name.as_str().eq_ignore_ascii_case(field)))
            || ALWAYS.iter().any(|name| name.as_str() == field)
    }

    /// Removes the fields that are not mirrored.
    pub fn retain(&self, object: &ObjectName, fields: &mut Map<String, Value>) {
        fields.retain(|name, _| self.includes(object, name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");
    const LEAD: ObjectName = ObjectName::from_static("Lead");

    fn mirror(settings: Value) -> OrgMirror {
        let settings = serde_json::from_value(settings).unwrap();
        OrgMirror::new(&settings, &[ACCOUNT, LEAD], &"Lead:Name,Email".parse().unwrap())
    }

    #[test]
    fn what_is_not_set_is_as_deployed() {
        let deployed = mirror(json!({}));
        assert_eq!(deployed.objects(), [ACCOUNT, LEAD]);
        assert!(!deployed.fields.includes(&LEAD, "Phone"));
        let own = mirror(json!({ "objects": ["Account"], "fields": { "Account": ["Name"] } }));
        assert_eq!((own.has(&ACCOUNT), own.has(&LEAD)), (true, false));
        assert!(own.fields.includes(&ACCOUNT, "name") && !own.fields.includes(&ACCOUNT, "Phone"));
    }

    #[test]
    fn fields_that_order_the_versions_of_a_record_are_always_mirrored() {
        let own = mirror(json!({ "fields": { "account": ["Name"] } }));
        let mut fields = json!({ "Id": "1", "Name": "Acme", "Phone": "2", "SystemModstamp": "3", "IsDeleted": false });
        own.fields.retain(&ACCOUNT, fields.as_object_mut().unwrap());
        assert_eq!(fields, json!({ "Id": "1", "Name": "Acme", "SystemModstamp": "3", "IsDeleted": false }));
    }
}
