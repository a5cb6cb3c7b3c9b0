//! Fields whose values are computed when they are read: formulas and roll-up summaries.
//!
//! Nothing is stored, so that a value changes with the records it depends on and with the day, while the system fields of
//! its own record stay as they are.

mod define;
mod eval;
pub(crate) mod formula;
mod kinds;
mod parse;
mod rollup;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::{Place, Value};

pub(crate) use formula::Formula;
use kinds::check_formula;
use rollup::check_rollup;
pub(crate) use rollup::{Rollup, RollupFunction};

/// Formulas within formulas; deeper ones are null.
const MAX_DEPTH: usize = 10;

/// The source of a value that is not stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Computed {
    Formula(Formula),
    Rollup(Rollup),
}

impl Computed {
    /// Returns whether the value, of a field of `object`, depends on nothing but the stored fields of its own record.
    pub(crate) fn is_deterministic(&self, object: &Object) -> bool {
        matches!(self, Self::Formula(formula) if formula.is_deterministic(object, 0))
    }

    /// Returns whether the value is read from that field.
    pub(crate) fn uses(&self, org: &Org, own: &Object, object: &str, field: &str) -> bool {
        match self {
            Self::Formula(formula) => formula.uses(org, own, object, field),
            Self::Rollup(rollup) => rollup.uses(object, field),
        }
    }
}

impl Org {
    /// Returns the value of a field, computed where it is not stored. Formulas and roll-up summaries see every record,
    /// whoever reads them.
    pub(crate) fn field_value<'a>(&self, object: &Object, row: &'a Row, at: usize) -> Cow<'a, Value> {
        self.value_within(object, row, at, 0)
    }

    fn value_within<'a>(&self, object: &Object, row: &'a Row, at: usize, depth: usize) -> Cow<'a, Value> {
        let Some(field) = object.fields.get(at) else { return Cow::Owned(Value::Null) };
        match field.computed.as_deref() {
            None => Cow::Borrowed(row.get(at)),
            Some(_) if depth > MAX_DEPTH => Cow::Owned(Value::Null),
            Some(Computed::Formula(formula)) => {
                let value = formula.value(self, object, row, depth);
                Cow::Owned(kinds::stored_as(field, value))
            }
            Some(Computed::Rollup(rollup)) => Cow::Owned(rollup.value(self, (object, row), depth)),
        }
    }

    /// Returns the value of a field as the data API renders it.
    pub(crate) fn render_field(&self, object: &Object, row: &Row, at: usize, version: &str) -> Json {
        let Some((field, id)) = object.fields.get(at).zip(row.id()) else { return Json::Null };
        if field.computed.is_none() {
            return object.render_field(row, at, version);
        }
        self.field_value(object, row, at).json(Place { version, object: &object.name, field: &field.name, id })
    }
}

#[cfg(test)]
mod tests;
