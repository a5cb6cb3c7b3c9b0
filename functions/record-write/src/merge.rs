//! The merge of one or two records into a third.

use std::collections::BTreeMap;

use runtime::Schema;
use salesforce::soap::partner::{Decision, MAX_MERGED, Merge, MergedRecords};
use salesforce::{Client, FieldName, JsonObject, ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Defect, Error, WriteOperation, unknown_members};

use crate::Deps;
use crate::access::{self, Right};
use crate::decided::{self, Decided, Request};
use crate::delete::origin;
use crate::deleted::{self, State};
use crate::effects::Effects;

/// The objects whose records Salesforce merges (SOAP API Developer Guide, `merge`).
const MERGEABLE: [&str; 4] = ["Account", "Case", "Contact", "Lead"];

/// A merge. The record `id` stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeRecords {
    /// The object.
    pub object: ObjectName,
    /// The record that stays.
    pub id: RecordId,
    /// The records that are merged into it, and deleted.
    pub merged_ids: Vec<RecordId>,
    /// The new values of fields of the record that stays.
    pub fields: JsonObject,
}

impl MergeRecords {
    /// Parses a request body.
    ///
    /// # Errors
    /// All defects, at least one.
    pub fn parse(object: ObjectName, id: RecordId, body: &Value) -> Result<Self, Vec<Defect>> {
        let mut defects =
            unknown_members(body, &["merged_ids", "fields"], "there is no such member; allowed: merged_ids, fields");
        if !MERGEABLE.iter().any(|name| object == ObjectName::from_static(name)) {
            defects.push(Defect::whole("Salesforce merges only records of Account, Case, Contact and Lead"));
        }
        let merged_ids = parse_merged(id, body.get("merged_ids"), &mut defects);
        let fields = match body.get("fields") {
            None | Some(Value::Null) => JsonObject::new(),
            Some(Value::Object(fields)) => {
                defects.extend(fields.iter().filter_map(field_defect));
                fields.clone()
            }
            Some(_) => {
                defects.push(Defect::field("fields", "must be an object"));
                JsonObject::new()
            }
        };
        if defects.is_empty() { Ok(Self { object, id, merged_ids, fields }) } else { Err(defects) }
    }
}

fn parse_merged(id: RecordId, value: Option<&Value>, defects: &mut Vec<Defect>) -> Vec<RecordId> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() || items.len() > MAX_MERGED {
        defects.push(Defect::field("merged_ids", "must be a list of 1 or 2 record ids"));
        return Vec::new();
    }
    let mut ids: Vec<RecordId> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = format!("merged_ids[{index}]");
        match item.as_str().and_then(|text| text.parse::<RecordId>().ok()) {
            None => defects.push(Defect::field(&place, "must be a record id")),
            Some(merged) if merged == id => {
                defects.push(Defect::field(&place, "is the record that stays, which the path names"));
            }
            Some(merged) if ids.contains(&merged) => defects.push(Defect::field(&place, "is named more than once")),
            Some(merged) => ids.push(merged),
        }
    }
    ids
}

fn field_defect((name, value): (&String, &Value)) -> Option<Defect> {
    let place = format!("fields.{}", name.chars().filter(|char| !char.is_control()).take(64).collect::<String>());
    if name.contains('.') || name.parse::<FieldName>().is_err() {
        return Some(Defect::field(&place, "must be the API name of a field"));
    }
    if name.eq_ignore_ascii_case("Id") {
        return Some(Defect::field(&place, "the record that stays is named by the path"));
    }
    match value {
        Value::Object(_) | Value::Array(_) => {
            Some(Defect::field(&place, "must be a text, a number, a boolean or null"))
        }
        Value::String(text) if text.chars().any(|char| char.is_control() && !"\t\r\n".contains(char)) => {
            Some(Defect::field(&place, "contains control characters"))
        }
        _ => None,
    }
}

