//! SOQL: text to syntax tree ([`grammar`]), syntax tree to plan against the schema as a user sees it ([`plan`]),
//! plan to rows ([`eval`], [`groups`]), rows to JSON ([`render`]) or to flat rows ([`flat`]).

mod activity_lists;
mod ast;
mod columns;
mod compare;
mod condition;
mod date_function;
mod date_literal;
mod distance;
mod eval;
mod explain;
mod filter;
mod flat;
mod format;
mod grammar;
mod groups;
mod pointer;
mod project;
mod render;
mod scope;
mod semi_join;
mod user_access;

use serde_json::Value as Json;

use crate::data::soql::ast::{Item, Path, Select};
use crate::data::soql::plan::{Output, Plan};
use crate::data::soql::result::{QueryResult, Rows};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;

use eval::View;

pub(crate) use columns::metadata;
pub(crate) use explain::explain_query;
pub(crate) use flat::{FlatRows, rows};
pub(crate) use pointer::at;
pub(crate) use render::{PageOptions, attributes, page};

/// Runs a query; `all_rows` includes the recycle bin.
pub(crate) fn run(org: &Org, actor: &Actor, text: &str, all_rows: bool) -> Result<QueryResult, ApiError> {
    let select = grammar::parse(text)?;
    let plan = Plan::new(org, actor, &select, text)?;
    let view = View { org, actor };
    if plan.object.name == user_access::OBJECT {
        return user_access::run(view, &select, plan);
    }
    let rows = match &plan.output {
        Output::Count => Rows::Count(eval::rows(view, &plan, all_rows).len()),
        Output::Rows(_) => {
            Rows::Records(eval::rows(view, &plan, all_rows).into_iter().filter_map(|row| row.id()).collect())
        }
        Output::Groups(groups) => {
            let mut shown = groups.run(view, &eval::matching(view, &plan, all_rows, None));
            shown.drain(..plan.offset.min(shown.len()));
            shown.truncate(plan.limit.unwrap_or(usize::MAX));
            Rows::Groups(shown)
        }
    };
    Ok(QueryResult { plan, rows })
}

/// Returns whether a condition on records of `own` reads that field of `object`, or passes through it to a parent.
pub(crate) fn condition_reads(org: &Org, own: &Object, condition: &str, field: (&str, &str)) -> bool {
    let select = grammar::parse(&format!("SELECT Id FROM {} WHERE ({condition})", own.name));
    select.is_ok_and(|select| reads(org, own, &select, field))
}

/// Returns whether the list of a query of this object or its condition, with the subqueries in it, reads the field.
fn reads(org: &Org, own: &Object, select: &Select, (object, field): (&str, &str)) -> bool {
    let passes = |path: &Path| {
        let (first, rest) = (path.names.first().map_or("", String::as_str), path.names.get(1..).unwrap_or_default());
        let is_own = [Some(own.name.as_str()), select.alias.as_deref()].into_iter().flatten();
        let is_own = is_own.into_iter().any(|name| name.eq_ignore_ascii_case(first));
        org.schema.passes(own, &path.names, object, field) || is_own && org.schema.passes(own, rest, object, field)
    };
    let mut found = select.items.iter().any(|item| match item {
        Item::Value { expression, .. } => passes(expression.path()),
        _ => false,
    });
    if let Some(condition) = &select.condition {
        condition.comparisons(&mut |path, joined| {
            let inner = joined.and_then(|joined| Some((org.schema.object(joined.from.names.first()?)?, joined)));
            found |= passes(path) || inner.is_some_and(|(inner, joined)| reads(org, inner, joined, (object, field)));
        });
    }
    found
}

/// A test that decides which records a search matches.
type RowTest<'a> = &'a dyn Fn(&Org, &Object, &Row) -> bool;

/// Runs the query of a search and returns the rows that pass the test, up to the query's limit.
pub(crate) fn search_rows(
    org: &mut Org,
    actor: &Actor,
    (text, hit): (&str, RowTest<'_>),
    options: PageOptions<'_>,
) -> Result<Vec<Json>, ApiError> {
    let select = grammar::parse(text)?;
    let plan = Plan::new(org, actor, &select, text)?;
    let rows = eval::matching(View { org, actor }, &plan, false, None);
    let hits = rows.into_iter().filter(|row| hit(org, &plan.object, row)).filter_map(|row| row.id());
    let ids = hits.skip(plan.offset).take(plan.limit.unwrap_or(usize::MAX)).collect();
    let found = QueryResult { plan, rows: Rows::Records(ids) };
    Ok(page(org, actor, &found, 0, options).records)
}

#[cfg(test)]
mod model;
pub(crate) mod plan;
pub(crate) mod planner;
pub(crate) mod result;
#[cfg(test)]
mod tests;
