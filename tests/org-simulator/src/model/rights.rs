//! The rights of users: the system permissions and the permission View All Records, which come from the profile and from
//! permission sets. They are served as `PermissionSet`, `PermissionSetAssignment`, `ObjectPermissions` and
//! `UserPermissionAccess` (Object Reference, the pages of these objects).
//!
//! The profile System Administrator has all system permissions of [`SYSTEM_PERMISSIONS`]; every other profile has View Setup
//! and Configuration only. The simulator writes rows of `ObjectPermissions` only for View All Records and Modify All Records;
//! what a profile restricts is in [`super::profiles`].

mod groups;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::{ADMIN_PROFILE, Org};
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The fields of the system permissions in `PermissionSet` and `UserPermissionAccess`.
const SYSTEM_PERMISSIONS: [&str; 4] =
    ["PermissionsCustomizeApplication", "PermissionsModifyAllData", "PermissionsViewAllData", "PermissionsViewSetup"];

/// A permission set to create and assign to a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermissionSet {
    /// System permissions, without the prefix `Permissions`: `ViewAllData`, `ModifyAllData`, `CustomizeApplication`,
    /// `ViewSetup`.
    pub system: Vec<String>,
    /// Objects with the permission View All Records.
    pub view_all: Vec<String>,
    /// Objects with the permission Modify All Records, which includes View All Records.
    pub modify_all: Vec<String>,
}

impl Org {
    /// Creates the permission set and assigns it to the user.
    pub(crate) fn assign(&mut self, username: &str, granted: &PermissionSet) -> Result<(), Error> {
        let unknown = |what, name: &str| Error::Unknown { what, name: name.to_owned() };
        let user = self.user_named(username).ok_or_else(|| unknown("user", username))?;
        let mut fields = vec![
            ("IsOwnedByProfile", Value::Bool(false)),
            ("Name", Value::text("Granted")),
            ("Label", Value::text("Granted")),
            ("IsCustom", Value::Bool(true)),
        ];
        for name in &granted.system {
            let field = SYSTEM_PERMISSIONS.iter().find(|field| field.strip_prefix("Permissions") == Some(name));
            fields.push((field.ok_or_else(|| unknown("system permission", name))?, Value::Bool(true)));
        }
        let named = |names: &[String]| names.iter().map(|name| self.object(name)).collect::<Result<Vec<_>, _>>();
        let (viewed, modified) = (named(&granted.view_all)?, named(&granted.modify_all)?);
        let set = self.insert_setup("PermissionSet", &fields);
        for object in &viewed {
            self.set_all_records(set, &object.name, (true, false));
        }
        for object in &modified {
            self.set_all_records(set, &object.name, (true, true));
        }
        self.assign_set(user, set);
        self.show_rights(user);
        self.store.commit();
        Ok(())
    }

    /// Sets View All Records and Modify All Records of a permission set on an object.
    pub(crate) fn set_all_records(&mut self, set: RecordId, object: &str, (view, modify): (bool, bool)) {
        let rows = self.rows_below("ObjectPermissions", "ParentId", set);
        let known = rows.iter().find(|row| self.value("ObjectPermissions", row, "SobjectType").as_text() == object);
        let mut fields = vec![
            ("PermissionsViewAllRecords", Value::Bool(view || modify)),
            ("PermissionsModifyAllRecords", Value::Bool(modify)),
        ];
        match known.and_then(|row| row.id()) {
            Some(id) => return self.set_fields("ObjectPermissions", id, &fields),
            None if !view && !modify => return,
            None => {}
        }
        fields.push(("ParentId", Value::Id(set)));
        fields.push(("SobjectType", Value::text(object)));
        let usual = ["PermissionsRead", "PermissionsCreate", "PermissionsEdit", "PermissionsDelete"];
        fields.extend(usual.map(|field| (field, Value::Bool(modify || field == "PermissionsRead"))));
        let author = Some(self.id);
        self.insert_row(author, "ObjectPermissions", &fields);
    }

    /// Creates the permission set of a new profile.
    pub(crate) fn add_profile_rights(&mut self, profile: RecordId, name: &str) {
        let has = |field: &str| name == ADMIN_PROFILE || field == "PermissionsViewSetup";
        let mut fields = vec![
            ("IsOwnedByProfile", Value::Bool(true)),
            ("ProfileId", Value::Id(profile)),
            ("Name", Value::text(format!("X{profile}"))),
        ];
        fields.extend(SYSTEM_PERMISSIONS.map(|field| (field, Value::Bool(has(field)))));
        self.insert_setup("PermissionSet", &fields);
    }

    /// Assigns the permission set of the profile to a user, in place of that of another profile.
    pub(crate) fn add_user_rights(&mut self, user: RecordId, profile: RecordId) {
        let assigned = self.rows_below("PermissionSetAssignment", "AssigneeId", user);
        let of_profile = |row: &Row| {
            let set = self.value("PermissionSetAssignment", row, "PermissionSetId").as_id();
            let set = set.and_then(|set| self.store.get("PermissionSet", set));
            set.is_some_and(|set| *self.value("PermissionSet", set, "IsOwnedByProfile") == Value::Bool(true))
        };
        let former: Vec<RecordId> = assigned.iter().filter(|row| of_profile(row)).filter_map(|row| row.id()).collect();
        if let Some(object) = self.schema.object("PermissionSetAssignment").cloned() {
            former.into_iter().for_each(|id| self.store.purge(&object, id));
        }
        if let Some(set) = self.set_of_profile(profile) {
            self.assign_set(user, set);
        }
        self.show_rights(user);
    }

