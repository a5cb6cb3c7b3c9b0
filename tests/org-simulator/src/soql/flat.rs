//! Flat rows for the results of Bulk API 2.0: one column a selected field, one optional text a value.

#![cfg_attr(not(test), expect(dead_code, reason = "the Bulk API begins to ask in the next commits"))]

use std::sync::Arc;

use super::ast::Item;
use super::eval;
use super::plan::{Column, Plan, Scope};
use crate::api_error::ApiError;
use crate::datetime;
use crate::ids::RecordId;
use crate::org::{Actor, Org};
use crate::schema::Object;
use crate::value::Value;

/// What a query found, as flat rows.
pub(crate) struct FlatRows {
    object: Arc<Object>,
    header: Vec<String>,
    columns: Vec<Column>,
    ids: Vec<RecordId>,
}

impl FlatRows {
    /// The object after FROM, by its API name.
    pub(crate) fn object(&self) -> &str {
        &self.object.name
    }

    /// The selected fields in the order of the SELECT list, by their API names: `Id`, `Account.Name`.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The rows from `from` on, as their fields are now; `None` is null. A record purged since is left out.
    pub(crate) fn rows<'a>(&'a self, org: &'a Org, from: usize) -> impl Iterator<Item = Vec<Option<String>>> + 'a {
        self.ids.iter().skip(from).filter_map(|id| {
            let row = org.store.get(&self.object.name, *id)?;
            Some(self.columns.iter().map(|column| text(&eval::value_at(org, row, column))).collect())
        })
    }
}

/// Runs a query of flat fields for the actor; `all_rows` includes the recycle bin.
///
/// Subqueries and aggregates are refused in the words of Bulk API 2.0.
pub(crate) fn rows(org: &Org, actor: &Actor, text: &str, all_rows: bool) -> Result<FlatRows, ApiError> {
    let select = super::grammar::parse(text)?;
    let plan = Plan::new(org, &select, text)?;
    let scope = Scope { org, object: &plan.object, text };
    if select.offset > 0 {
        return Err(not_in_bulk("OFFSET"));
    }
    let (mut header, mut columns) = (Vec::new(), Vec::new());
    for item in &select.items {
        let Item::Field(path) = item else { return Err(not_flat()) };
        let (column, _) = scope.column(path)?;
        header.push(scope.names(path).join("."));
        columns.push(column);
    }
    let ids = eval::matching(org, actor, &plan, all_rows);
    Ok(FlatRows { object: Arc::clone(&plan.object), header, columns, ids })
}

fn not_flat() -> ApiError {
    let message = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type";
    ApiError::new("API_ERROR", message)
}

/// A clause that the Bulk API guide rules out; the code is that of its recorded refusals, the words are unverified.
fn not_in_bulk(clause: &str) -> ApiError {
    ApiError::new("API_ERROR", format!("{clause} not supported in Bulk Query"))
}

/// A value in a CSV of the Bulk API: moments end in `Z`, numbers have their decimal point.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Blob(_) => None,
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::Double(n) => Some(format!("{n:?}")),
        Value::Text(text) => Some(text.to_string()),
        Value::Date(day) => Some(day.to_string()),
        Value::Instant(at) => Some(datetime::soap(*at)),
        Value::Id(id) => Some(id.to_string()),
    }
}
