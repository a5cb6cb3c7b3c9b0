//! Lists that Salesforce answers: one query a page, continued after the last row's sort key and id.
//!
//! Offsets and Salesforce's own cursors would not do: the first end at 2,000 rows and move when rows are added, the second
//! expire. A page that Salesforce ends early is continued after its last row.

use runtime::Schema;
use salesforce::soql::{self, Literal};
use salesforce::{FieldDescribe, FieldName, ObjectDescribe, ObjectName, Page, Record, RecordId, Soql};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::{literal, value_of};
use super::request::{Filter, ListRequest, Sort, SortBy};
use super::{List, within_bytes};
use crate::Error;
use crate::live::LiveReader;
use crate::summary::{CONTACT, IS_PERSON};

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRow {
    id: RecordId,
    /// The value of the sort field.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    value: Value,
}

/// An object, as the connection's user sees it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    schema: &'a Schema,
    object: &'a ObjectName,
}

/// Reads a page through a connection. Costs one call once the object is known. Returns the object in Salesforce's spelling.
pub(super) async fn page(
    reader: &LiveReader<'_>,
    object: &ObjectName,
    request: &ListRequest,
    after: Option<LastRow>,
) -> Result<(ObjectName, List<Record, LastRow>), Error> {
    let plan = |schema: &Schema| Ok(vec![soql(Seen { schema, object }, request, after.as_ref())?]);
    let (schema, mut pages) = reader.query(std::slice::from_ref(object), plan).await?;
    let page = pages.pop().ok_or(Error::NotFound("page"))??;
    let seen = Seen { schema: &schema, object };
    let sort = seen.sort_field(&request.filter)?.map(|field| &field.name);
    Ok((seen.describe()?.summary.name.clone(), page_of(page, usize::from(request.limit), sort, after)))
}

/// Returns the query of a page. It asks for one row more than the page holds: that row shows that another page follows.
fn soql(seen: Seen<'_>, request: &ListRequest, after: Option<&LastRow>) -> Result<Soql, Error> {
    let summary = &seen.describe()?.summary;
    if !summary.queryable {
        return Err(Error::Parameter(format!("Salesforce does not list the records of {}", summary.name)));
    }
    let filter = &request.filter;
    let mut conditions = Vec::new();
    for condition in &filter.conditions {
        conditions.push(condition.soql(seen.field(&condition.field)?)?);
    }
    let is_contact = summary.name == CONTACT && seen.schema.field(&CONTACT, IS_PERSON.as_str()).is_some();
    if is_contact && !filter.asks_for_persons() {
        conditions.push(soql::eq(&IS_PERSON, false));
    }
    if let Some(since) = filter.modified_since {
        conditions.push(soql::ge(&seen.field(&FieldName::SYSTEM_MODSTAMP)?.name, since));
    }
    let sort = seen.sort_field(filter)?;
    let descending = filter.sort.as_ref().is_some_and(|sort| sort.descending);
    if let Some(last) = after {
        conditions.push(after_row(sort, descending, last)?);
    }
    let query = Soql::select(&seen.selected(request, sort)?).from(&summary.name);
    let query = conditions.into_iter().fold(query, Soql::where_);
    let query = match (sort, descending) {
        (None, true) => query.order_by_descending(&FieldName::ID),
        (None, false) => query.order_by(&FieldName::ID),
        (Some(field), true) => query.order_by_descending(&field.name).order_by(&FieldName::ID),
        (Some(field), false) => query.order_by(&field.name).order_by(&FieldName::ID),
    };
    Ok(query.limit(u32::from(request.limit) + 1))
}

