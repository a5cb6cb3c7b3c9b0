//! SOQL: text to syntax tree ([`grammar`]), syntax tree to plan against the schema ([`plan`]), plan to rows ([`eval`]).

mod ast;
mod eval;
mod flat;
mod grammar;
mod plan;
mod project;

pub(crate) use flat::{FlatRows, rows};
pub(crate) use plan::Plan;

use crate::api_error::ApiError;
use crate::ids::RecordId;
use crate::org::{Actor, Org};

/// The rows a query matches, in order, and how to show them.
pub(crate) struct Found {
    pub(crate) plan: Plan,
    pub(crate) ids: Vec<RecordId>,
}

/// Runs a query; `all_rows` includes the recycle bin.
pub(crate) fn run(org: &Org, actor: &Actor, text: &str, all_rows: bool) -> Result<Found, ApiError> {
    let select = grammar::parse(text)?;
    let plan = Plan::new(org, &select, text)?;
    let ids = eval::matching(org, actor, &plan, all_rows);
    Ok(Found { plan, ids })
}

pub(crate) use project::{attributes, render};

/// Salesforce's way to show where in the query something is wrong.
fn at(code: &'static str, text: &str, offset: usize, message: &str) -> ApiError {
    let before = text.get(..offset).unwrap_or(text);
    let row = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let line = text.lines().nth(row - 1).unwrap_or_default();
    let pointer = " ".repeat(column - 1);
    ApiError::new(code, format!("\n{line}\n{pointer}^\nERROR at Row:{row}:Column:{column}\n{message}"))
}

#[cfg(test)]
mod tests;
