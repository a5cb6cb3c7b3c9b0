//! The event of a mirrored record's change, if it has one.

use std::str::FromStr;

use jiff::Timestamp;
use salesforce::RecordId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::origins::Origin;
use store::records::rule::{changed_between, changed_fields};
use store::{BusEvent, ChangeLane, DeletionReason, EventKind, MirrorRecord, SavedVersion, Tenant, WriteId};

/// The content of an event about a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventValues {
    /// The names of the changed fields only.
    #[default]
    Names,
    /// The names, and the values before and after, where they fit into an event.
    Values,
}

impl FromStr for EventValues {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "names" => Ok(Self::Names),
            "values" => Ok(Self::Values),
            _ => Err("the value must be names or values"),
        }
    }
}

/// The kind of a record's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The record is new, or fields have other values.
    Changed,
    /// The record is in the recycle bin, or purged.
    Deleted,
    /// The record was merged into another one.
    Merged,
    /// The record was restored from the recycle bin.
    Restored,
}

impl Kind {
    /// Returns the type of the event.
    #[must_use]
    pub fn event_kind(self) -> EventKind {
        match self {
            Self::Changed => EventKind::RecordChanged,
            Self::Deleted => EventKind::RecordDeleted,
            Self::Merged => EventKind::RecordMerged,
            Self::Restored => EventKind::RecordRestored,
        }
    }
}

/// A change with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record before, where the mirror had it.
    pub old: Option<MirrorRecord>,
    /// The record now.
    pub new: MirrorRecord,
    /// The kind of the change.
    pub kind: Kind,
    /// The fields whose values differ, in alphabetical order.
    pub changed_fields: Vec<String>,
    /// The id of the change: the same change published twice is the same event.
    pub change_id: String,
    /// `true` for the state of a record that is published again from the mirror, without a change.
    pub replayed: bool,
    /// The lane in which the change came into the mirror; `None` where its latency is not measured.
    pub lane: Option<ChangeLane>,
}

impl Change {
    /// Compares a record before and after; `None` without an event.
    ///
    /// A tombstone has no fields, so that all fields of a restored record count as changed.
    #[must_use]
    pub fn between(old: Option<MirrorRecord>, new: MirrorRecord, change_id: String) -> Option<Self> {
        let kind = kind(old.as_ref(), &new)?;
        let changed_fields = match kind {
            Kind::Deleted | Kind::Merged => Vec::new(),
            Kind::Restored | Kind::Changed => match old.as_ref().filter(|old| !old.deleted) {
                Some(old) => changed_between(old, &new),
                None => changed_fields(&Map::new(), &new.fields),
            },
        };
        let silent = kind == Kind::Changed && old.is_some() && changed_fields.is_empty();
        (!silent).then_some(Self { old, new, kind, changed_fields, change_id, replayed: false, lane: None })
    }

    /// Returns the state of a record as a change; `None` for an erased record.
    ///
    /// All fields count as changed. The same version of a record is always the same event.
    #[must_use]
    pub fn replay(new: MirrorRecord) -> Option<Self> {
        let change_id = format!("mirror/{}/{}/{}", new.object, new.record_id, sequence(&new));
        let change = Some(new).filter(|new| !new.erased).and_then(|new| Self::between(None, new, change_id))?;
        Some(Self { replayed: true, ..change })
    }

    /// The user who saved the new version, and the time; `None` where a write of Ferry's cannot have made it, or the mirror
    /// lacks the field.
    #[must_use]
    pub fn saved(&self) -> Option<SavedVersion> {
        let by: RecordId = self.new.fields.get("LastModifiedById")?.as_str()?.parse().ok()?;
        (self.kind == Kind::Changed).then_some(SavedVersion { by, at: self.new.system_modstamp })
    }

    /// Returns the lane and the time of the save of a change whose latency is measured. A change without a new
    /// `SystemModstamp`, as of a formula field, is as old as its record and says nothing.
    #[must_use]
    pub fn measured(&self) -> Option<(ChangeLane, Timestamp)> {
        let is_saved = self.old.as_ref().is_none_or(|old| old.system_modstamp != self.new.system_modstamp);
        self.lane.filter(|_| is_saved).map(|lane| (lane, self.new.system_modstamp))
    }

