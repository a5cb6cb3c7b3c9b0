//! `composite/graph`: several composite requests, each all or nothing and independent of the others.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value as Json, json};

use super::{Mode, Part, parts, references, results_json, run};
use crate::api::call::{Call, Dispatch, Response};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;

// Composite graph limits of the REST API guide.
const MAX_GRAPHS: usize = 75;
const MAX_NODES: usize = 500;
const MAX_DEPTH: usize = 15;
const MAX_KINDS: usize = 15;
const MAX_FAILURES: usize = 14;

struct Graph {
    id: String,
    parts: Vec<Part>,
}

/// Serves `composite/graph`.
pub(in crate::api::rest) fn serve(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    dispatch: Dispatch,
) -> Result<Response, ApiError> {
    let graphs = graphs(call)?;
    let mut failures = 0;
    let mut results = Vec::with_capacity(graphs.len());
    for graph in graphs {
        let (responses, good) = if failures >= MAX_FAILURES {
            (graph.parts.iter().map(|_| too_many_failures()).collect(), false)
        } else {
            run(org, actor, &graph.parts, Mode { all_or_none: true, is_supported, dispatch })
        };
        failures += usize::from(!good);
        results.push(json!({
            "graphId": graph.id, "graphResponse": {"compositeResponse": results_json(&graph.parts, responses)}, "isSuccessful": good,
        }));
    }
    Ok(Response::json(json!({"graphs": results})))
}

/// Returns whether a node may address the resource: records, by id and by external id (REST API guide, composite
/// graph).
fn is_supported(call: &Call) -> bool {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("POST", ["sobjects", _]) | ("GET" | "PATCH" | "POST" | "DELETE", ["sobjects", _, _, _]) => true,
        ("GET" | "PATCH" | "DELETE", ["sobjects", _, id]) => RecordId::parse(id).is_some(),
        _ => false,
    }
}

fn too_many_failures() -> Response {
    let message = "The graph was not processed because too many graphs of the request failed.";
    ApiError::new("PROCESSING_HALTED", message).into()
}

fn refused(message: impl Into<String>) -> ApiError {
    ApiError::new("INVALID_INPUT", message)
}

fn graphs(call: &Call) -> Result<Vec<Graph>, ApiError> {
    let given = call.object()?.get("graphs").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if given.is_empty() || given.len() > MAX_GRAPHS {
        return Err(refused(format!("between 1 and {MAX_GRAPHS} graphs are expected")));
    }
    let mut graphs: Vec<Graph> = Vec::with_capacity(given.len());
    let mut kinds = BTreeSet::new();
    for graph in given {
        let graph = graph.as_object().ok_or_else(|| ApiError::bad_json("a graph must be an object"))?;
        let id = graph.get("graphId").and_then(Json::as_str).unwrap_or_default();
        if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) || graphs.iter().any(|known| known.id == id) {
            return Err(refused(format!("graphId '{id}' must start with a letter or a number, and be unique")));
        }
        let parts = parts(graph)?;
        if depth(&parts) > MAX_DEPTH {
            return Err(refused(format!("graph {id} is deeper than {MAX_DEPTH} nodes")));
        }
        kinds.extend(parts.iter().map(kind));
        graphs.push(Graph { id: id.to_owned(), parts });
    }
    if graphs.iter().map(|graph| graph.parts.len()).sum::<usize>() > MAX_NODES {
        return Err(refused(format!("at most {MAX_NODES} nodes are allowed")));
    }
    if kinds.len() > MAX_KINDS {
        return Err(refused(format!("at most {MAX_KINDS} different nodes are allowed")));
    }
    Ok(graphs)
}

/// Returns the API version and the object, by which nodes are counted as different (REST API guide, composite graph limits).
fn kind(part: &Part) -> String {
    let path = part.text("url").split('?').next().unwrap_or_default().to_ascii_lowercase();
    let head: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).take(5).collect();
    head.join("/")
}

/// Returns the length of the longest chain of references.
fn depth(parts: &[Part]) -> usize {
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for part in parts {
        let needed = part.request.values().flat_map(references::references_in);
        let deepest = needed.filter_map(|reference| depths.get(reference.as_str()).copied()).max();
        depths.insert(&part.reference, deepest.unwrap_or_default() + 1);
    }
    depths.into_values().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn part(reference: &str, needs: &str) -> Part {
        let body = [("body".to_owned(), json!({"X": format!("@{{{needs}.id}}")}))];
        Part { reference: reference.to_owned(), request: Map::from_iter(body) }
    }

    #[test]
    fn nodes_differ_by_version_and_object() {
        let kind = |url: &str, method: &str| {
            let request = [("url".to_owned(), json!(url)), ("method".to_owned(), json!(method))];
            super::kind(&Part { reference: "a".to_owned(), request: Map::from_iter(request) })
        };
        let account = kind("/services/data/v66.0/sobjects/Account", "POST");
        assert_eq!(kind("/services/data/v66.0/sobjects/account/Key__c/A-1?x=1", "PATCH"), account);
        assert_ne!(kind("/services/data/v52.0/sobjects/Account", "POST"), account);
        assert_ne!(kind("/services/data/v66.0/sobjects/Contact", "POST"), account);
    }

    #[test]
    fn depth_counts_the_longest_chain() {
        assert_eq!(depth(&[part("a", "none"), part("b", "a"), part("c", "b"), part("d", "a")]), 3);
    }
}