    /// Returns the permission set that a profile owns.
    pub(crate) fn set_of_profile(&self, profile: RecordId) -> Option<RecordId> {
        self.rows_below("PermissionSet", "ProfileId", profile).first()?.id()
    }

    /// Combines the permission sets of groups and replaces the rows of `UserPermissionAccess` of all users, after a change of
    /// permission sets, their groups or their assignments.
    pub(crate) fn show_rights_of_everybody(&mut self) {
        self.combine_groups();
        let users = self.store.table("User").into_iter().flat_map(|table| table.rows());
        let users: Vec<RecordId> = users.filter_map(|row| row.id()).collect();
        users.into_iter().for_each(|user| self.show_rights(user));
    }

    /// Adds the rights of profiles and users that a state of an older version does not contain.
    pub(crate) fn add_missing_rights(&mut self) {
        if self.store.table("PermissionSet").is_some_and(|table| table.rows().next().is_some()) {
            return;
        }
        let ids = |object: &str| -> Vec<(RecordId, Row)> {
            let rows = self.store.table(object).into_iter().flat_map(|table| table.rows());
            rows.filter_map(|row| Some((row.id()?, (**row).clone()))).collect()
        };
        let (profiles, users) = (ids("Profile"), ids("User"));
        for (id, row) in profiles {
            let name = self.value("Profile", &row, "Name").as_text().to_owned();
            self.add_profile_rights(id, &name);
        }
        for (id, row) in users {
            if let Some(profile) = self.value("User", &row, "ProfileId").as_id() {
                self.add_user_rights(id, profile);
            }
        }
    }

    fn assign_set(&mut self, user: RecordId, set: RecordId) {
        let fields = [("AssigneeId", Value::Id(user)), ("PermissionSetId", Value::Id(set))];
        let author = Some(self.id);
        self.insert_row(author, "PermissionSetAssignment", &fields);
    }

    /// Replaces the user's row of `UserPermissionAccess`, which only that user sees.
    fn show_rights(&mut self, user: RecordId) {
        let sets = self.sets_of(user);
        let has = |org: &Self, field: &str| sets.iter().any(|set| org.has_permission_in(*set, field));
        let fields = SYSTEM_PERMISSIONS.map(|field| (field, Value::Bool(has(self, field))));
        let known = self.store.table("UserPermissionAccess").into_iter().flat_map(|table| table.rows());
        let known = known.filter(|row| is_of(row, user)).find_map(|row| row.id());
        let id = known.unwrap_or_else(|| self.insert_row(Some(user), "UserPermissionAccess", &[]));
        let Some(object) = self.schema.object("UserPermissionAccess").cloned() else { return };
        let Some(mut row) = self.store.get(&object.name, id).map(|row| (**row).clone()) else { return };
        row.set(schema::CREATED_BY, Value::Id(user));
        for (name, value) in fields {
            if let Some(at) = object.position(name) {
                row.set(at, value);
            }
        }
        self.store.put(&object, id, row);
    }

    fn sets_of(&self, user: RecordId) -> Vec<RecordId> {
        let rows = self.rows_below("PermissionSetAssignment", "AssigneeId", user);
        let set = |row: &Arc<Row>| self.value("PermissionSetAssignment", row, "PermissionSetId").as_id();
        rows.iter().filter_map(set).collect()
    }

    /// Returns whether the user has View All Data, or View All Records on the object.
    pub(crate) fn views_all(&self, actor: &Actor, object: &Object) -> bool {
        self.has_right(actor.user, object, "PermissionsViewAllData", "PermissionsViewAllRecords")
    }

    /// Returns whether the user has View All Data.
    pub(crate) fn views_all_data(&self, actor: &Actor) -> bool {
        self.sets_of(actor.user).into_iter().any(|set| self.has_permission_in(set, "PermissionsViewAllData"))
    }

    /// Returns whether the user has View Setup and Configuration.
    pub(crate) fn views_setup(&self, actor: &Actor) -> bool {
        let has = |set| self.has_permission_in(set, "PermissionsViewSetup");
        actor.is_admin || self.sets_of(actor.user).into_iter().any(has)
    }

    fn has_permission_in(&self, set: RecordId, field: &str) -> bool {
        let row = self.store.get("PermissionSet", set);
        row.is_some_and(|row| *self.value("PermissionSet", row, field) == Value::Bool(true))
    }

    /// Returns whether the user has Modify All Data, or Modify All Records on the object.
    pub(crate) fn modifies_all(&self, actor: &Actor, object: &Object) -> bool {
        self.has_right(actor.user, object, "PermissionsModifyAllData", "PermissionsModifyAllRecords")
    }

    fn has_right(&self, user: RecordId, object: &Object, all_data: &str, all_records: &str) -> bool {
        self.sets_of(user).into_iter().any(|set| {
            let of_object = |row: &Arc<Row>| {
                self.value("ObjectPermissions", row, "SobjectType").as_text() == object.name
                    && *self.value("ObjectPermissions", row, all_records) == Value::Bool(true)
            };
            self.has_permission_in(set, all_data)
                || self.rows_below("ObjectPermissions", "ParentId", set).iter().any(of_object)
        })
    }
}

/// Returns whether a row of `UserPermissionAccess` is the user's.
pub(crate) fn is_of(row: &Row, user: RecordId) -> bool {
    row.get(schema::CREATED_BY).as_id() == Some(user)
}
