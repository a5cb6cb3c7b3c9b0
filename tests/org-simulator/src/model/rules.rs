//! Rules that an org's administrator sets: validation, duplicate and assignment rules; and locks that somebody holds on records.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::data::soql;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::write_options::WriteOptions;

/// A validation rule: a record that meets the condition is refused with `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRule {
    /// Name of the rule, unique in its object.
    pub name: String,
    /// The object whose records it checks.
    pub object: String,
    /// What a bad record meets, as a SOQL condition: `Amount < 0`.
    pub condition: String,
    /// What the user is told.
    pub message: String,
    /// The field the message stands at; at the top of the page when absent.
    #[serde(default)]
    pub field: Option<String>,
}

/// A duplicate rule: a new record whose fields all equal those of another one is refused with `DUPLICATES_DETECTED`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuplicateRule {
    /// Developer name of the rule.
    pub name: String,
    /// The object whose records it compares.
    pub object: String,
    /// The fields that are compared, without regard to case.
    pub fields: Vec<String>,
    /// Alert: a client may save nevertheless with `Sforce-Duplicate-Rule-Header: allowSave=true`. Otherwise it may not.
    #[serde(default)]
    pub alert: bool,
    /// What the user is told; Salesforce's own text when empty.
    #[serde(default)]
    pub message: String,
}

/// The active assignment rule of leads or cases: who owns a new record that meets the condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignmentRule {
    /// `Lead` or `Case`.
    pub object: String,
    /// Username of the new owner.
    pub owner: String,
    /// Which records it is about, as a SOQL condition; all when absent.
    #[serde(default)]
    pub condition: Option<String>,
}

/// All rules and locks of an org.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) validation: Vec<ValidationRule>,
    pub(crate) duplicate: Vec<DuplicateRule>,
    pub(crate) assignment: Vec<AssignmentRule>,
    /// Records that somebody else's transaction holds.
    pub(crate) locked: BTreeSet<RecordId>,
}

impl Rules {
    /// Takes away a validation or duplicate rule by its name, or an assignment rule by its object; says whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let count = |rules: &Self| rules.validation.len() + rules.duplicate.len() + rules.assignment.len();
        let before = count(self);
        self.validation.retain(|rule| rule.name != name);
        self.duplicate.retain(|rule| rule.name != name);
        self.assignment.retain(|rule| rule.object != name);
        count(self) < before
    }
}

impl Org {
    /// Sets a validation rule, in place of one of the same name.
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

    /// Sets a duplicate rule, in place of one of the same name.
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

    /// Whether a record meets a SOQL condition, deleted or not.
    pub(crate) fn meets(&self, object: &str, id: RecordId, condition: &str) -> Result<bool, ApiError> {
        let everybody = Actor { user: self.id, profile: self.id, is_admin: true, write: WriteOptions::default() };
        let query = format!("SELECT Id FROM {object} WHERE Id = '{id}' AND ({condition})");
        Ok(soql::run(self, &everybody, &query, true)?.total() > 0)
    }
}
