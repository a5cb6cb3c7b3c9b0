//! The rules that an administrator sets (validation, duplicate and assignment rules), and locks on records.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

/// A validation rule: a record that meets the condition is rejected with `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRule {
    /// Name of the rule, unique in its object.
    pub name: String,
    /// The object whose records it checks.
    pub object: String,
    /// The condition that an invalid record meets, in SOQL: `Amount < 0`.
    pub condition: String,
    /// The error message for the user.
    pub message: String,
    /// The field at which the message is shown; at the top of the page when absent.
    #[serde(default)]
    pub field: Option<String>,
}

/// A duplicate rule: a new record whose fields all equal those of another one is rejected with `DUPLICATES_DETECTED`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuplicateRule {
    /// Developer name of the rule.
    pub name: String,
    /// The object whose records it compares.
    pub object: String,
    /// The fields that are compared, without regard to case.
    pub fields: Vec<String>,
    /// An alerting rule: a client may save nevertheless with `Sforce-Duplicate-Rule-Header: allowSave=true`. Otherwise
    /// the rule blocks.
    #[serde(default)]
    pub alert: bool,
    /// The message for the user; Salesforce's own text when empty.
    #[serde(default)]
    pub message: String,
}

/// The active assignment rule of leads or cases: the owner of a new record that meets the condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignmentRule {
    /// `Lead` or `Case`.
    pub object: String,
    /// Username of the new owner.
    pub owner: String,
    /// The records that it applies to, as a SOQL condition; all when absent.
    #[serde(default)]
    pub condition: Option<String>,
}

/// All rules and locks of an org.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) validation: Vec<ValidationRule>,
    pub(crate) duplicate: Vec<DuplicateRule>,
    pub(crate) assignment: Vec<AssignmentRule>,
    /// Records that another transaction has locked.
    pub(crate) locked: BTreeSet<RecordId>,
}

impl Rules {
    /// Removes a validation or duplicate rule by its name, or an assignment rule by its object; returns whether it
    /// existed.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let count = |rules: &Self| rules.validation.len() + rules.duplicate.len() + rules.assignment.len();
        let before = count(self);
        self.validation.retain(|rule| rule.name != name);
        self.duplicate.retain(|rule| rule.name != name);
        self.assignment.retain(|rule| rule.object != name);
        count(self) < before
    }
}
