//! The SELECT list: which parts of a row, its parents and its children are shown.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::Found;
use super::ast::{Item, Path, Select};
use super::eval;
use super::plan::{Plan, Scope};
use crate::api_error::ApiError;
use crate::ids::RecordId;
use crate::org::{Actor, Org};
use crate::schema::{self, Object};
use crate::store::Row;
use crate::value::Place;

/// What to show of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Projection {
    fields: Vec<usize>,
    parents: Vec<Parent>,
    open_parents: Vec<OpenParent>,
    children: Vec<Children>,
}

#[derive(Clone, Debug)]
struct Parent {
    name: String,
    at: usize,
    object: Arc<Object>,
    projection: Projection,
}

/// A parent whose kind is known only by its id.
#[derive(Clone, Debug)]
struct OpenParent {
    name: String,
    at: usize,
    fields: Vec<String>,
}

#[derive(Clone, Debug)]
struct Children {
    name: String,
    at: usize,
    plan: Box<Plan>,
}

impl Projection {
    pub(super) fn new(scope: Scope<'_>, items: &[Item]) -> Result<Self, ApiError> {
        let mut projection = Self::default();
        for item in items {
            match item {
                Item::Count => {}
                Item::Field(path) => projection.add(scope, path, scope.names(path))?,
                Item::Children(select) => projection.children.push(Children::new(scope, select)?),
            }
        }
        Ok(projection)
    }

    /// Adds a field; fields of one parent are shown together.
    fn add(&mut self, scope: Scope<'_>, path: &Path, names: &[String]) -> Result<(), ApiError> {
        let [relationship, rest @ ..] = names else { return Ok(()) };
        if rest.is_empty() {
            self.fields
                .push(scope.object.position(relationship).ok_or_else(|| scope.unknown_field(path, relationship))?);
            return Ok(());
        }
        let at =
            scope.object.relationship(relationship).ok_or_else(|| scope.unknown_relationship(path, relationship))?;
        let name = scope.object.fields[at].relationship.clone().unwrap_or_default();
        let Some(object) = scope.parent(at) else {
            let parent =
                entry_at(&mut self.open_parents, |p| p.at == at, || OpenParent { name, at, fields: Vec::new() });
            parent.fields.push(rest.join("."));
            return Ok(());
        };
        let fresh = || Parent { name, at, object: Arc::clone(&object), projection: Self::default() };
        let parent = entry_at(&mut self.parents, |p| p.at == at, fresh);
        parent.projection.add(Scope { object: &object, ..scope }, path, rest)
    }
}

/// The entry that is meant, added when it is not there yet.
fn entry_at<T>(entries: &mut Vec<T>, is: impl Fn(&T) -> bool, fresh: impl FnOnce() -> T) -> &mut T {
    let at = entries.iter().position(is).unwrap_or(entries.len());
    if at == entries.len() {
        entries.push(fresh());
    }
    &mut entries[at]
}

impl Children {
    fn new(scope: Scope<'_>, select: &Select) -> Result<Self, ApiError> {
        let relationship = select.from.names.join(".");
        let all = scope.org.schema.children_of(&scope.object.name);
        let child = all.iter().find(|child| child.name.is_some_and(|name| name.eq_ignore_ascii_case(&relationship)));
        let child = child.ok_or_else(|| unknown_children(scope, &select.from, &relationship))?;
        let plan = Plan::of(Scope { object: child.object, ..scope }, select)?;
        Ok(Self { name: child.name.unwrap_or_default().to_owned(), at: child.field, plan: Box::new(plan) })
    }
}

fn unknown_children(scope: Scope<'_>, from: &Path, relationship: &str) -> ApiError {
    let message = format!(
        "Didn't understand relationship '{relationship}' in FROM part of query call. If you are attempting to use a custom relationship, be \
         sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
    );
    super::at("INVALID_TYPE", scope.text, from.offset, &message)
}