impl WriteOperation for MergeRecords {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::Merge
    }

    fn object(&self) -> Option<&ObjectName> {
        Some(&self.object)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        deps.writable_objects.require(&self.object)
    }

    fn names_owner(&self) -> bool {
        false
    }

    fn records(&self) -> Vec<RecordKey> {
        let ids = std::iter::once(&self.id).chain(&self.merged_ids);
        ids.map(|id| RecordKey::of_id(&self.object, *id)).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let rights = [Right::Edit, Right::Delete].map(|right| (self.object.clone(), right));
        let effects = Effects { deps, route, write };
        let settings = effects.settings().await;
        let mirrored = settings.mirrored_objects(&deps.mirrored_objects);
        // The describes of the mirrored objects tell of which object a changed record is.
        let schema = access::require(deps, client, (route, write), &rights, mirrored).await?;
        access::require_ids(&schema, &self.object, "id", &[self.id])?;
        access::require_ids(&schema, &self.object, "merged_ids", &self.merged_ids)?;
        let from = deps.ledger.clock.now();
        let (merged, already_merged) = match decided::decide(deps, write, &Merging { this: self, client }).await? {
            Decided::Done(merged) => (merged, false),
            Decided::Before(merged) => (merged, true),
            Decided::Refused(row) => return Ok(decided::undone(row, None)),
            Decided::Deferred(row, retry) => return Ok(decided::undone(row, Some(retry))),
        };
        let mut changed = vec![origin(effects, self.id, from, self.fields.keys().cloned().collect())];
        changed.extend(self.merged_ids.iter().map(|id| origin(effects, *id, from, Vec::new())));
        effects.publish(&self.object, &changed).await;
        for (object, ids) in by_object(&schema, mirrored, &merged.updated_related_ids) {
            let related: Vec<_> = ids.into_iter().map(|id| origin(effects, id, from, Vec::new())).collect();
            effects.publish(object, &related).await;
        }
        let members = [("merged_ids", json!(self.merged_ids)), ("already_merged", Value::from(already_merged))];
        Ok(decided::done(self.id, members))
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

/// Returns the records of mirrored objects, by their objects.
fn by_object<'a>(
    schema: &Schema,
    mirrored: &'a [ObjectName],
    ids: &[RecordId],
) -> BTreeMap<&'a ObjectName, Vec<RecordId>> {
    let prefix = |object: &ObjectName| schema.object(object).and_then(|describe| describe.summary.key_prefix.clone());
    let of = |object: &&'a ObjectName| {
        let prefix = prefix(object)?;
        let theirs: Vec<RecordId> = ids.iter().copied().filter(|id| id.key_prefix() == prefix).collect();
        (!theirs.is_empty()).then_some((*object, theirs))
    };
    mirrored.iter().filter_map(|object| of(&object)).collect()
}

struct Merging<'a> {
    this: &'a MergeRecords,
    client: &'a Client,
}

impl Request for Merging<'_> {
    type Done = MergedRecords;

    async fn send(&self) -> Result<Decision<MergedRecords>, salesforce::Error> {
        let MergeRecords { object, id, merged_ids, fields } = self.this.clone();
        self.client.merge(&Merge { object, master_id: id, fields, merged_ids }).await
    }

    async fn look(&self) -> Result<Option<MergedRecords>, Error> {
        let MergeRecords { object, id, merged_ids, .. } = self.this;
        let ids: Vec<RecordId> = std::iter::once(id).chain(merged_ids).copied().collect();
        let states = deleted::states(self.client, object, &ids, true).await?;
        let Some((stays, merged)) = states.split_first() else { return Ok(None) };
        match stays {
            State::Live => {}
            State::Deleted { master } => return Err(Error::Gone { what: "record that stays", merged_into: *master }),
            State::Unknown => return Err(Error::NotFound("record that stays")),
        }
        if merged.contains(&State::Unknown) {
            return Err(Error::NotFound("record to be merged"));
        }
        let is_merged = |state: &State| *state == State::Deleted { master: Some(*id) };
        let done = || MergedRecords { merged_ids: merged_ids.clone(), updated_related_ids: Vec::new() };
        Ok(merged.iter().all(is_merged).then(done))
    }

    fn advice(&self, code: &str) -> Option<&'static str> {
        match code {
            "ENTITY_IS_DELETED" => Some(
                "A record to be merged is in the recycle bin, or was merged into another one. Restore it, or leave it out.",
            ),
            code if code.starts_with("INSUFFICIENT_ACCESS") => Some(
                "Have an administrator of the org allow the connection's user to change and delete these records, and those that refer to them.",
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
