//! The people and records of tasks and events (`TaskRelation`, `EventRelation`), and the activities of a record as its
//! related lists show them (`OpenActivity`, `ActivityHistory`).
//!
//! Sources: the pages of these objects in the Object Reference; the order in which another person takes the place of the
//! first one is unverified.

use std::sync::Arc;

use crate::model::activity_views::{VIEWS, is_shown_in};
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::MODSTAMP;
use crate::model::store::Row;
use crate::model::value::Value;

/// Returns the relation object of an activity, and its reference to the activity.
fn relation_of(activity: &str) -> (&'static str, &'static str) {
    if activity == "Task" { ("TaskRelation", "TaskId") } else { ("EventRelation", "EventId") }
}

fn is_person(id: RecordId) -> bool {
    matches!(id.key_prefix(), "003" | "00Q")
}

impl Org {
    pub(super) fn activity_written(&mut self, actor: &Actor, object: &str, id: RecordId, before: Option<&Row>) {
        self.show_activity(object, id);
        let Some(row) = self.store.get(object, id).map(Arc::clone) else { return };
        let (relation, reference) = relation_of(object);
        for (field, is_what) in [("WhoId", false), ("WhatId", true)] {
            let old = before.and_then(|row| self.value(object, row, field).as_id());
            let new = self.value(object, &row, field).as_id();
            if old == new {
                continue;
            }
            for known in self.rows_below(relation, reference, id) {
                let to = self.value(relation, &known, "RelationId").as_id();
                if let (Some(known), true) = (known.id(), to == old || to == new)
                    && let Some(object) = self.schema.object(relation).cloned()
                {
                    self.store.purge(&object, known);
                }
            }
            if let Some(new) = new {
                let fields = [
                    (reference, Value::Id(id)),
                    ("RelationId", Value::Id(new)),
                    ("IsWhat", Value::Bool(is_what)),
                    ("IsParent", Value::Bool(true)),
                    ("AccountId", self.value(object, &row, "AccountId").clone()),
                    ("Status", Value::Null),
                ];
                self.insert_row(Some(actor.user), relation, &fields);
            }
        }
    }

    /// Shows the activity in the views of open and closed activities, unless it is deleted.
    pub(super) fn show_activity(&mut self, object: &str, id: RecordId) {
        let Some(activity) = self.store.get(object, id).map(Arc::clone) else { return };
        let is_task = object == "Task";
        let text = |field: &str| self.value(object, &activity, field).clone();
        let subtype = text(if is_task { "TaskSubtype" } else { "EventSubtype" });
        let kind = match (is_task, subtype.as_text()) {
            (false, _) => "Meeting",
            (true, "Call") => "Call",
            (true, "Email" | "ListEmail") => "Email",
            _ => "Other",
        };
        for view in VIEWS {
            let Some(shown) = self.schema.object(view).cloned() else { continue };
            let mut row = Row::default();
            for (at, field) in shown.fields.iter().enumerate() {
                // The system fields have the same positions in every object.
                let value = if at <= MODSTAMP { activity.get(at) } else { self.value(object, &activity, &field.name) };
                row.set(at, value.clone());
            }
            let computed = [
                ("IsTask", Value::Bool(is_task)),
                ("ActivityType", Value::text(kind)),
                ("ActivitySubtype", subtype.clone()),
                ("IsClosed", Value::Bool(*self.value(object, &activity, "IsClosed") == Value::Bool(true))),
            ];
            for (name, value) in computed {
                if let Some(at) = shown.position(name) {
                    row.set(at, value);
                }
            }
            // A task changes views when it is written; an event when it ends.
            if !activity.is_deleted() && (!is_task || is_shown_in(self, view, &row)) {
                self.store.put(&shown, id, row);
            } else if self.store.get(view, id).is_some() {
                self.store.purge(&shown, id);
            }
        }
    }

    /// Makes the first person or record that is related to an activity its `WhoId` or `WhatId`.
    pub(super) fn activity_relation_added(&mut self, relation: &str, id: RecordId, before: Option<&Row>) {
        let Some((activity, of, to)) = self.relation(relation, id).filter(|_| before.is_none()) else { return };
        let field = if is_person(to) { "WhoId" } else { "WhatId" };
        let Some(row) = self.store.get(activity, of) else { return };
        if to.key_prefix() != "005" && self.value(activity, row, field).is_null() {
            self.set_fields(activity, of, &[(field, Value::Id(to))]);
            self.show_activity(activity, of);
        }
    }

    /// Replaces the person of an activity whose relation was deleted by the next person.
    pub(super) fn activity_relation_deleted(&mut self, relation: &str, id: RecordId) {
        let Some((activity, of, to)) = self.relation(relation, id) else { return };
        let field = if is_person(to) { "WhoId" } else { "WhatId" };
        let live = self.store.get(activity, of).filter(|row| !row.is_deleted());
        if live.and_then(|row| self.value(activity, row, field).as_id()) != Some(to) {
            return;
        }
        let others = self.rows_below(relation, relation_of(activity).1, of);
        let mut others = others.iter().filter_map(|row| self.value(relation, row, "RelationId").as_id());
        let next = others.find(|other| is_person(to) && is_person(*other));
        self.set_fields(activity, of, &[(field, next.map_or(Value::Null, Value::Id))]);
        self.show_activity(activity, of);
    }

    /// Returns the activity of a relation: its object, its id, and the related record.
    fn relation(&self, relation: &str, id: RecordId) -> Option<(&'static str, RecordId, RecordId)> {
        let activity = if relation == "TaskRelation" { "Task" } else { "Event" };
        let row = self.store.get(relation, id)?;
        let of = self.value(relation, row, relation_of(activity).1).as_id()?;
        Some((activity, of, self.value(relation, row, "RelationId").as_id()?))
    }
}
