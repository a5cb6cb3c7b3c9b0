//! Captures the changes of a transaction when it is committed.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::names::{captured, event_name, schema_id};
use super::{ChangeEvent, HEADER};
use crate::model::datetime;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::model::value::{Place, Value};

/// The API and the user that a transaction comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'a> {
    /// Name of the API and its version, for example `("rest", "66.0")`; `None` for a change without an API.
    pub(crate) api: Option<(&'a str, &'a str)>,
    /// `client` of `Sforce-Call-Options`.
    pub(crate) client: Option<&'a str>,
    /// The user; when absent, the one who last modified the record.
    pub(crate) user: Option<RecordId>,
}

impl Origin<'_> {
    /// Returns `com/salesforce/api/rest/66.0;client=Astro`, or an empty text.
    fn text(&self) -> String {
        let client = self.client.map(|client| format!(";client={client}")).unwrap_or_default();
        self.api.map(|(name, version)| format!("com/salesforce/api/{name}/{version}{client}")).unwrap_or_default()
    }
}

/// A change of one record, or the same change of several.
struct Change {
    object: Arc<Object>,
    records: Vec<RecordId>,
    kind: &'static str,
    user: RecordId,
    changed: Vec<String>,
    body: Map<String, Json>,
}

impl Org {
    /// Commits the open transaction, and captures its changes of the selected objects.
    pub(crate) fn commit(&mut self, origin: Origin<'_>) {
        if !self.change_events.members.is_empty() {
            let changes = changes(self, origin);
            self.append_events(changes, origin);
        }
        self.store.commit();
    }

    fn append_events(&mut self, changes: Vec<Change>, origin: Origin<'_>) {
        let now = self.clock.now();
        self.change_events.drop_old(now);
        if changes.is_empty() {
            return;
        }
        self.change_events.commits += 1;
        let (commit, transaction) = (self.change_events.commits, self.random.uuid());
        // A change of an object that is not selected leaves a gap in the numbers.
        for (sequence, change) in (1_u64..).zip(changes) {
            let Change { object, records, kind, user, changed, body } = change;
            let channels = self.change_events.channels_of(&object.name);
            let Some(name) = event_name(&object.name).filter(|_| !channels.is_empty()) else { continue };
            let header = json!({
                "entityName": object.name, "recordIds": records, "changeType": kind, "changeOrigin": origin.text(),
                "transactionKey": transaction, "sequenceNumber": sequence,
                "commitTimestamp": self.stamp().as_millisecond(), "commitNumber": commit, "commitUser": user,
                "changedFields": changed,
            });
            let mut payload = Map::from_iter([(HEADER.to_owned(), header)]);
            payload.extend(body);
            let (id, schema, object) = (self.random.uuid(), schema_id(&object), object.name.clone());
            let event = ChangeEvent { replay_id: 0, id, name, object, schema, at: now, channels, payload };
            self.change_events.append(event);
        }
        self.streams.wake();
    }
}

/// Returns the changes since the last commit, in the order in which the records were first changed.
///
/// The same update or deletion of several records is one change, and several changes of a record are one.
fn changes(org: &Org, origin: Origin<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut seen = HashSet::new();
    for (object, id, before) in org.store.uncommitted() {
        if event_name(&object.name).is_none() || !seen.insert((&object.name, id)) {
            continue;
        }
        let Some(change) = change(object, (before, org.store.get(&object.name, id)), id, origin) else { continue };
        let same = |known: &&mut Change| {
            matches!(known.kind, "UPDATE" | "DELETE")
                && (known.kind, &known.object.name, known.user) == (change.kind, &object.name, change.user)
                && (&known.changed, &known.body) == (&change.changed, &change.body)
        };
        match changes.iter_mut().find(same) {
            Some(known) => known.records.push(id),
            None => changes.push(change),
        }
    }
    changes
}

/// Compares two states of a record; `None` if nothing changed that an event shows.
fn change(
    object: &Arc<Object>,
    (before, after): (Option<&Arc<Row>>, Option<&Arc<Row>>),
    id: RecordId,
    origin: Origin<'_>,
) -> Option<Change> {
    let live = |row: Option<&Arc<Row>>| row.filter(|row| !row.is_deleted()).cloned();
    let author = after.or(before)?.get(schema::MODIFIED_BY).as_id();
    let user = origin.user.or(author)?;
    let new =
        |kind, changed, body| Some(Change { object: Arc::clone(object), records: vec![id], kind, user, changed, body });
    match (live(before), live(after)) {
        (None, Some(after)) => {
            let kind = if before.is_some() { "UNDELETE" } else { "CREATE" };
            let filled = captured(object).map(|(at, _)| at).filter(|at| !after.get(*at).is_null());
            new(kind, Vec::new(), body(object, &after, id, filled))
        }
        (Some(before), Some(after)) => {
            let differs = |at: &usize| before.get(*at) != after.get(*at);
            let mut changed: Vec<usize> = captured(object).map(|(at, _)| at).filter(differs).collect();
            if changed.is_empty() {
                return None;
            }
            if !changed.contains(&schema::MODIFIED_DATE) {
                changed.push(schema::MODIFIED_DATE);
            }
            let names = changed.iter().map(|at| changed_name(object, *at)).collect();
            new("UPDATE", names, body(object, &after, id, changed.into_iter()))
        }
        (Some(_), None) => new("DELETE", Vec::new(), Map::new()),
        (None, None) => None,
    }
}

/// Returns the name of a field in `changedFields`: `Phone`, `BillingAddress.City`.
fn changed_name(object: &Object, at: usize) -> String {
    let Some(field) = object.fields.get(at) else { return String::new() };
    match object.part_of_compound(field) {
        Some((compound, part)) => format!("{compound}.{part}"),
        None => field.name.clone(),
    }
}

/// Returns fields of a record with their values; the parts of a compound field are members of one object.
fn body(object: &Object, row: &Row, id: RecordId, fields: impl Iterator<Item = usize>) -> Map<String, Json> {
    let mut body = Map::new();
    for (at, field) in fields.filter_map(|at| Some((at, object.fields.get(at)?))) {
        let value = match row.get(at) {
            Value::Instant(at) => Json::from(datetime::soap(*at)),
            value => value.json(Place { version: "", object: &object.name, field: &field.name, id }),
        };
        match object.part_of_compound(field) {
            None => drop(body.insert(field.name.clone(), value)),
            Some((compound, part)) => {
                let parts = body.entry(compound).or_insert_with(|| json!({}));
                // The name of an account is a text, and that of a person account has parts.
                match parts.as_object_mut() {
                    Some(parts) => drop(parts.insert(part, value)),
                    None => *parts = json!({part: value}),
                }
            }
        }
    }
    body
}
