//! Saves of single records of several objects in one call: all or none as a graph (`composite/graph`), or each by itself
//! (`composite`).
//!
//! A later record can take the id of an earlier one as the value of a field ([`reference_to`]). Unlike a collection, the
//! response names the records that a duplicate rule found.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::collections::{SaveError, SaveOptions, SaveOutcome};
use crate::composite::{CompositeResponse, CompositeResponses, MAX_SUBREQUESTS, is_reference};
use crate::error::unavailable;
use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, RecordId};

/// The maximum number of nodes of a graph.
pub const MAX_NODES: usize = 500;
/// The maximum length of a chain of references, in nodes.
pub const MAX_DEPTH: usize = 15;
/// The maximum number of different objects.
pub const MAX_OBJECTS: usize = 15;

/// The name of the only graph of a request.
const GRAPH_ID: &str = "records";

/// Objects whose assignment rules would change the owner, unless the subrequest switches them off.
const ASSIGNED: [&str; 3] = ["Account", "Case", "Lead"];

/// A record to save.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The name for references: letters, digits and underscores, beginning with a letter; unique.
    pub reference_id: String,
    /// The object.
    pub object: ObjectName,
    /// The record.
    pub save: Save,
    /// The fields to set, without the external id.
    pub fields: JsonObject,
}

/// The record that a [`Node`] saves.
#[derive(Clone, Debug, PartialEq)]
pub enum Save {
    /// A new record.
    Create,
    /// The record with this external id, a text or a number. Salesforce creates it if there is none.
    Upsert(FieldName, Value),
    /// The record with this id.
    Update(RecordId),
}

/// Returns the value of a field that takes the id of an earlier node's record. The node must not be a [`Save::Update`], whose
/// response has no body.
#[must_use]
pub fn reference_to(reference_id: &str) -> String {
    format!("@{{{reference_id}.id}}")
}

/// Returns whether Salesforce may take a text for one with a reference. There is no way to escape one.
#[must_use]
pub fn has_reference(text: &str) -> bool {
    text.contains("@{")
}

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<GraphResponse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphResponse {
    graph_response: CompositeResponses,
    is_successful: bool,
}

/// The body of the response to a node that was saved.
#[derive(Deserialize)]
struct Saved {
    id: RecordId,
    #[serde(default)]
    created: Option<bool>,
}

impl Node {
    fn method(&self) -> &'static str {
        match self.save {
            Save::Create => "POST",
            Save::Upsert(..) | Save::Update(_) => "PATCH",
        }
    }

    /// Returns the path below the version.
    fn resource(&self) -> Result<String, Error> {
        let object = &self.object;
        Ok(match &self.save {
            Save::Create => format!("sobjects/{object}"),
            Save::Upsert(field, value) => format!("sobjects/{object}/{field}/{}", path_segment(value)?),
            Save::Update(id) => format!("sobjects/{object}/{id}"),
        })
    }

    fn json(&self, base: &str, allow_duplicates: bool) -> Result<Value, Error> {
        let mut json = json!({
            "method": self.method(), "url": format!("{base}{}", self.resource()?), "referenceId": self.reference_id,
            "body": self.fields,
        });
        let mut headers = JsonObject::new();
        if ASSIGNED.iter().any(|object| object.eq_ignore_ascii_case(self.object.as_str())) {
            headers.insert("Sforce-Auto-Assign".to_owned(), json!("FALSE"));
        }
        if allow_duplicates {
            headers.insert("Sforce-Duplicate-Rule-Header".to_owned(), json!(SaveOptions::ALLOW_DUPLICATES.1));
        }
        if !headers.is_empty() {
            json["httpHeaders"] = Value::Object(headers);
        }
        Ok(json)
    }

    /// Returns the outcome that the response to the node says.
    fn outcome(&self, operation: &'static str, response: &CompositeResponse) -> Result<SaveOutcome, Error> {
        let saved = |id, created| SaveOutcome { id: Some(id), success: true, created, errors: Vec::new() };
        match (response.status, &self.save) {
            (200..300, Save::Update(id)) => Ok(saved(*id, false)),
            (status @ 200..300, _) => {
                let invalid = |_| Error::InvalidResponse { operation, what: "a saved record without an id" };
                let body = Saved::deserialize(&response.body).map_err(invalid)?;
                Ok(saved(body.id, body.created.unwrap_or(status == 201)))
            }
            // Several records match the external id; the body is a list of their paths.
            (300, _) => Ok(refused(vec![SaveError {
                code: "DUPLICATE_EXTERNAL_ID".to_owned(),
                message: "several records have this external id".to_owned(),
                ..SaveError::default()
            }])),
            (status, _) => match errors(&response.body) {
                errors if errors.is_empty() => Err(unavailable(operation, status, None, None)),
                errors => Ok(refused(errors)),
            },
        }
    }
}

fn refused(errors: Vec<SaveError>) -> SaveOutcome {
    SaveOutcome { id: None, success: false, created: false, errors }
}

/// Reads the errors of a part: a list, or one.
fn errors(body: &Value) -> Vec<SaveError> {
    let one = || SaveError::deserialize(body).map(|error| vec![error]);
    Vec::<SaveError>::deserialize(body).or_else(|_| one()).unwrap_or_default()
}

/// Encodes an external id as a segment of a path. Everything but letters, digits, `-` and `_` is escaped, also the dot, so that
/// nothing can be taken for a suffix such as `.json`.
fn path_segment(value: &Value) -> Result<String, Error> {
    let invalid = |reason| Error::Invalid { what: "an external id", reason };
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(invalid("is neither a text nor a number")),
    };
    if !is_path_segment(&text) {
        return Err(invalid("cannot be part of a path"));
    }
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => segment.push(char::from(byte)),
            byte => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(segment)
}

