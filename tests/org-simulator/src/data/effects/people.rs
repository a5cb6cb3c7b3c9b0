//! The records of a user and of a role, and the effects of a user's deactivation.

use std::sync::Arc;

use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

impl Org {
    /// Gives a new user the rights of the profile and a `UserLogin`; ends the sessions of a user who becomes inactive.
    pub(super) fn user_written(&mut self, id: RecordId, before: Option<&Row>) -> Result<(), ApiError> {
        let Some(row) = self.store.get("User", id).map(Arc::clone) else { return Ok(()) };
        let active = |row: &Row| *self.value("User", row, "IsActive") == Value::Bool(true);
        let profile = |row: &Row| self.value("User", row, "ProfileId").as_id();
        let (was_active, is_active) = (before.is_some_and(active), active(&row));
        let (old, new) = (before.and_then(profile), profile(&row));
        if is_active != was_active {
            self.take_license()?;
        }
        if was_active && !is_active {
            self.logins.expire_sessions(id);
        }
        if let Some(new) = new.filter(|_| old != new) {
            self.add_user_rights(id, new);
        }
        if before.is_none() {
            self.add_user_login(id);
        }
        Ok(())
    }

    pub(super) fn user_login_written(&mut self, id: RecordId) {
        let Some(row) = self.store.get("UserLogin", id) else { return };
        let frozen = *self.value("UserLogin", row, "IsFrozen") == Value::Bool(true);
        if let Some(user) = self.value("UserLogin", row, "UserId").as_id() {
            self.freeze(user, frozen);
        }
    }

    /// Adds the groups of a new role, to which records are shared: the role, and the role with those below it.
    pub(super) fn role_written(&mut self, id: RecordId, before: Option<&Row>) {
        if before.is_some() {
            return;
        }
        for kind in ["Role", "RoleAndSubordinates"] {
            let fields = [("RelatedId", Value::Id(id)), ("Type", Value::text(kind)), ("Name", Value::Null)];
            self.insert_row(None, "Group", &fields);
        }
    }
}
