//! `?columns=true`: describes the columns of a query instead of running it (the Salesforce CLI uses it).

use serde_json::{Value as Json, json};

use super::ast::{Expression, Item, Select};
use super::date_function::DateFunction;
use super::grammar;
use super::scope::Scope;
use crate::data::soql::ast::is_aggregate;
use crate::data::soql::plan::{Entry, Output, Plan, Projection};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};

/// Checks a query and returns the metadata of its columns, without running it.
pub(crate) fn metadata(org: &Org, actor: &Actor, text: &str) -> Result<Json, ApiError> {
    let select = grammar::parse(text)?;
    let plan = Plan::new(org, actor, &select, text)?;
    let columns = match &plan.output {
        Output::Count => Vec::new(),
        Output::Rows(projection) => of_rows(&plan.object, projection),
        Output::Groups(_) => {
            let scope =
                Scope { org, actor, object: &plan.object, alias: select.alias.as_deref(), joins: &select.joins, text };
            of_groups(scope, &select)?
        }
    };
    let id_selected = columns.iter().any(|column| column["columnName"] == "Id");
    Ok(json!({
        "columnMetadata": columns, "entityName": plan.object.name, "groupBy": select.groups.is_some(),
        "idSelected": id_selected, "keyPrefix": plan.object.key_prefix,
    }))
}

/// Returns one column: its name, its field and the columns joined below it.
fn column(name: &str, display: &str, field: Option<&Field>, joined: (bool, Vec<Json>)) -> Json {
    let kind = field.map(|field| field.kind);
    let (aggregate, joined) = joined;
    json!({
        "aggregate": aggregate, "apexType": kind.map_or("String", apex_type),
        "booleanType": kind == Some(FieldKind::Boolean), "columnName": name,
        "custom": field.is_some_and(|field| field.custom), "displayName": display,
        "foreignKeyName": field.and_then(|field| field.relationship.as_deref()),
        "insertable": !aggregate && field.is_some_and(|field| field.createable),
        "joinColumns": joined, "numberType": kind.is_some_and(FieldKind::is_number),
        "textType": kind.is_some_and(FieldKind::is_text),
        "updatable": !aggregate && field.is_some_and(|field| field.updateable),
    })
}

fn apex_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Id | FieldKind::Reference => "Id",
        FieldKind::Boolean => "Boolean",
        FieldKind::Int => "Integer",
        FieldKind::Double | FieldKind::Currency | FieldKind::Percent => "Double",
        FieldKind::Date => "Date",
        FieldKind::DateTime => "Datetime",
        FieldKind::Base64 => "Blob",
        FieldKind::Address => "Address",
        FieldKind::Location => "Location",
        _ => "String",
    }
}

fn of_rows(object: &Object, projection: &Projection) -> Vec<Json> {
    projection.entries.iter().map(|entry| of_entry(object, entry)).collect()
}

fn of_entry(object: &Object, entry: &Entry) -> Json {
    let open = |fields: &[String]| fields.iter().map(|field| column(field, field, None, (false, Vec::new()))).collect();
    match entry {
        Entry::Field { name, at, .. } => {
            let field = &object.fields[*at];
            column(name, &field.name, Some(field), (false, Vec::new()))
        }
        Entry::Parent { name, object, projection, .. } => {
            column(name, name, None, (false, of_rows(object, projection)))
        }
        Entry::PolymorphicParent { name, fields, .. } => column(name, name, None, (false, open(fields))),
        Entry::TypeOf { name, otherwise, .. } => column(name, name, None, (false, open(otherwise))),
        Entry::Children { name, plan, .. } => {
            let joined = match &plan.output {
                Output::Rows(projection) => of_rows(&plan.object, projection),
                Output::Count | Output::Groups(_) => Vec::new(),
            };
            column(name, name, None, (true, joined))
        }
    }
}

fn of_groups(scope: Scope<'_>, select: &Select) -> Result<Vec<Json>, ApiError> {
    let mut numbered = 0;
    let mut columns = Vec::new();
    for item in &select.items {
        let Item::Value { expression, alias, .. } = item else { continue };
        let found = scope.resolve(expression.path())?;
        let function = match expression {
            Expression::Aggregate(function, _) | Expression::FormatOf(function, _) => Some(function.name()),
            Expression::Date(function, ..) => date_name(*function),
            Expression::Grouping(_) => Some("GROUPING"),
            _ => None,
        };
        let display = function.map_or_else(|| found.name.clone(), |f| format!("{}({})", f.to_lowercase(), found.name));
        let name = alias.clone().unwrap_or_else(|| match function {
            Some(_) => {
                numbered += 1;
                format!("expr{}", numbered - 1)
            }
            None => found.last_name().to_owned(),
        });
        columns.push(column(&name, &display, found.field(), (is_aggregate(item) || function.is_some(), Vec::new())));
    }
    Ok(columns)
}

fn date_name(function: DateFunction) -> Option<&'static str> {
    DateFunction::NAMES.iter().find(|(_, known)| *known == function).map(|(name, _)| *name)
}
