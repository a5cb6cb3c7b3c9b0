//! Sets an org's rules, after checking them, and evaluates conditions on records.

use crate::Error;
use crate::data::soql;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rules::{AssignmentRule, DuplicateRule, ValidationRule};
use crate::model::write_options::WriteOptions;

impl Org {
    /// Sets a validation rule, replacing one with the same name.
    pub(crate) fn set_validation_rule(&mut self, rule: &ValidationRule) -> Result<(), Error> {
        let object = self.object(&rule.object)?;
        let field = rule.field.as_deref().map(|name| {
            object.field(name).map(|f| f.name.clone()).ok_or_else(|| ApiError::no_column(name, &object.name))
        });
        self.meets(&object.name, self.id, &rule.condition)?;
        let rule = ValidationRule { object: object.name.clone(), field: field.transpose()?, ..rule.clone() };
        self.rules.validation.retain(|known| (&known.object, &known.name) != (&rule.object, &rule.name));
        self.rules.validation.push(rule);
        Ok(())
    }

    /// Sets a duplicate rule, replacing one with the same name.
    pub(crate) fn set_duplicate_rule(&mut self, rule: &DuplicateRule) -> Result<(), Error> {
        let object = self.object(&rule.object)?;
        if let Some(unknown) = rule.fields.iter().find(|name| object.position(name).is_none()) {
            return Err(ApiError::no_column(unknown, &object.name).into());
        }
        let rule = DuplicateRule { object: object.name.clone(), ..rule.clone() };
        self.rules.duplicate.retain(|known| known.name != rule.name);
        self.rules.duplicate.push(rule);
        Ok(())
    }

    /// Sets the active assignment rule of leads or of cases.
    pub(crate) fn set_assignment_rule(&mut self, rule: &AssignmentRule) -> Result<(), Error> {
        let object = self.object(&rule.object)?;
        if !matches!(object.name.as_str(), "Lead" | "Case") {
            return Err(Error::Unknown { what: "object with assignment rules", name: object.name.clone() });
        }
        if self.user_named(&rule.owner).is_none() {
            return Err(Error::Unknown { what: "user", name: rule.owner.clone() });
        }
        if let Some(condition) = &rule.condition {
            self.meets(&object.name, self.id, condition)?;
        }
        self.rules.assignment.retain(|known| known.object != object.name);
        self.rules.assignment.push(AssignmentRule { object: object.name.clone(), ..rule.clone() });
        Ok(())
    }

    /// Returns whether a record, deleted or not, meets a SOQL condition.
    pub(crate) fn meets(&self, object: &str, id: RecordId, condition: &str) -> Result<bool, ApiError> {
        let everybody = Actor { user: self.id, profile: self.id, is_admin: true, write: WriteOptions::default() };
        let query = format!("SELECT Id FROM {object} WHERE Id = '{id}' AND ({condition})");
        Ok(soql::run(self, &everybody, &query, true)?.total() > 0)
    }
}
