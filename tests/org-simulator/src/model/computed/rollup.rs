//! Roll-up summaries: the number, the sum, the least or the greatest value of a field of the detail records.

use serde::{Deserialize, Serialize};

use crate::model::criteria::FilterItem;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The operation of a roll-up summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum RollupFunction {
    Count,
    Sum,
    Min,
    Max,
}

/// A roll-up summary over detail records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollup {
    /// The detail object.
    pub(crate) object: String,
    /// The detail's reference to the record with the summary.
    pub(crate) reference: String,
    pub(crate) function: RollupFunction,
    /// The summarized field; none for `COUNT`.
    #[serde(default)]
    pub(crate) field: Option<String>,
    /// The criteria that the summarized records meet, all of them.
    #[serde(default)]
    pub(crate) filter: Vec<FilterItem>,
}

impl Rollup {
    pub(super) fn uses(&self, object: &str, field: &str) -> bool {
        let filters = || self.filter.iter().any(|item| item.field.eq_ignore_ascii_case(field));
        self.object == object && (self.reference == field || self.field.as_deref() == Some(field) || filters())
    }

    /// Returns the summary for a record; the sum of no values is 0, and their least or greatest is null.
    ///
    /// Amounts are converted to the currency of the record.
    pub(super) fn value(&self, org: &Org, (object, master): (&Object, &Row), depth: usize) -> Value {
        let Some(detail) = org.schema.object(&self.object) else { return Value::Null };
        let Some((at, table)) = detail.position(&self.reference).zip(org.store.table(&self.object)) else {
            return self.of(&mut std::iter::empty());
        };
        let ids = master.id().map_or(&[][..], |id| table.find(at, &Value::Id(id)));
        let meets = |row: &Row, item: &FilterItem| {
            let at = detail.position(&item.field);
            let met = at.and_then(|at| {
                Some(item.is_met(detail.fields.get(at)?, &org.value_within(detail, row, at, depth + 1)))
            });
            met.unwrap_or_default()
        };
        let rows = ids.iter().filter_map(|id| table.get(*id));
        let rows = rows.filter(|row| self.filter.iter().all(|item| meets(row, item)));
        let field = self.field.as_ref().and_then(|name| detail.position(name));
        let values = rows.map(|row| match field {
            Some(at) => {
                let value = org.value_within(detail, row, at, depth + 1).into_owned();
                org.in_currency_of(value, (detail, row, at), (object, master))
            }
            None => Value::Int(1),
        });
        self.of(&mut values.filter(|value| !value.is_null()))
    }

    fn of(&self, values: &mut dyn Iterator<Item = Value>) -> Value {
        match self.function {
            RollupFunction::Count | RollupFunction::Sum => {
                // The sum of no floating-point numbers is -0.0.
                Value::Double(values.filter_map(|value| value.as_number()).fold(0.0, |sum, value| sum + value))
            }
            RollupFunction::Min => values.reduce(|a, b| if is_less(&b, &a) { b } else { a }).unwrap_or(Value::Null),
            RollupFunction::Max => values.reduce(|a, b| if is_less(&a, &b) { b } else { a }).unwrap_or(Value::Null),
        }
    }
}

fn is_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Date(a), Value::Date(b)) => a < b,
        (Value::Instant(a), Value::Instant(b)) => a < b,
        _ => a.as_number() < b.as_number(),
    }
}

/// Checks a roll-up summary of the object: the detail must be in a master-detail relationship with it, and the summarized
/// field must be stored or follow from stored fields of its own record.
pub(crate) fn check_rollup(org: &Org, object: &Object, field: &Field, rollup: &Rollup) -> Result<(), String> {
    let unknown = |name: &str| format!("{name} is no field of {}", rollup.object);
    let detail = org.schema.object(&rollup.object).ok_or_else(|| format!("{} is no object", rollup.object))?;
    let reference = detail.field(&rollup.reference).ok_or_else(|| unknown(&rollup.reference))?;
    // Opportunities are summarized by account as if they were details.
    let is_detail = reference.master_detail || detail.name == "Opportunity" && reference.name == "AccountId";
    if !is_detail || !reference.reference_to.contains(&object.name) {
        return Err(format!("{}.{} is no master-detail relationship to {}", detail.name, reference.name, object.name));
    }
    let changes = |name: &str| {
        let computed = detail.field(name).and_then(|field| field.computed.as_ref());
        computed.is_some_and(|computed| !computed.is_deterministic(detail))
    };
    for item in &rollup.filter {
        item.check(detail)?;
        if changes(&item.field) {
            return Err(format!("{} depends on other records or on the day, and cannot be a filter", item.field));
        }
    }
    let Some(name) = &rollup.field else {
        let counts = rollup.function == RollupFunction::Count && field.kind == FieldKind::Double;
        return if counts { Ok(()) } else { Err("only COUNT has no field, and its type is double".to_owned()) };
    };
    let summarized = detail.field(name).ok_or_else(|| unknown(name))?;
    let kind = summarized.kind;
    let fits = match rollup.function {
        RollupFunction::Count => false,
        RollupFunction::Sum => kind.is_number(),
        RollupFunction::Min | RollupFunction::Max => {
            kind.is_number() || matches!(kind, FieldKind::Date | FieldKind::DateTime)
        }
    };
    if !fits || kind != field.kind && !(kind == FieldKind::Int && field.kind == FieldKind::Double) {
        let (function, kind, own) = (rollup.function, kind.name(), field.kind.name());
        return Err(format!("{function:?} of a field of type {kind} does not give {own}"));
    }
    if changes(name) {
        return Err(format!("{name} depends on other records or on the day, and cannot be summarized"));
    }
    Ok(())
}
