//! The order in which the records of a graph are sent, and how each of them names the others. Pure functions.
//!
//! A record that names another one of the request refers to it by its node (`@{r0.id}`), and is sent after it. One that names a
//! record which is not in the request keeps the external id, which Salesforce resolves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use runtime::Schema;
use salesforce::graph::{MAX_DEPTH, Node, Save, reference_to};
use salesforce::{ExternalIdType, FieldDescribe, FieldName, ObjectName, RecordId};
use serde_json::{Map, Value};
use writes::{Defect, Error, Hidden};

use super::request::{GraphRecord, named_client_key};
use crate::batch::find_field;
use crate::check::is_key;
use crate::rows::by_parent;

/// A record as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// The position in the request.
    pub(crate) index: usize,
    pub(crate) node: Node,
    /// The lookup fields that name other records of the request, by their positions.
    pub(crate) parents: Vec<(FieldName, usize)>,
    /// The owner was added, because the request names none.
    pub(crate) gets_owner: bool,
}

/// The records of a graph in the order in which they are sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan(pub(crate) Vec<Planned>);

impl Plan {
    /// Plans the request. `schema` has the objects of its records.
    ///
    /// # Errors
    /// [`Error::Hidden`] for an object, key or field that the user does not see; [`Error::Invalid`] for two records that
    /// are one to Salesforce, and for references that lead nowhere, to several records or in a circle.
    pub(crate) fn new(records: &[GraphRecord], schema: &Schema) -> Result<Self, Error> {
        let keys = records.iter().map(|record| key_type(record, schema)).collect::<Result<Vec<_>, _>>()?;
        let known = Known { records, schema, identities: identities(records, &keys)? };
        let mut defects = Vec::new();
        let mut parents = Vec::new();
        for (index, record) in records.iter().enumerate() {
            parents.push(known.parents(index, record, &mut defects));
        }
        if !defects.is_empty() {
            return Err(Error::Invalid(defects));
        }
        let order = order(records, &parents).map_err(Error::Invalid)?;
        let planned = |index: usize| {
            let (record, parents) = (&records[index], &parents[index]);
            planned(records, index, record, parents)
        };
        Ok(Self(order.into_iter().map(planned).collect()))
    }

    /// Returns the nodes, in the order in which they are sent.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.0.iter().map(|planned| planned.node.clone()).collect()
    }
}

/// A relationship of a record to another one of the request.
struct Parent {
    /// The relationship, as the request spells it.
    relationship: String,
    lookup: FieldName,
    index: usize,
}

/// An external id as Salesforce compares it: object and field in lower case, and the one form of the value.
type Identity = (String, String, String);

struct Known<'a> {
    records: &'a [GraphRecord],
    schema: &'a Schema,
    identities: HashMap<Identity, usize>,
}

fn key_type(record: &GraphRecord, schema: &Schema) -> Result<Option<ExternalIdType>, Error> {
    let object = &record.object;
    if schema.object(object).is_none() {
        return Err(Error::Hidden(Hidden::Object(object.clone())));
    }
    let Some(key) = &record.external_id_field else { return Ok(None) };
    match schema.field(object, key.as_str()) {
        None => Err(Error::Hidden(Hidden::Key(object.clone(), key.clone()))),
        Some(field) if !is_key(field) => Err(Error::Hidden(Hidden::NotAKey(object.clone(), key.clone()))),
        Some(field) => Ok(Some(ExternalIdType::of(field))),
    }
}

/// Returns the field of a relationship.
pub(super) fn lookup<'a>(schema: &'a Schema, object: &ObjectName, relationship: &str) -> Option<&'a FieldDescribe> {
    let is_of = |name: &String| name.eq_ignore_ascii_case(relationship);
    schema.object(object)?.fields.iter().find(|field| field.relationship_name.as_ref().is_some_and(is_of))
}

fn identity(object: &ObjectName, field: &str, key_type: &ExternalIdType, value: &Value) -> Option<Identity> {
    let value = key_type.canonical(value)?;
    Some((object.as_str().to_ascii_lowercase(), field.to_ascii_lowercase(), value))
}

/// Returns the positions of the records by their external ids.
fn identities(records: &[GraphRecord], keys: &[Option<ExternalIdType>]) -> Result<HashMap<Identity, usize>, Error> {
    let mut known = HashMap::new();
    let mut defects = Vec::new();
    for (index, (record, key)) in records.iter().zip(keys).enumerate() {
        let Some((key, (field, value))) = key.as_ref().zip(record.external_id()) else { continue };
        let Some(identity) = identity(&record.object, field.as_str(), key, value) else { continue };
        if let Some(earlier) = known.insert(identity, index) {
            let detail = "the external id is the same to Salesforce as that of another record of this request";
            defects.extend([earlier, index].map(|index| on(index, field.as_str(), detail)));
        }
    }
    if defects.is_empty() { Ok(known) } else { Err(Error::Invalid(defects)) }
}

fn on(record: usize, field: &str, detail: &'static str) -> Defect {
    Defect::field(format!("fields.{field}"), detail).of_record(record)
}

