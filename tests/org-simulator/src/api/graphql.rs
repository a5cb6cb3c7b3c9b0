//! `POST graphql`: records of an object, requested with `uiapi { query { Object { edges { node { ... } } } } }`
//! (GraphQL API guide).
//!
//! A query is translated to SOQL, so that access and comparisons are those of SOQL. Fields of the record itself are
//! supported; parents, children, variables, aliases, fragments and mutations are rejected in `errors`. The messages of
//! errors and the format of cursors are unverified.

mod document;
mod filter;

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response};
use crate::api::ui_api;
use crate::data::soql;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;

use document::Selection;

/// Records in a page when `first` is absent.
const DEFAULT_PAGE: usize = 10;
const MAX_PAGE: usize = 2_000;

/// The error of a document: its message, and the selections on the way to the place that it is about.
struct Refused {
    message: String,
    path: Vec<String>,
}

impl From<String> for Refused {
    fn from(message: String) -> Self {
        Self { message, path: Vec::new() }
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::from(error.message)
    }
}

/// Executes a document; errors are returned in `errors`, with status 200.
pub(crate) fn serve(org: &Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let text = call.object()?.get("query").and_then(Json::as_str).unwrap_or_default();
    let response =
        document::parse(text).map_err(Refused::from).and_then(|document| respond(org, actor, call, &document));
    Ok(Response::json(match response {
        Ok(data) => json!({"data": data, "errors": []}),
        Err(Refused { message, path }) => {
            tracing::warn!(message, "the simulator refused a GraphQL document");
            let kind = if message.starts_with("Invalid syntax") { "InvalidSyntax" } else { "ValidationError" };
            json!({"data": null, "errors": [{"message": message, "paths": path, "locations": [], "extensions": {"ErrorType": kind}}]})
        }
    }))
}

fn respond(org: &Org, actor: &Actor, call: &Call, document: &[Selection]) -> Result<Json, Refused> {
    each(document, "Query", |uiapi| match uiapi.name.as_str() {
        "uiapi" => each(uiapi.plain()?, "UIAPI", |query| match query.name.as_str() {
            "query" => each(query.plain()?, "RecordQuery", |object| records(org, actor, call, object)),
            other => Err(undefined(other, "UIAPI")),
        }),
        other => Err(undefined(other, "Query")),
    })
}

/// Returns an object with the result of each selection under its name.
fn each(
    selections: &[Selection],
    of: &str,
    response: impl Fn(&Selection) -> Result<Json, Refused>,
) -> Result<Json, Refused> {
    if selections.is_empty() {
        return Err(format!("Validation error: Subselection required for type '{of}'").into());
    }
    let below = |selection: &Selection| {
        let within = |mut refused: Refused| {
            refused.path.insert(0, selection.name.clone());
            refused
        };
        Ok((selection.name.clone(), response(selection).map_err(within)?))
    };
    selections.iter().map(below).collect::<Result<Map<String, Json>, Refused>>().map(Json::Object)
}

fn undefined(field: &str, of: &str) -> Refused {
    format!("Validation error: Field '{field}' in type '{of}' is undefined").into()
}

