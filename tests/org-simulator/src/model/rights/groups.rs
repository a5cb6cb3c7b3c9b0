//! Permission set groups. Each owns a permission set that has the permissions of all sets of the group; it is assigned with the
//! group (Object Reference, `PermissionSetGroup`, `PermissionSetGroupComponent` and `PermissionSetAssignment`).
//!
//! Salesforce computes that set after a while and shows it by the group's status; here it is up to date at once.

use std::collections::BTreeMap;

use super::SYSTEM_PERMISSIONS;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::Value;

const GROUP: &str = "PermissionSetGroup";
const OBJECTS: &str = "ObjectPermissions";
const ON_OBJECTS: [&str; 6] = [
    "PermissionsRead",
    "PermissionsCreate",
    "PermissionsEdit",
    "PermissionsDelete",
    "PermissionsViewAllRecords",
    "PermissionsModifyAllRecords",
];

impl Org {
    /// Adds the permission set of a new group.
    pub(crate) fn add_set_of_group(&mut self, group: RecordId) {
        let Some(row) = self.store.get(GROUP, group) else { return };
        let (name, label) = (self.value(GROUP, row, "DeveloperName"), self.value(GROUP, row, "MasterLabel"));
        let fields = [
            ("Name", name.clone()),
            ("Label", label.clone()),
            ("Type", Value::text("Group")),
            ("IsCustom", Value::Bool(true)),
            ("PermissionSetGroupId", Value::Id(group)),
        ];
        let author = Some(self.id);
        self.insert_row(author, "PermissionSet", &fields);
    }

    /// Returns the permission set of a group.
    pub(crate) fn set_of_group(&self, group: RecordId) -> Option<RecordId> {
        self.rows_below("PermissionSet", "PermissionSetGroupId", group).first()?.id()
    }

    /// Gives the permission set of every group the permissions of the group's sets.
    pub(super) fn combine_groups(&mut self) {
        let groups = self.store.table(GROUP).into_iter().flat_map(|table| table.rows());
        let groups: Vec<RecordId> = groups.filter(|row| !row.is_deleted()).filter_map(|row| row.id()).collect();
        for group in groups {
            if let Some(set) = self.set_of_group(group) {
                self.combine(set, &self.sets_in(group));
            }
        }
    }

    fn sets_in(&self, group: RecordId) -> Vec<RecordId> {
        let object = "PermissionSetGroupComponent";
        let rows = self.rows_below(object, "PermissionSetGroupId", group);
        rows.iter().filter_map(|row| self.value(object, row, "PermissionSetId").as_id()).collect()
    }

    fn combine(&mut self, whole: RecordId, parts: &[RecordId]) {
        let has = |field: &str| parts.iter().any(|set| self.has_permission_in(*set, field));
        let system = SYSTEM_PERMISSIONS.map(|field| (field, Value::Bool(has(field))));
        let mut objects: BTreeMap<String, [bool; 6]> = BTreeMap::new();
        for row in parts.iter().flat_map(|set| self.rows_below(OBJECTS, "ParentId", *set)) {
            let of = objects.entry(self.value(OBJECTS, &row, "SobjectType").as_text().to_owned()).or_default();
            for (known, field) in of.iter_mut().zip(ON_OBJECTS) {
                *known |= *self.value(OBJECTS, &row, field) == Value::Bool(true);
            }
        }
        self.set_fields("PermissionSet", whole, &system);
        let former = self.rows_below(OBJECTS, "ParentId", whole);
        if let Some(object) = self.schema.object(OBJECTS).cloned() {
            former.iter().filter_map(|row| row.id()).for_each(|id| self.store.purge(&object, id));
        }
        let author = Some(self.id);
        for (name, flags) in objects {
            let mut fields = vec![("ParentId", Value::Id(whole)), ("SobjectType", Value::text(name))];
            fields.extend(ON_OBJECTS.into_iter().zip(flags.map(Value::Bool)));
            self.insert_row(author, OBJECTS, &fields);
        }
    }
}
