//! The permissions of a profile in the form that tests and the admin API use.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::logins::limits::LoginLimits;
use crate::model::logins::policy::is_range;
use crate::model::org::Org;
use crate::model::profiles::ObjectLimits;
use crate::model::schema::Object;
use crate::model::store::Row;

/// The permissions of a profile on an object and its fields. The default restricts nothing, and grants no access to records
/// beyond their sharing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are a profile's own check boxes")]
pub struct ObjectPermissions {
    /// The object is treated as nonexistent.
    pub hidden: bool,
    /// Records cannot be created.
    pub no_create: bool,
    /// Records cannot be changed.
    pub no_edit: bool,
    /// Records cannot be deleted.
    pub no_delete: bool,
    /// Fields that are treated as nonexistent (field-level security).
    pub hidden_fields: Vec<String>,
    /// Fields that can be read but not written.
    pub locked_fields: Vec<String>,
    /// Record types that cannot be assigned, by developer name or id.
    pub hidden_record_types: Vec<String>,
    /// Grants View All Records.
    pub view_all: bool,
    /// Grants Modify All Records, which includes View All Records.
    pub modify_all: bool,
}

impl Org {
    /// Sets the login hours and login IP ranges of a profile; they replace the earlier ones.
    pub(crate) fn set_login_limits(&mut self, profile: &str, limits: LoginLimits) -> Result<(), Error> {
        let unknown = || Error::Unknown { what: "profile", name: profile.to_owned() };
        let profile = self.setup_record("Profile", "Name", profile).and_then(|row| row.id()).ok_or_else(unknown)?;
        let wrong = limits.addresses.iter().find(|range| !is_range(range));
        if let Some(wrong) = wrong {
            let reason = format!("{wrong} is no address, and no range of addresses");
            return Err(Error::Invalid { what: "login IP range", reason });
        }
        self.logins.limits.insert(profile, limits);
        Ok(())
    }

    /// Sets the restrictions of a profile on an object; they replace the earlier ones.
    pub(crate) fn limit_profile(
        &mut self,
        profile: &str,
        object: &str,
        permissions: &ObjectPermissions,
    ) -> Result<(), Error> {
        let unknown = || Error::Unknown { what: "profile", name: profile.to_owned() };
        let profile = self.setup_record("Profile", "Name", profile).and_then(|row| row.id()).ok_or_else(unknown)?;
        let object = self.object(object)?;
        let fields = |names: &[String]| {
            let known = |name: &String| {
                let field = object.field(name).ok_or_else(|| ApiError::no_column(name, &object.name))?;
                Ok(field.name.to_ascii_lowercase())
            };
            names.iter().map(known).collect::<Result<_, ApiError>>()
        };
        let types = permissions.hidden_record_types.iter().map(|name| self.record_type_named(&object, name));
        let limits = ObjectLimits {
            hidden: permissions.hidden,
            no_create: permissions.no_create,
            no_edit: permissions.no_edit,
            no_delete: permissions.no_delete,
            hidden_fields: fields(&permissions.hidden_fields)?,
            locked_fields: fields(&permissions.locked_fields)?,
            hidden_record_types: types.collect::<Result<_, _>>()?,
        };
        *self.profiles.limits_mut(profile, &object.name) = limits;
        if let Some(set) = self.set_of_profile(profile) {
            self.set_all_records(set, &object.name, (permissions.view_all, permissions.modify_all));
            self.store.commit();
        }
        self.schema.touch();
        self.schema_changed();
        Ok(())
    }

    /// Returns the id of a record type of the object, by developer name or id.
    fn record_type_named(&self, object: &Object, name: &str) -> Result<RecordId, Error> {
        let text = |row: &Row, field| self.value("RecordType", row, field).as_text().to_owned();
        let named = |row: &Row| {
            text(row, "SobjectType") == object.name
                && (text(row, "DeveloperName") == name || row.id().is_some() && row.id() == RecordId::parse(name))
        };
        let mut rows = self.store.table("RecordType").into_iter().flat_map(|table| table.rows());
        let found = rows.find(|row| named(row)).and_then(|row| row.id());
        found.ok_or_else(|| Error::Unknown { what: "record type", name: name.to_owned() })
    }
}