/// Returns the connection of one object: its edges, the page information and the total count.
fn records(org: &Org, actor: &Actor, call: &Call, wanted: &Selection) -> Result<Json, Refused> {
    let object = org.object_for(actor, &wanted.name).map_err(|_| undefined(&wanted.name, "RecordQuery"))?;
    if object.name != wanted.name {
        return Err(undefined(&wanted.name, "RecordQuery"));
    }
    let (mut first, mut after) = (DEFAULT_PAGE, 0);
    let (mut condition, mut order) = (String::new(), String::new());
    for (name, value) in &wanted.arguments {
        let wrong = || format!("Validation error: argument '{name}' with value '{value}' is not valid");
        match name.as_str() {
            "first" => {
                let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
                first = number.filter(|n| (1..=MAX_PAGE).contains(n)).ok_or_else(wrong)?;
            }
            "after" if value.is_null() => {}
            "after" => after = value.as_str().and_then(|cursor| cursor.parse().ok()).ok_or_else(wrong)?,
            "where" => condition = format!(" WHERE {}", filter::condition(&object, value)?),
            "orderBy" => order = format!(" ORDER BY {}", filter::order(&object, value)?),
            _ => return Err(format!("Validation error: Unknown field argument '{name}'").into()),
        }
    }
    let text = format!("SELECT Id FROM {}{condition}{order}", object.name);
    let found = soql::run(org, actor, &text, false)?;
    let total = found.total();
    let page: Vec<_> = found.ids().iter().skip(after).take(first).collect();
    let end = after + page.len();
    each(&wanted.selections, &format!("{}Connection", object.name), |part| match part.name.as_str() {
        "totalCount" => {
            part.leaf()?;
            Ok(json!(total))
        }
        "pageInfo" => each(part.plain()?, "PageInfo", |part| {
            part.leaf()?;
            let cursor = |at: usize| if page.is_empty() { Json::Null } else { json!(at.to_string()) };
            Ok(match part.name.as_str() {
                "hasNextPage" => json!(end < total),
                "hasPreviousPage" => json!(after > 0),
                "startCursor" => cursor(after + 1),
                "endCursor" => cursor(end),
                other => return Err(undefined(other, "PageInfo")),
            })
        }),
        "edges" => {
            // The selection is validated even when there are no records.
            edge(&object, part.plain()?, 0, &blank(org, actor, &object))?;
            let edges = page.iter().zip(after + 1..).map(|(id, at)| {
                let shown = ui_api::record(org, actor, (&object, **id), call, &node_names(part));
                edge(&object, &part.selections, at, &shown?["fields"])
            });
            edges.collect::<Result<Vec<_>, _>>().map(Json::from)
        }
        other => Err(undefined(other, &format!("{}Connection", object.name))),
    })
}

/// Returns the fields that the user may read, without values.
fn blank(org: &Org, actor: &Actor, object: &Object) -> Json {
    let seen = object.fields.iter().filter(|field| org.may_read_field(actor, object, field));
    seen.map(|field| (field.name.clone(), json!({"displayValue": null, "value": null}))).collect()
}

/// Returns the names of the fields that are selected in the nodes of an edge.
fn node_names(edge: &Selection) -> Vec<String> {
    let nodes = edge.selections.iter().filter(|part| part.name == "node");
    nodes.flat_map(|node| &node.selections).map(|field| field.name.clone()).collect()
}

/// Returns one edge of a connection, with its cursor.
fn edge(object: &Object, selections: &[Selection], at: usize, shown: &Json) -> Result<Json, Refused> {
    let name = format!("{}Edge", object.name);
    each(selections, &name, |part| match part.name.as_str() {
        "cursor" => {
            part.leaf()?;
            Ok(json!(at.to_string()))
        }
        "node" => each(part.plain()?, &object.name, |field| node_field(object, field, shown)),
        other => Err(undefined(other, &name)),
    })
}

/// Returns one field of a record: the id unchanged, other fields with the selected parts of value and display value.
fn node_field(object: &Object, field: &Selection, shown: &Json) -> Result<Json, Refused> {
    let known = object.field(&field.name).filter(|known| known.name == field.name && !known.kind.is_compound());
    let values = known.and_then(|known| shown.get(&known.name)).ok_or_else(|| undefined(&field.name, &object.name))?;
    if field.name == "Id" {
        field.leaf()?;
        return Ok(values["value"].clone());
    }
    each(field.plain()?, "FieldValue", |part| match part.name.as_str() {
        "value" | "displayValue" => {
            part.leaf()?;
            Ok(values[&part.name].clone())
        }
        other => Err(undefined(other, "FieldValue")),
    })
}
