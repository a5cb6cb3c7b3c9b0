//! The handle's methods for profiles, histories, passwords, merges, rules and locks.

use super::Simulator;
use crate::data::write::LeadConvert;
use crate::model::{people, records, transaction};
use crate::{AssignmentRule, DuplicateRule, Error, LoginLimits, ObjectPermissions, PermissionSet, ValidationRule};

impl Simulator {
    /// Sets the login hours and login IP ranges of a profile; they replace the earlier ones.
    pub fn set_login_limits(&self, profile: &str, limits: LoginLimits) -> Result<(), Error> {
        self.shared.org().set_login_limits(profile, limits)
    }

    /// Sets the restrictions of a profile (`Standard User`, `System Administrator`) on an object; they replace the
    /// earlier ones.
    pub fn limit_profile(&self, profile: &str, object: &str, permissions: &ObjectPermissions) -> Result<(), Error> {
        self.shared.org().limit_profile(profile, object, permissions)
    }

    /// Tracks these fields of an account, contact, lead or opportunity in its history, and no others.
    pub fn track_fields(&self, object: &str, fields: &[&str]) -> Result<(), Error> {
        self.shared.org().track_fields(object, fields)
    }

    /// Creates a permission set and assigns it to the user.
    pub fn assign_permission_set(&self, username: &str, granted: &PermissionSet) -> Result<(), Error> {
        self.shared.org().assign(username, granted)
    }

    /// Sets a user's password and security token, with which the user can log in over the SOAP API.
    pub fn set_password(&self, username: &str, password: &str, token: &str) -> Result<(), Error> {
        self.shared.org().set_password(username, password, token)
    }

    /// Merges one or two records into another one as the user: they go to the recycle bin, and their child records to
    /// the master.
    pub fn merge_records(&self, username: &str, object: &str, master: &str, losers: &[&str]) -> Result<(), Error> {
        let mut org = self.shared.org();
        let (actor, master) = (people::actor(&org, username)?, records::record_id(master)?);
        let losers = losers.iter().map(|id| records::record_id(id)).collect::<Result<Vec<_>, _>>()?;
        let nothing = serde_json::Map::new();
        transaction::transaction(&mut org, |org| {
            org.merge(&actor, object, (master, &losers), &nothing)?;
            Ok(())
        })
    }

    /// Converts a lead to a new account, contact and opportunity as the user. `status` is a converted one.
    pub fn convert_lead(&self, username: &str, lead: &str, status: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let actor = people::actor(&org, username)?;
        let conversion = LeadConvert::to_new_records(records::record_id(lead)?, status);
        transaction::transaction(&mut org, |org| {
            org.convert_lead(&actor, &conversion)?;
            Ok(())
        })
    }

    /// Sets a validation rule, replacing one with the same name.
    pub fn set_validation_rule(&self, rule: &ValidationRule) -> Result<(), Error> {
        self.shared.org().set_validation_rule(rule)
    }

    /// Sets a duplicate rule, replacing one with the same name.
    pub fn set_duplicate_rule(&self, rule: &DuplicateRule) -> Result<(), Error> {
        self.shared.org().set_duplicate_rule(rule)
    }

    /// Sets an assignment rule of leads or of cases, replacing one with the same name, and returns its id.
    pub fn set_assignment_rule(&self, rule: &AssignmentRule) -> Result<String, Error> {
        self.shared.org().set_assignment_rule(rule).map(|id| id.as_str().to_owned())
    }

    /// Removes the rules with that name.
    pub fn remove_rule(&self, name: &str) -> Result<(), Error> {
        let removed = self.shared.org().remove_rule(name);
        removed.then_some(()).ok_or_else(|| Error::Unknown { what: "rule", name: name.to_owned() })
    }

    /// Locks a record, as another transaction would, until [`Simulator::unlock_record`].
    pub fn lock_record(&self, id: &str) -> Result<(), Error> {
        self.shared.org().rules.locked.insert(records::record_id(id)?);
        Ok(())
    }

    /// Unlocks a record.
    pub fn unlock_record(&self, id: &str) -> Result<(), Error> {
        self.shared.org().rules.locked.remove(&records::record_id(id)?);
        Ok(())
    }
}
