//! Adds fields to objects, after checking those that are computed.

use super::{Computed, check_formula, check_rollup};
use crate::Error;
use crate::model::org::Org;
use crate::model::schema::{Field, Object};

impl Org {
    /// Adds a field to an object, or replaces it. A computed field is checked against the objects that it reads.
    pub(crate) fn define_field(&mut self, object: &str, mut field: Field) -> Result<(), Error> {
        let object = self.object(object)?;
        field.summarized = object.field(&field.name).is_some_and(|known| known.summarized);
        self.check_computed(&object, &field)
            .map_err(|reason| Error::Invalid { what: "field", reason: format!("{}: {reason}", field.name) })?;
        for part in field.custom_parts() {
            self.schema.add_field(&object.name, part);
        }
        if let Some(Computed::Rollup(rollup)) = field.computed.as_deref() {
            self.summarize(&rollup.object, &rollup.reference);
        }
        if field.master_detail {
            self.schema.hide_field(&object.name, "OwnerId");
        }
        self.schema.add_field(&object.name, field);
        let object = self.object(&object.name)?;
        self.store.reindex(&object);
        Ok(())
    }

    fn check_computed(&self, object: &Object, field: &Field) -> Result<(), String> {
        let known = object.field(&field.name);
        let was_computed = known.map(|known| known.computed.is_some());
        match field.computed.as_deref() {
            None if was_computed == Some(true) => return Err("a formula stays one".to_owned()),
            None => return Ok(()),
            Some(_) if was_computed == Some(false) => {
                return Err("a stored field does not become a formula".to_owned());
            }
            Some(computed) if computed.uses(self, object, &object.name, &field.name) => {
                return Err("the formula refers to itself".to_owned());
            }
            Some(Computed::Formula(formula)) => check_formula(self, object, field, formula)?,
            Some(Computed::Rollup(rollup)) => check_rollup(self, object, field, rollup)?,
        }
        match field.computed.as_ref().filter(|computed| !computed.is_deterministic(object)) {
            Some(_) => self.check_not_summarized(object, field),
            None => Ok(()),
        }
    }

    /// Rejects a formula that depends on other records or on the day, where a roll-up summary reads it.
    fn check_not_summarized(&self, object: &Object, field: &Field) -> Result<(), String> {
        for other in self.schema.objects() {
            for reader in &other.fields {
                let summary = reader.computed.as_deref().filter(|computed| matches!(computed, Computed::Rollup(_)));
                if summary.is_some_and(|summary| summary.uses(self, other, &object.name, &field.name)) {
                    return Err(format!("{}.{} summarizes it", other.name, reader.name));
                }
            }
        }
        Ok(())
    }
}
