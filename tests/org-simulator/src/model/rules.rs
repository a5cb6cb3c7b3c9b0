//! Rules that an org's administrator sets: validation, duplicate and assignment rules; and locks that somebody holds on records.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

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