impl Known<'_> {
    /// Returns the other records of the request that a record names.
    fn parents(&self, index: usize, record: &GraphRecord, defects: &mut Vec<Defect>) -> Vec<Parent> {
        let mut parents = Vec::new();
        for (relationship, value) in &record.fields {
            let Value::Object(reference) = value else { continue };
            let Some(field) = lookup(self.schema, &record.object, relationship) else {
                defects.push(on(index, relationship, "must be the name of a relationship"));
                continue;
            };
            let found = match named_client_key(reference) {
                Some(key) => match self.records.iter().position(|other| other.client_key.as_deref() == Some(key)) {
                    Some(found) => vec![found],
                    None => {
                        defects.push(on(index, relationship, "names no client_key of this request"));
                        continue;
                    }
                },
                None => self.named(field, reference),
            };
            match found.as_slice() {
                [] => {}
                [found] => {
                    let (relationship, lookup) = (relationship.clone(), field.name.clone());
                    parents.push(Parent { relationship, lookup, index: *found });
                }
                _ => {
                    let detail = "names several records of this request: name the object, as {\"attributes\": {\"type\": \"Account\"}, ...}";
                    defects.push(on(index, relationship, detail));
                }
            }
        }
        parents
    }

    /// Returns the records of the request that have the external id which a reference names.
    fn named(&self, field: &FieldDescribe, reference: &Map<String, Value>) -> Vec<usize> {
        let Some((key, value)) = reference.iter().find(|(name, _)| *name != "attributes") else { return Vec::new() };
        let named_type =
            reference.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Value::as_str);
        let targets = field.reference_to.iter();
        let targets = targets.filter(|target| named_type.is_none_or(|name| name.eq_ignore_ascii_case(target.as_str())));
        let found = targets.filter_map(|target| {
            let key_type = ExternalIdType::of(self.schema.field(target, key)?);
            self.identities.get(&identity(target, key, &key_type, value)?).copied()
        });
        found.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Returns the positions in an order in which parents come first, and otherwise the records of one parent follow each other.
///
/// # Errors
/// A defect for each place of a circle of references, or for a chain that is too long.
fn order(records: &[GraphRecord], parents: &[Vec<Parent>]) -> Result<Vec<usize>, Vec<Defect>> {
    let fields: Vec<_> = records.iter().map(|record| record.fields.clone()).collect();
    let mut waiting = by_parent(&fields);
    let mut levels: BTreeMap<usize, usize> = BTreeMap::new();
    let mut order = Vec::with_capacity(records.len());
    while !waiting.is_empty() {
        let is_ready = |index: &usize| parents[*index].iter().all(|parent| levels.contains_key(&parent.index));
        let Some(at) = waiting.iter().position(is_ready) else { return Err(circle(&waiting, parents)) };
        let index = waiting.remove(at);
        let level =
            parents[index].iter().filter_map(|parent| levels.get(&parent.index)).max().map_or(1, |level| level + 1);
        if level > MAX_DEPTH {
            return Err(vec![Defect::record(index, "the record is more than 15 levels deep")]);
        }
        levels.insert(index, level);
        order.push(index);
    }
    Ok(order)
}

/// Returns the places of a circle among records of which each waits for another.
fn circle(waiting: &[usize], parents: &[Vec<Parent>]) -> Vec<Defect> {
    let next = |index: usize| parents[index].iter().find(|parent| waiting.contains(&parent.index));
    let mut path: Vec<(usize, &Parent)> = Vec::new();
    let mut at = waiting.first().copied();
    while let Some((index, parent)) = at.and_then(|index| Some((index, next(index)?))) {
        if let Some(begin) = path.iter().position(|(earlier, _)| *earlier == index) {
            let detail = "the records of this request name each other in a circle";
            let mut circle = path.split_off(begin);
            circle.sort_unstable_by_key(|(index, _)| *index);
            return circle.into_iter().map(|(index, parent)| on(index, &parent.relationship, detail)).collect();
        }
        path.push((index, parent));
        at = Some(parent.index);
    }
    vec![Defect::field("records", "the records name each other in a circle")]
}

fn planned(records: &[GraphRecord], index: usize, record: &GraphRecord, parents: &[Parent]) -> Planned {
    let mut fields = record.fields.clone();
    for parent in parents {
        fields.remove(&parent.relationship);
        let value = match own_id(&records[parent.index]) {
            Some(id) => id.to_string(),
            None => reference_to(&reference_id(parent.index)),
        };
        fields.insert(parent.lookup.to_string(), Value::String(value));
    }
    let save = match (own_id(record), record.external_id()) {
        (Some(id), _) => Save::Update(id),
        (None, Some((field, value))) => Save::Upsert(field.clone(), value.clone()),
        (None, None) => Save::Create,
    };
    if let Some(field) = &record.external_id_field {
        fields.remove(field.as_str());
    }
    let parents = parents.iter().map(|parent| (parent.lookup.clone(), parent.index)).collect();
    let node = Node { reference_id: reference_id(index), object: record.object.clone(), save, fields };
    Planned { index, node, parents, gets_owner: false }
}

fn reference_id(index: usize) -> String {
    format!("r{index}")
}

/// Returns the id of a record that is identified by it.
fn own_id(record: &GraphRecord) -> Option<RecordId> {
    let (field, _) = record.external_id()?;
    let is_id = field.as_str().eq_ignore_ascii_case("id");
    is_id.then(|| find_field(&record.fields, "Id")?.as_str()?.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