impl<'a> Seen<'a> {
    fn describe(self) -> Result<&'a ObjectDescribe, Error> {
        self.schema.object(self.object).ok_or_else(|| Error::ObjectHidden(self.object.clone()))
    }

    fn field(self, name: &FieldName) -> Result<&'a FieldDescribe, Error> {
        let hidden = || Error::FieldHidden { object: self.object.clone(), field: name.clone() };
        self.schema.field(self.object, name.as_str()).ok_or_else(hidden)
    }

    /// Returns the fields to read: the selected or all, and those that the page itself needs.
    fn selected(self, request: &ListRequest, sort: Option<&FieldDescribe>) -> Result<Vec<FieldName>, Error> {
        let chosen = match &request.fields {
            Some(fields) => {
                let spelled = fields.iter().map(|name| self.field(name).map(|field| field.name.clone()));
                spelled.collect::<Result<_, _>>()?
            }
            None => self.describe()?.readable_fields(),
        };
        let mut fields = self.schema.visible(self.object, &["Id", "SystemModstamp"]);
        for name in chosen.into_iter().chain(sort.map(|field| field.name.clone())) {
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
        Ok(fields)
    }

    /// Returns the field by which the rows are sorted before their id; `None` if by the id alone.
    fn sort_field(self, filter: &Filter) -> Result<Option<&'a FieldDescribe>, Error> {
        let name = match &filter.sort {
            None | Some(Sort { by: SortBy::Id, .. }) => return Ok(None),
            Some(Sort { by: SortBy::Modified, .. }) => FieldName::SYSTEM_MODSTAMP,
            Some(Sort { by: SortBy::Field(name), .. }) => name.clone(),
        };
        let field = self.field(&name)?;
        // Salesforce compares amounts in one currency, and the cursor has the amount in the record's own.
        let in_currencies = self.schema.field(self.object, "CurrencyIsoCode").is_some();
        if field.field_type == "currency" && in_currencies {
            let reason = "its amounts are in several currencies";
            return Err(Error::Parameter(format!("a list cannot be sorted by {}: {reason}", field.name)));
        }
        if field.sortable && !field.calculated && SORTED_TYPES.contains(&field.field_type.as_str()) {
            return Ok(Some(field).filter(|field| field.name != FieldName::ID));
        }
        let kinds = "a text, a number, a date or a reference that Salesforce stores";
        Err(Error::Parameter(format!("a list cannot be sorted by {}: sort by {kinds}", field.name)))
    }
}

/// The types whose order Salesforce's comparisons follow. Picklists are sorted by their definition, and the results of
/// formulas are compared with more digits than they are shown with.
const SORTED_TYPES: [&str; 13] = [
    "string",
    "email",
    "phone",
    "url",
    "int",
    "long",
    "double",
    "currency",
    "percent",
    "date",
    "datetime",
    "id",
    "reference",
];

/// Returns the condition for rows after the last one. Empty values come first ascending, and last descending.
fn after_row(sort: Option<&FieldDescribe>, descending: bool, last: &LastRow) -> Result<soql::Condition, Error> {
    let Some(field) = sort else {
        let compare = if descending { soql::lt } else { soql::gt };
        return Ok(compare(&FieldName::ID, Literal::from(last.id)));
    };
    let name = &field.name;
    let later_id = soql::gt(&FieldName::ID, last.id);
    let text = match &last.value {
        Value::Null => {
            let rest = soql::eq(name, Literal::Null).and(later_id);
            return Ok(if descending { rest } else { rest.or(soql::ne(name, Literal::Null)) });
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let value = literal(field, &text)?;
    let tied = soql::eq(name, value.clone()).and(later_id);
    Ok(if descending {
        soql::lt(name, value).or(tied).or(soql::eq(name, Literal::Null))
    } else {
        soql::gt(name, value).or(tied)
    })
}

/// Returns the page without the extra row of the query, and the start of the next page: also if Salesforce ended the page
/// early, and it has no extra row.
fn page_of(page: Page, limit: usize, sort: Option<&FieldName>, after: Option<LastRow>) -> List<Record, LastRow> {
    let mut rows = page.records;
    let ended_early = !page.done;
    let kept = within_bytes(&rows, limit, |row| &row.fields);
    let more = rows.len() > kept || ended_early;
    rows.truncate(kept);
    let position = |row: &Record| {
        let value = sort.and_then(|field| value_of(&row.fields, field)).cloned().unwrap_or_default();
        LastRow { id: row.id, value }
    };
    let next = if more { rows.last().map(position).or(after) } else { None };
    List { rows, next }
}

#[cfg(test)]
mod tests;
