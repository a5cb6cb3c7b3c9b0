//! All data of an org: audited, copied again, exported to files, or erased; and its settings.

pub(crate) mod audit;
pub(crate) mod backfill;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod settings;

use std::sync::Arc;

use runtime::invoke::{Invoke, call};
use salesforce::OrgId;
use serde_json::Value;

use crate::failure::Failure;
use crate::stack::Stack;

/// Calls the function `org-admin`, and returns its reply.
async fn operate(stack: &Stack, org: OrgId, request: &Value) -> Result<Value, Failure> {
    let function: Arc<dyn Invoke> = Arc::new(stack.org_admin());
    let reply: Value = call(&function, request).await.map_err(|error| {
        Failure::Unavailable(format!(
            "could not reach org-admin for org {org}: {}; see the log of the function {}-org-admin",
            runtime::Chain(&error),
            stack.name()
        ))
    })?;
    match reply.get("problem") {
        Some(problem) => Err(refused(org, problem)),
        None => Ok(reply),
    }
}

/// Returns the failure with every defect in a line of its own.
fn refused(org: OrgId, problem: &Value) -> Failure {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let detail = problem.get("detail").and_then(Value::as_str).map(|detail| format!(": {detail}")).unwrap_or_default();
    let defects = problem.get("defects").and_then(Value::as_array).into_iter().flatten();
    let lines = defects.map(|defect| format!("\n  {}: {}", text(defect, "field"), text(defect, "detail")));
    Failure::BadInput(format!("org {org}: {}{detail}{}", text(problem, "title"), lines.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_lists_each_defect() {
        let problem = json!({
            "title": "The org does not accept the settings as they are",
            "defects": [{ "field": "objects[0]", "detail": "no such object" }, { "field": "filters.Lead", "detail": "odd" }],
        });
        let Failure::BadInput(text) = refused("00D5e000000KQ2eEAG".parse().unwrap(), &problem) else {
            panic!("another failure")
        };
        assert!(text.ends_with("\n  objects[0]: no such object\n  filters.Lead: odd"), "{text}");
    }
}
