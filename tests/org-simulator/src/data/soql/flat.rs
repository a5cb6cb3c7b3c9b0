//! Flat rows for the results of Bulk API 2.0: one column for each selected field, one optional text for each value.

use std::sync::Arc;

use super::ast::{FieldSet, Item, Select};
use super::eval::{self, View};
use super::scope::Scope;
use crate::data::soql::plan::{Column, Form, Function, Plan, Source};
use crate::model::actor::Actor;
use crate::model::currencies::CURRENCY;
use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{FieldKind, Object};
use crate::model::value::Value;

/// The result of a query, as flat rows.
pub(crate) struct FlatRows {
    actor: Actor,
    object: Arc<Object>,
    header: Vec<String>,
    columns: Vec<Source>,
    ids: Vec<RecordId>,
}

impl FlatRows {
    /// Returns the object after FROM, by its API name.
    pub(crate) fn object(&self) -> &str {
        &self.object.name
    }

    /// Returns the selected fields in the order of the SELECT list, by their API names: `Id`, `Account.Name`.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Returns the rows from `from` on, with the current values of their fields; `None` is null. Records that were
    /// purged since are left out.
    pub(crate) fn rows<'a>(&'a self, org: &'a Org, from: usize) -> impl Iterator<Item = Vec<Option<String>>> + 'a {
        let view = View { org, actor: &self.actor };
        self.ids.iter().skip(from).filter_map(move |id| {
            let row = org.store.get(&self.object.name, *id)?;
            Some(self.columns.iter().map(|column| text(&column.value(view, row))).collect())
        })
    }
}

/// Runs a query of flat fields for the actor; `all_rows` includes the recycle bin.
///
/// Subqueries, aggregates and OFFSET are rejected with the messages of Bulk API 2.0.
pub(crate) fn rows(org: &Org, actor: &Actor, text: &str, all_rows: bool) -> Result<FlatRows, ApiError> {
    let select = super::grammar::parse(text)?;
    check_flat(&select)?;
    let plan = Plan::new(org, actor, &select, text)?;
    let scope = Scope { org, actor, object: &plan.object, alias: select.alias.as_deref(), joins: &select.joins, text };
    let (mut header, mut columns) = (Vec::new(), Vec::new());
    for item in &select.items {
        match item {
            Item::Value { expression, .. } => {
                let found = scope.resolve(expression.path())?;
                if found.kind().is_some_and(FieldKind::is_compound) {
                    let message = "Selecting compound data not supported in Bulk Query";
                    return Err(ApiError::new("API_ERROR", message));
                }
                let function = match super::project::form(scope, expression, &found, 0)? {
                    Form::Converted(exchange) => {
                        let currency = scope.resolve(&expression.path().sibling(CURRENCY))?.column;
                        Some(Function::Convert(currency, exchange))
                    }
                    _ => None,
                };
                header.push(found.name);
                columns.push(Source { column: found.column, function });
            }
            Item::Fields(set, _) => {
                for (at, field) in plan.object.fields.iter().enumerate() {
                    let wanted = *set == FieldSet::All || field.custom == (*set == FieldSet::Custom);
                    if wanted && !field.kind.is_compound() && org.may_read_field(actor, &plan.object, field) {
                        header.push(field.name.clone());
                        columns.push(Source { column: Column::own(&plan.object, at), function: None });
                    }
                }
            }
            Item::Count(_) | Item::TypeOf(_) | Item::Children(_) => {}
        }
    }
    let view = View { org, actor };
    let ids = eval::rows(view, &plan, all_rows).into_iter().filter_map(|row| row.id()).collect();
    Ok(FlatRows { actor: *actor, object: Arc::clone(&plan.object), header, columns, ids })
}

/// Rejects what Bulk API 2.0 does not support (Bulk API guide, "SOQL considerations"); the first text was recorded, the
/// others are unverified.
fn check_flat(select: &Select) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::new("API_ERROR", message));
    for item in &select.items {
        match item {
            Item::Children(_) => {
                return refused("Aggregate Relationships not supported in Bulk V2 Query with CSV content type");
            }
            Item::TypeOf(_) => return refused("TYPEOF not supported in Bulk Query"),
            Item::Count(_) => return refused("COUNT() not supported in Bulk Query"),
            Item::Value { .. } | Item::Fields(..) => {}
        }
    }
    if select.groups.is_some() || select.items.iter().any(crate::data::soql::ast::is_aggregate) {
        return refused("Aggregate Queries not supported in Bulk Query");
    }
    if select.offset > 0 {
        return refused("OFFSET not supported in Bulk Query");
    }
    Ok(())
}

/// Formats a value for the CSV of the Bulk API: times end in `Z`, numbers have their decimal point.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Blob(_) => None,
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::Double(n) => Some(format!("{n:?}")),
        Value::Digits(digits) => Some(digits.to_string()),
        Value::Text(text) => Some(text.to_string()),
        Value::Date(day) => Some(day.to_string()),
        Value::Instant(at) => Some(datetime::soap(*at)),
        Value::Id(id) => Some(id.to_string()),
    }
}
