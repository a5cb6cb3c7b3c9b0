//! The rules that an administrator sets (validation, duplicate and assignment rules), and locks on records.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

/// A validation rule: a record that meets the condition is rejected with `FIELD_CUSTOM_VALIDATION_EXCEPTION`, beside the
/// errors of all other rules that it breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// The action of a duplicate rule on a record that has duplicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateAction {
    /// Rejects the record.
    #[default]
    Block,
    /// Rejects the record unless the client sends `Sforce-Duplicate-Rule-Header: allowSave=true`.
    Alert,
    /// Saves the record.
    Allow,
}

/// A duplicate rule with its matching rule: a record whose fields all equal those of another one is rejected with
/// `DUPLICATES_DETECTED`. An edit is checked only if it changes one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DuplicateRule {
    /// Developer name of the rule.
    pub name: String,
    /// The object whose new and edited records it checks.
    pub object: String,
    /// The object of the existing records, such as `Contact` for a rule of leads; `object` when absent.
    pub match_object: Option<String>,
    /// Developer name of the matching rule; `name` when absent.
    pub matching_rule: Option<String>,
    /// The fields that are compared, without regard to case; both objects have them.
    pub fields: Vec<String>,
    /// The action on a new record.
    pub on_create: DuplicateAction,
    /// The action on an edited record.
    pub on_edit: DuplicateAction,
    /// The records that it checks, as a SOQL condition; all when absent.
    pub condition: Option<String>,
    /// The message for the user; Salesforce's own text when empty.
    pub message: String,
}

/// An assignment rule of leads or cases. The first entry whose condition a record meets decides on its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRule {
    /// Name of the rule, unique in its object.
    pub name: String,
    /// `Lead` or `Case`.
    pub object: String,
    /// The id (`01Q...`) that `Sforce-Auto-Assign` may name; the org chooses one when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// The active rule of an object runs for every client that does not prevent it; a new active rule replaces it as the
    /// active one.
    #[serde(default = "active")]
    pub active: bool,
    /// The entries in their order.
    pub entries: Vec<AssignmentEntry>,
}

fn active() -> bool {
    true
}

/// An entry of an assignment rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentEntry {
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
    /// Removes the rules with that name; returns whether there were any.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let count = |rules: &Self| rules.validation.len() + rules.duplicate.len() + rules.assignment.len();
        let before = count(self);
        self.validation.retain(|rule| rule.name != name);
        self.duplicate.retain(|rule| rule.name != name);
        self.assignment.retain(|rule| rule.name != name);
        count(self) < before
    }
}