    fn created(&self) -> bool {
        self.old.is_none() && self.kind == Kind::Changed && !self.replayed
    }
}

fn kind(old: Option<&MirrorRecord>, new: &MirrorRecord) -> Option<Kind> {
    match (old.filter(|old| old.deleted), new.deleted) {
        (None, false) => Some(Kind::Changed),
        (Some(_), false) => Some(Kind::Restored),
        (None, true) => Some(if new.master_record_id.is_some() { Kind::Merged } else { Kind::Deleted }),
        // The deletion was published before; only the record that it was merged into is new.
        (Some(deleted), true) => {
            (new.master_record_id.is_some() && new.master_record_id != deleted.master_record_id).then_some(Kind::Merged)
        }
    }
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    object: &'a str,
    record_id: &'a str,
    changed_fields: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    own: Option<OwnWrite<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values_omitted: Option<&'static str>,
    system_modstamp: String,
    created: bool,
    deleted: bool,
    /// The reason of a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<DeletionReason>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    master_record_id: Option<&'a str>,
}

/// The members of an event whose version one of Ferry's writes made.
#[derive(Debug, Serialize)]
struct OwnWrite<'a> {
    origin: &'static str,
    write_id: WriteId,
    /// Fields that changed beside those of the write: by automation, or by a user's earlier change that had not been read yet.
    unwritten_fields: Vec<&'a str>,
}

/// Builds the event of a change. Values that do not fit into an event are left out, and the event says so.
#[must_use]
pub fn event(change: &Change, tenant: &Tenant, origin: Option<&Origin>, values: EventValues) -> BusEvent {
    if values == EventValues::Values && !change.changed_fields.is_empty() {
        let event = assemble(change, Data { values: Some(old_and_new(change)), ..data(change, tenant, origin) });
        if event.fits() {
            return event;
        }
        return assemble(change, Data { values_omitted: Some("too_large"), ..data(change, tenant, origin) });
    }
    assemble(change, data(change, tenant, origin))
}

fn data<'a>(change: &'a Change, tenant: &'a Tenant, origin: Option<&Origin>) -> Data<'a> {
    let record = &change.new;
    Data {
        org_id: record.org_id.as_str(),
        tenant: tenant.as_str(),
        object: record.object.as_str(),
        record_id: record.record_id.as_str(),
        changed_fields: &change.changed_fields,
        own: origin.map(|origin| own_write(change, origin)),
        values: None,
        values_omitted: None,
        system_modstamp: store::time::format(record.system_modstamp),
        created: change.created(),
        deleted: record.deleted,
        reason: record.deletion_reason.filter(|_| change.kind == Kind::Deleted),
        replayed: change.replayed,
        master_record_id: record.master_record_id.as_ref().map(|id| id.as_str()),
    }
}

fn own_write<'a>(change: &'a Change, origin: &Origin) -> OwnWrite<'a> {
    let names = change.changed_fields.iter().map(String::as_str);
    OwnWrite {
        origin: "ferry",
        write_id: origin.write_id,
        unwritten_fields: names.filter(|name| !origin.has_set(name)).collect(),
    }
}

/// Returns the old and new value of each changed field; null where there is none.
fn old_and_new(change: &Change) -> Map<String, Value> {
    let of_field = |name: &String| {
        let old = change.old.as_ref().and_then(|old| old.fields.get(name));
        (name.clone(), json!({ "old": old, "new": change.new.fields.get(name) }))
    };
    change.changed_fields.iter().map(of_field).collect()
}

fn assemble(change: &Change, data: Data<'_>) -> BusEvent {
    let record = &change.new;
    let subject = format!("{}/{}", record.object, record.record_id);
    let mut event = BusEvent::new(record.org_id, change.kind.event_kind(), subject, &change.change_id);
    event.time = record.system_modstamp;
    event.sequence = Some(sequence(record));
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

/// Renders the version of a record in the mirror. Both times have a fixed length, so the texts sort like the versions.
fn sequence(record: &MirrorRecord) -> String {
    format!("{}/{}", store::time::format(record.system_modstamp), store::time::format(record.read_at))
}

#[cfg(test)]
mod tests;