/// The JSON of some of the rows that were found; rows purged since are left out.
pub(crate) fn render(org: &Org, actor: &Actor, found: &Found, ids: &[RecordId], version: &str) -> Vec<Json> {
    let view = View { org, actor, version };
    view.rows(&found.plan.object, &found.plan.projection, ids)
}

#[derive(Clone, Copy)]
struct View<'a> {
    org: &'a Org,
    actor: &'a Actor,
    version: &'a str,
}

type Families = HashMap<RecordId, Vec<RecordId>>;

impl View<'_> {
    fn rows(self, object: &Object, projection: &Projection, ids: &[RecordId]) -> Vec<Json> {
        let families: Vec<Families> = projection.children.iter().map(|children| self.families(children)).collect();
        ids.iter()
            .filter_map(|id| {
                self.org.store.get(&object.name, *id).map(|row| self.row(object, projection, &families, (*id, row)))
            })
            .collect()
    }

    /// The children that are shown, by parent.
    fn families(self, children: &Children) -> Families {
        let (limit, mut unlimited) = (children.plan.limit.unwrap_or(usize::MAX), (*children.plan).clone());
        unlimited.limit = None;
        let mut families = Families::new();
        for id in eval::matching(self.org, self.actor, &unlimited, false) {
            let parent = self.org.store.get(&unlimited.object.name, id).and_then(|row| row.get(children.at).as_id());
            if let Some(siblings) = parent.map(|parent| families.entry(parent).or_default())
                && siblings.len() < limit
            {
                siblings.push(id);
            }
        }
        families
    }

    fn row(self, object: &Object, projection: &Projection, families: &[Families], (id, row): (RecordId, &Row)) -> Json {
        let mut shown = Map::new();
        shown.insert("attributes".to_owned(), attributes(object, id, self.version));
        for at in &projection.fields {
            let field = &object.fields[*at];
            let place = Place { version: self.version, object: &object.name, field: &field.name, id };
            shown.insert(field.name.clone(), row.get(*at).json(place));
        }
        for parent in &projection.parents {
            let shown_parent =
                row.get(parent.at).as_id().and_then(|id| self.rows(&parent.object, &parent.projection, &[id]).pop());
            shown.insert(parent.name.clone(), shown_parent.unwrap_or(Json::Null));
        }
        for parent in &projection.open_parents {
            let shown_parent = row.get(parent.at).as_id().map_or(Json::Null, |id| self.open_parent(id, &parent.fields));
            shown.insert(parent.name.clone(), shown_parent);
        }
        for (children, families) in projection.children.iter().zip(families) {
            shown.insert(
                children.name.clone(),
                families.get(&id).map_or(Json::Null, |ids| self.children(&children.plan, ids)),
            );
        }
        Json::Object(shown)
    }

    fn children(self, plan: &Plan, ids: &[RecordId]) -> Json {
        let records = self.rows(&plan.object, &plan.projection, ids);
        json!({"totalSize": records.len(), "done": true, "records": records})
    }

    /// A parent of a kind known only by its id: `Name`, `Type` and what else it happens to have.
    fn open_parent(self, id: RecordId, fields: &[String]) -> Json {
        let Some((object, row)) = eval::any_record(self.org, id) else { return Json::Null };
        let mut shown = Map::new();
        shown.insert("attributes".to_owned(), attributes(object, id, self.version));
        for field in fields {
            let column = super::plan::Column::AnyParent { at: schema::ID, field: field.clone() };
            let place = Place { version: self.version, object: &object.name, field, id };
            shown.insert(field.clone(), eval::value_at(self.org, row, &column).json(place));
        }
        Json::Object(shown)
    }
}

/// `{"type": "Account", "url": "/services/data/v66.0/sobjects/Account/001..."}`.
pub(crate) fn attributes(object: &Object, id: RecordId, version: &str) -> Json {
    json!({"type": object.name, "url": format!("/services/data/v{version}/sobjects/{}/{id}", object.name)})
}
