//! Sets an org's rules, after checking them, and evaluates conditions on records.

use crate::Error;
use crate::data::soql;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rules::{AssignmentRule, DuplicateRule, ValidationRule};
use crate::model::value::Value;
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
        let existing = rule.match_object.as_deref().map(|name| self.object(name)).transpose()?;
        if rule.fields.is_empty() {
            return Err(Error::Invalid { what: "duplicate rule", reason: "it compares no fields".to_owned() });
        }
        for compared in std::iter::once(&object).chain(&existing) {
            if let Some(unknown) = rule.fields.iter().find(|name| compared.position(name).is_none()) {
                return Err(ApiError::no_column(unknown, &compared.name).into());
            }
        }
        if let Some(condition) = &rule.condition {
            self.meets(&object.name, self.id, condition)?;
        }
        let match_object = existing.map(|object| object.name.clone());
        let rule = DuplicateRule { object: object.name.clone(), match_object, ..rule.clone() };
        self.rules.duplicate.retain(|known| known.name != rule.name);
        self.rules.duplicate.push(rule);
        Ok(())
    }

    /// Sets an assignment rule of leads or of cases, replacing one with the same name, and returns its id.
    pub(crate) fn set_assignment_rule(&mut self, rule: &AssignmentRule) -> Result<RecordId, Error> {
        let object = self.object(&rule.object)?;
        if !matches!(object.name.as_str(), "Lead" | "Case") {
            return Err(Error::Unknown { what: "object with assignment rules", name: object.name.clone() });
        }
        for entry in &rule.entries {
            if self.user_named(&entry.owner).is_none() {
                return Err(Error::Unknown { what: "user", name: entry.owner.clone() });
            }
            if let Some(condition) = &entry.condition {
                self.meets(&object.name, self.id, condition)?;
            }
        }
        let is_it = |known: &AssignmentRule| known.object == object.name && known.name == rule.name;
        let known = self.rules.assignment.iter().find(|known| is_it(known)).and_then(|known| known.id.clone());
        let id = match rule.id.clone().or(known) {
            Some(id) => RecordId::parse(&id).filter(|id| id.key_prefix() == "01Q").ok_or(Error::Invalid {
                what: "assignment rule",
                reason: format!("{id} is not an id that begins with 01Q"),
            })?,
            None => self.ids.next("01Q"),
        };
        self.rules.assignment.retain(|known| !is_it(known));
        for other in self.rules.assignment.iter_mut().filter(|other| rule.active && other.object == object.name) {
            other.active = false;
        }
        let (object, shown) = (object.name.clone(), Some(id.as_str().to_owned()));
        self.rules.assignment.push(AssignmentRule { object, id: shown, ..rule.clone() });
        self.show_assignment_rules();
        Ok(id)
    }

    /// Removes the validation, duplicate and assignment rules with that name; returns whether there were any.
    pub(crate) fn remove_rule(&mut self, name: &str) -> bool {
        let removed = self.rules.remove(name);
        self.show_assignment_rules();
        removed
    }

    /// Replaces the rows of `AssignmentRule`, after a change of the rules.
    fn show_assignment_rules(&mut self) {
        let Some(object) = self.schema.object("AssignmentRule").cloned() else { return };
        let rows = self.store.table(&object.name).into_iter().flat_map(|table| table.rows());
        let former: Vec<RecordId> = rows.filter_map(|row| row.id()).collect();
        former.into_iter().for_each(|id| self.store.purge(&object, id));
        let author = self.first_user();
        for rule in self.rules.assignment.clone() {
            let Some(id) = rule.id.as_deref().and_then(RecordId::parse) else { continue };
            let (name, of) = (Value::text(rule.name), Value::text(rule.object));
            let fields = [("Name", name), ("SobjectType", of), ("Active", Value::Bool(rule.active))];
            self.insert_row_with(id, author, &object.name, &fields);
        }
        self.store.commit();
    }

    /// Returns the name of a validation, duplicate or assignment rule that reads the field.
    pub(crate) fn rule_that_reads(&self, object: &str, field: &str) -> Option<&str> {
        let condition_reads = |own: &str, condition: &str| {
            let own = self.schema.object(own);
            own.is_some_and(|own| soql::condition_reads(self, own, condition, (object, field)))
        };
        let is_field = |name: &String| name.eq_ignore_ascii_case(field);
        let validation = self.rules.validation.iter().filter(|rule| {
            rule.object == object && rule.field.as_ref().is_some_and(is_field)
                || condition_reads(&rule.object, &rule.condition)
        });
        let duplicate = self.rules.duplicate.iter().filter(|rule| {
            let compares = rule.object == object || rule.match_object.as_deref() == Some(object);
            compares && rule.fields.iter().any(is_field)
                || rule.condition.as_ref().is_some_and(|condition| condition_reads(&rule.object, condition))
        });
        let assignment = self.rules.assignment.iter().filter(|rule| {
            let mut conditions = rule.entries.iter().filter_map(|entry| entry.condition.as_deref());
            conditions.any(|condition| condition_reads(&rule.object, condition))
        });
        let names = validation.map(|rule| rule.name.as_str()).chain(duplicate.map(|rule| rule.name.as_str()));
        names.chain(assignment.map(|rule| rule.name.as_str())).next()
    }

    /// Returns whether a record, deleted or not, meets a SOQL condition.
    pub(crate) fn meets(&self, object: &str, id: RecordId, condition: &str) -> Result<bool, ApiError> {
        let everybody = Actor { user: self.id, profile: self.id, is_admin: true, write: WriteOptions::default() };
        let query = format!("SELECT Id FROM {object} WHERE Id = '{id}' AND ({condition})");
        Ok(soql::run(self, &everybody, &query, true)?.total() > 0)
    }
}
