//! `?explain=`: the plan of a query (REST API guide, "Query resource, explain"). The numbers are simple estimates.

use serde_json::{Value as Json, json};

use super::grammar;
use crate::data::soql::eval::ids_named;
use crate::data::soql::plan::Plan;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

/// Checks a query and returns its plan, without running it.
pub(crate) fn explained(org: &Org, actor: &Actor, text: &str) -> Result<Json, ApiError> {
    let select = grammar::parse(text)?;
    let plan = Plan::new(org, actor, &select, text)?;
    let live = org.store.table(&plan.object.name).map_or(0, crate::model::store::Table::live);
    let named = plan.filter.as_ref().and_then(ids_named);
    let (operation, fields, cost) = match &named {
        Some(_) => ("Index", json!(["Id"]), 0.001),
        None => ("TableScan", json!([]), 1.0),
    };
    let notes = match &named {
        Some(_) => json!([]),
        None => json!([{
            "description": "Not considering filter for optimization because unindexed",
            "fields": ["IsDeleted"], "tableEnumOrId": plan.object.name,
        }]),
    };
    Ok(json!({"plans": [{
        "cardinality": named.map_or(live, |ids| ids.len()), "fields": fields, "leadingOperationType": operation,
        "notes": notes, "relativeCost": cost, "sobjectCardinality": live, "sobjectType": plan.object.name,
    }]}))
}
