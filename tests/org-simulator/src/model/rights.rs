//! The rights of users: the system permissions and the permission View All Records, which come from the profile and from
//! permission sets. They are served as `PermissionSet`, `PermissionSetAssignment`, `ObjectPermissions` and
//! `UserPermissionAccess` (Object Reference, the pages of these objects).
//!
//! The profile System Administrator has all system permissions of [`SYSTEM_PERMISSIONS`]; every other profile has View Setup
//! and Configuration only. The rows of `ObjectPermissions` exist only for the permission View All Records; what a profile
//! restricts is in [`super::profiles`].

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
}

impl Org {
    /// Creates the permission set and assigns it to the user.
    pub(crate) fn assign(&mut self, username: &str, granted: &PermissionSet) -> Result<(), Error> {
        let unknown = |what, name: &str| Error::Unknown { what, name: name.to_owned() };
        let user = self.user_named(username).ok_or_else(|| unknown("user", username))?;
        let mut fields = vec![("IsOwnedByProfile", Value::Bool(false)), ("Name", Value::text("Granted"))];
        for name in &granted.system {
            let field = SYSTEM_PERMISSIONS.iter().find(|field| field.strip_prefix("Permissions") == Some(name));
            fields.push((field.ok_or_else(|| unknown("system permission", name))?, Value::Bool(true)));
        }
        let objects = granted.view_all.iter().map(|name| self.object(name)).collect::<Result<Vec<_>, _>>()?;
        let set = self.insert_setup("PermissionSet", &fields);
        for object in objects {
            let fields = [
                ("ParentId", Value::Id(set)),
                ("SobjectType", Value::text(object.name.as_str())),
                ("PermissionsRead", Value::Bool(true)),
                ("PermissionsViewAllRecords", Value::Bool(true)),
            ];
            self.insert_setup("ObjectPermissions", &fields);
        }
        self.assign_set(user, set);
        self.show_rights(user);
        Ok(())
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

    /// Assigns the permission set of the profile to a new user.
    pub(crate) fn add_user_rights(&mut self, user: RecordId, profile: RecordId) {
        let sets = self.store.table("PermissionSet").into_iter().flat_map(|table| table.rows());
        let mut of_profile = sets.filter(|row| self.value("PermissionSet", row, "ProfileId").as_id() == Some(profile));
        let set = of_profile.find_map(|row| row.id());
        drop(of_profile);
        if let Some(set) = set {
            self.assign_set(user, set);
        }
        self.show_rights(user);
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
        self.insert_setup("PermissionSetAssignment", &fields);
    }

    /// Replaces the user's row of `UserPermissionAccess`, which only that user sees.
    fn show_rights(&mut self, user: RecordId) {
        let sets = self.sets_of(user);
        let has = |org: &Self, field: &str| {
            let rows = sets.iter().filter_map(|set| org.store.get("PermissionSet", *set));
            rows.into_iter().any(|row| *org.value("PermissionSet", row, field) == Value::Bool(true))
        };
        let fields = SYSTEM_PERMISSIONS.map(|field| (field, Value::Bool(has(self, field))));
        let known = self.store.table("UserPermissionAccess").into_iter().flat_map(|table| table.rows());
        let known = known.filter(|row| is_of(row, user)).find_map(|row| row.id());
        let id = known.unwrap_or_else(|| self.insert_setup("UserPermissionAccess", &[]));
        let Some(object) = self.schema.object("UserPermissionAccess").cloned() else { return };
        let Some(mut row) = self.store.get(&object.name, id).map(|row| (**row).clone()) else { return };
        row.set(schema::CREATED_BY, Value::Id(user));
        for (name, value) in fields {
            if let Some(at) = object.position(name) {
                row.set(at, value);
            }
        }
        self.store.put(&object, id, row);
        self.store.commit();
    }

    fn sets_of(&self, user: RecordId) -> Vec<RecordId> {
        let rows = self.store.table("PermissionSetAssignment").into_iter().flat_map(|table| table.rows());
        let of_user = rows.filter(|row| self.value("PermissionSetAssignment", row, "AssigneeId").as_id() == Some(user));
        of_user.filter_map(|row| self.value("PermissionSetAssignment", row, "PermissionSetId").as_id()).collect()
    }

    /// Returns whether the user has View All Data, or View All Records on the object.
    pub(crate) fn views_all(&self, actor: &Actor, object: &Object) -> bool {
        let sets = self.sets_of(actor.user);
        let all_data = |set: &RecordId| {
            let row = self.store.get("PermissionSet", *set);
            row.is_some_and(|row| *self.value("PermissionSet", row, "PermissionsViewAllData") == Value::Bool(true))
        };
        let rows = self.store.table("ObjectPermissions").into_iter().flat_map(|table| table.rows());
        let all_records = |row: &Row| {
            let value = |field| self.value("ObjectPermissions", row, field);
            value("ParentId").as_id().is_some_and(|set| sets.contains(&set))
                && value("SobjectType").as_text() == object.name
                && *value("PermissionsViewAllRecords") == Value::Bool(true)
        };
        sets.iter().any(all_data) || rows.into_iter().any(|row| all_records(row))
    }
}

/// Returns whether a row of `UserPermissionAccess` is the user's.
pub(crate) fn is_of(row: &Row, user: RecordId) -> bool {
    row.get(schema::CREATED_BY).as_id() == Some(user)
}