/// Returns whether an external id can be a segment of a path: it is neither empty nor only dots, which would name another
/// resource, and has no control characters.
#[must_use]
pub fn is_path_segment(text: &str) -> bool {
    !text.bytes().all(|byte| byte == b'.') && !text.chars().any(char::is_control)
}

/// Checks the limits of a graph, and that references name earlier nodes.
fn check(nodes: &[Node], max: usize) -> Result<(), Error> {
    let invalid = |reason| Error::Invalid { what: "a graph", reason };
    if nodes.is_empty() || nodes.len() > max {
        return Err(invalid("has no node, or too many"));
    }
    let objects: BTreeSet<String> = nodes.iter().map(|node| node.object.as_str().to_ascii_lowercase()).collect();
    if objects.len() > MAX_OBJECTS {
        return Err(invalid("has more than 15 objects"));
    }
    let mut depths = BTreeMap::new();
    for node in nodes {
        if !is_reference(&node.reference_id) {
            return Err(invalid("has a malformed reference id"));
        }
        let mut depth = 1;
        for name in node.fields.values().filter_map(Value::as_str).flat_map(references) {
            let earlier: &usize = depths.get(name).ok_or_else(|| invalid("refers to no earlier node"))?;
            depth = depth.max(earlier + 1);
        }
        if depth > MAX_DEPTH {
            return Err(invalid("has more than 15 levels"));
        }
        if depths.insert(node.reference_id.as_str(), depth).is_some() {
            return Err(invalid("has a duplicate reference id"));
        }
    }
    Ok(())
}

/// Returns the names in the references of a text.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("@{").skip(1).map(|rest| rest.split(['.', '[', '}']).next().unwrap_or_default())
}

/// Returns the outcomes in the order of the nodes. The parts of a graph that failed are rolled back, whatever their status is.
fn outcomes(
    operation: &'static str,
    nodes: &[Node],
    responses: &[CompositeResponse],
    is_rolled_back: bool,
) -> Result<Vec<SaveOutcome>, Error> {
    let by_name: BTreeMap<&str, &CompositeResponse> =
        responses.iter().map(|response| (response.reference_id.as_str(), response)).collect();
    let missing = || Error::InvalidResponse { operation, what: "no response to a record" };
    let outcome = |node: &Node| {
        let response = by_name.get(node.reference_id.as_str()).ok_or_else(missing)?;
        if is_rolled_back && (200..300).contains(&response.status) {
            return Ok(refused(vec![SaveError { code: "PROCESSING_HALTED".to_owned(), ..SaveError::default() }]));
        }
        node.outcome(operation, response)
    };
    nodes.iter().map(outcome).collect()
}

impl Client {
    /// Saves up to [`MAX_NODES`] records of up to [`MAX_OBJECTS`] objects: all of them, or none. Costs one call. The outcomes
    /// are in the order of the nodes; of a refused graph one says why, and the others that they were rolled back.
    ///
    /// Not retried after an unknown outcome.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a graph that breaks a limit, or an external id that cannot be part of a path; those of the whole
    /// request. A refused record is an outcome.
    pub async fn save_graph(&self, nodes: &[Node], allow_duplicates: bool) -> Result<Vec<SaveOutcome>, Error> {
        let operation = "save the records";
        check(nodes, MAX_NODES)?;
        let body = json!({"graphs": [{"graphId": GRAPH_ID, "compositeRequest": self.parts(nodes, allow_duplicates)?}]});
        let request = Request::send(operation, Method::POST, self.path("composite/graph"), &body)?;
        let response = self.send(&request).await.map_err(of_whole)?;
        let read = || {
            let [graph] = <[GraphResponse; 1]>::try_from(response.json::<Graphs>()?.graphs)
                .map_err(|_| response.invalid("not one graph"))?;
            outcomes(operation, nodes, &graph.graph_response.composite_response, !graph.is_successful)
        };
        read().inspect_err(|_| self.mark_lost_write())
    }

    /// Saves up to [`MAX_SUBREQUESTS`] records, each by itself. Costs one call. The outcomes are in the order of the nodes.
    ///
    /// Not retried after an unknown outcome.
    ///
    /// # Errors
    ///
    /// As [`Client::save_graph`].
    pub async fn save_each(&self, nodes: &[Node], allow_duplicates: bool) -> Result<Vec<SaveOutcome>, Error> {
        let operation = "save each record";
        check(nodes, MAX_SUBREQUESTS)?;
        let body = json!({"allOrNone": false, "compositeRequest": self.parts(nodes, allow_duplicates)?});
        let request = Request::send(operation, Method::POST, self.path("composite"), &body)?;
        let response = self.send(&request).await.map_err(of_whole)?;
        let read = || outcomes(operation, nodes, &response.json::<CompositeResponses>()?.composite_response, false);
        read().inspect_err(|_| self.mark_lost_write())
    }

    fn parts(&self, nodes: &[Node], allow_duplicates: bool) -> Result<Vec<Value>, Error> {
        let base = self.path("");
        nodes.iter().map(|node| node.json(&base, allow_duplicates)).collect()
    }
}

/// Returns the error of a whole request: only a part says whether an object is hidden.
fn of_whole(error: Error) -> Error {
    if error.is_hidden() { error.contradicted() } else { error }
}

#[cfg(test)]
mod tests;
