//! `composite/tree/{object}`: records with their children, all or none of which are created.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;

// Limits of the REST API guide, sObject tree.
const MAX_RECORDS: usize = 200;
const MAX_TYPES: usize = 5;
const MAX_LEVELS: usize = 5;

/// A record to be created.
struct Node {
    reference: String,
    object: String,
    fields: Map<String, Json>,
    /// Index of the parent, and the field that points to it.
    parent: Option<(usize, String)>,
}

/// The records of a request, parents before their children.
#[derive(Default)]
struct Forest {
    nodes: Vec<Node>,
    types: BTreeSet<String>,
}

/// Serves a tree request.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, object: &str) -> Result<Response, ApiError> {
    let object = org.schema.object(object).filter(|o| org.may(actor, Permission::Read, o)).cloned();
    let object = object.ok_or_else(ApiError::not_found)?;
    let mut forest = Forest::default();
    forest.grow(org, records(call.object()?.get("records"))?, (&object.name, None), 1)?;
    if let Some(results) = repeated(&forest.nodes) {
        return Ok(failed(&results));
    }
    let start = org.savepoint();
    let mut ids: Vec<RecordId> = Vec::with_capacity(forest.nodes.len());
    for node in forest.nodes.iter_mut() {
        if let Some((parent, field)) = node.parent.take() {
            node.fields.insert(field, ids.get(parent).map_or(Json::Null, |id| Json::from(id.as_str())));
        }
        match org.create(actor, &node.object, &node.fields) {
            Ok(id) => ids.push(id),
            Err(error) => {
                org.rollback(&start);
                return Ok(failed(&[(node.reference.clone(), error)]));
            }
        }
    }
    let created = forest.nodes.iter().zip(ids);
    let results: Vec<Json> =
        created.map(|(node, id)| json!({"referenceId": node.reference, "id": id.as_str()})).collect();
    Ok(Response::json(json!({"hasErrors": false, "results": results})).status(201))
}

fn refused(message: impl Into<String>) -> ApiError {
    ApiError::new("INVALID_INPUT", message)
}

fn records(json: Option<&Json>) -> Result<&[Json], ApiError> {
    let records = json.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if records.is_empty() { Err(refused("records is required")) } else { Ok(records) }
}

impl Forest {
    /// Adds records and, after each of them, its children.
    fn grow(
        &mut self,
        org: &Org,
        records: &[Json],
        (object, parent): (&str, Option<(usize, &str)>),
        level: usize,
    ) -> Result<(), ApiError> {
        if level > MAX_LEVELS {
            return Err(refused(format!("a tree has at most {MAX_LEVELS} levels")));
        }
        let object = org.object(object)?;
        self.types.insert(object.name.clone());
        if self.types.len() > MAX_TYPES {
            return Err(refused(format!("a tree has records of at most {MAX_TYPES} types")));
        }
        for record in records {
            let record = record.as_object().ok_or_else(|| ApiError::bad_json("a record must be an object"))?;
            let at = self.nodes.len();
            if at == MAX_RECORDS {
                return Err(refused(format!("a tree has at most {MAX_RECORDS} records")));
            }
            let (fields, children) = divided(org, &object, record);
            let parent = parent.map(|(at, field)| (at, field.to_owned()));
            self.nodes.push(Node {
                reference: reference(&object, record)?,
                object: object.name.clone(),
                fields,
                parent,
            });
            for (child, field, records) in children {
                self.grow(org, records, (&child, Some((at, &field))), level + 1)?;
            }
        }
        Ok(())
    }
}

/// Returns the reference of a record, whose type must be the expected one.
fn reference(object: &Object, record: &Map<String, Json>) -> Result<String, ApiError> {
    let attribute = |name: &str| record.get("attributes").and_then(|a| a.get(name)).and_then(Json::as_str);
    let reference = attribute("referenceId").filter(|text| !text.is_empty());
    let reference = reference.ok_or_else(|| refused("Include a reference ID for each record in the request."))?;
    match attribute("type") {
        Some(name) if name.eq_ignore_ascii_case(&object.name) => Ok(reference.to_owned()),
        other => Err(refused(format!(
            "attributes.type of {reference} must be {}, not {}",
            object.name,
            other.unwrap_or("absent")
        ))),
    }
}

type Children<'a> = Vec<(String, String, &'a [Json])>;

/// Splits a record into its own fields and its children: their object, the field that points back, and the records.
fn divided<'a>(org: &Org, object: &Object, record: &'a Map<String, Json>) -> (Map<String, Json>, Children<'a>) {
    let relationships = org.schema.children_of(&object.name);
    let (mut fields, mut children) = (Map::new(), Vec::new());
    for (name, value) in record {
        let below = value.get("records").and_then(Json::as_array);
        let relationship = relationships.iter().find(|r| r.name.is_some_and(|known| known.eq_ignore_ascii_case(name)));
        match below.zip(relationship) {
            Some((records, r)) => {
                let field = r.object.fields.get(r.field).map(|f| f.name.clone()).unwrap_or_default();
                children.push((r.object.name.clone(), field, records.as_slice()));
            }
            None => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    (fields, children)
}

/// Returns an error for every record whose reference is used more than once.
fn repeated(nodes: &[Node]) -> Option<Vec<(String, ApiError)>> {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *uses.entry(&node.reference).or_default() += 1;
    }
    let repeated = nodes.iter().filter(|node| uses.get(node.reference.as_str()).is_some_and(|n| *n > 1));
    let complaint = || refused("Duplicate ReferenceId provided in the request.");
    let found: Vec<_> = repeated.map(|node| (node.reference.clone(), complaint())).collect();
    (!found.is_empty()).then_some(found)
}

fn failed(errors: &[(String, ApiError)]) -> Response {
    let result =
        |(reference, error): &(String, ApiError)| json!({"referenceId": reference, "errors": error.result()["errors"]});
    let results: Vec<Json> = errors.iter().map(result).collect();
    Response::json(json!({"hasErrors": true, "results": results})).status(400)
}
