//! Renders the result of a query as JSON.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json, json};

use super::eval::{self, View};
use super::format;
use crate::data::soql::found::{Found, Rows};
use crate::data::soql::plan::{Entry, Output, Plan, Projection};
use crate::model::actor::Actor;
use crate::model::ids::{IdSource, RecordId};
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Place;

/// One page of a result.
pub(crate) struct Page {
    pub(crate) records: Vec<Json>,
    /// Results of subqueries with more pages, by their locators.
    pub(crate) opened: Vec<(RecordId, Found)>,
}

/// The settings of a page.
#[derive(Clone, Copy)]
pub(crate) struct Paper<'a> {
    /// API version of the request, for example `66.0`.
    pub(crate) version: &'a str,
    /// Rows of a page, also of a page of children.
    pub(crate) page: usize,
}

/// Returns the page of a result that begins at `from`; records that were purged since are left out.
pub(crate) fn page(org: &mut Org, actor: &Actor, found: &Found, from: usize, paper: Paper<'_>) -> Page {
    let mut locators = std::mem::take(&mut org.ids);
    let mut opened = Vec::new();
    let to = found.len().min(from + paper.page);
    let records = match &found.rows {
        Rows::Count(_) => Vec::new(),
        Rows::Groups(groups) => groups.get(from..to).unwrap_or_default().to_vec(),
        Rows::Records(ids) => {
            let view = View { org, actor };
            let mut renderer = Renderer { view, paper, locators: &mut locators, opened: &mut opened };
            renderer.plan(&found.plan, ids.get(from..to).unwrap_or_default())
        }
    };
    org.ids = locators;
    Page { records, opened }
}

struct Renderer<'a, 'o> {
    view: View<'a>,
    paper: Paper<'a>,
    locators: &'o mut IdSource,
    opened: &'o mut Vec<(RecordId, Found)>,
}

type Families = HashMap<RecordId, Vec<RecordId>>;

impl<'a> Renderer<'a, '_> {
    fn plan(&mut self, plan: &Plan, ids: &[RecordId]) -> Vec<Json> {
        match &plan.output {
            Output::Rows(projection) => self.rows(&plan.object, projection, ids),
            Output::Count | Output::Groups(_) => Vec::new(),
        }
    }

    fn rows(&mut self, object: &Object, projection: &Projection, ids: &[RecordId]) -> Vec<Json> {
        let families: Vec<Families> = projection.entries.iter().map(|entry| self.families(entry, ids)).collect();
        let table = self.view.org.store.table(&object.name);
        let rows = ids.iter().filter_map(|id| table?.get(*id).map(|row| (*id, &**row)));
        rows.map(|row| self.row(object, projection, &families, row)).collect()
    }

    /// Returns the children to render, by parent; empty for entries that are not subqueries.
    fn families(&self, entry: &Entry, parents: &[RecordId]) -> Families {
        let Entry::Children { at, plan, .. } = entry else { return Families::new() };
        let parents: HashSet<RecordId> = parents.iter().copied().collect();
        let mut families = Families::new();
        for row in eval::matching(self.view, plan, false, Some((*at, &parents))) {
            if let Some((parent, id)) = row.get(*at).as_id().zip(row.id()) {
                families.entry(parent).or_default().push(id);
            }
        }
        let limit = plan.limit.unwrap_or(usize::MAX);
        for siblings in families.values_mut() {
            siblings.drain(..plan.offset.min(siblings.len()));
            siblings.truncate(limit);
        }
        families
    }

    fn row(
        &mut self,
        object: &Object,
        projection: &Projection,
        families: &[Families],
        (id, row): (RecordId, &'a Row),
    ) -> Json {
        let mut shown = Map::with_capacity(projection.entries.len() + 1);
        shown.insert("attributes".to_owned(), attributes(object, id, self.paper.version));
        for (entry, family) in projection.entries.iter().zip(families) {
            let (name, json) = match entry {
                Entry::Field { name, at, formatted } => {
                    let field = &object.fields[*at];
                    let value = row.get(*at);
                    let json = || object.shown(row, *at, self.paper.version);
                    (name, if *formatted { format::text(field, value) } else { json() })
                }
                Entry::Parent { name, at, object, projection } => {
                    (name, self.parent(object, projection, row.get(*at).as_id()))
                }
                Entry::OpenParent { name, at, fields } => (name, self.open_parent(row.get(*at).as_id(), fields)),
                Entry::TypeOf { name, at, branches, otherwise } => {
                    let parent = row.get(*at).as_id();
                    let kind = parent.and_then(|id| self.view.org.schema.by_prefix(id.key_prefix()));
                    let branch = branches.iter().find(|(object, _)| kind.is_some_and(|kind| kind.name == object.name));
                    let json = match branch {
                        Some((object, projection)) => self.parent(object, projection, parent),
                        None if otherwise.is_empty() => Json::Null,
                        None => self.open_parent(parent, otherwise),
                    };
                    (name, json)
                }
                Entry::Children { name, plan, .. } => (
                    name,
                    family.get(&id).filter(|ids| !ids.is_empty()).map_or(Json::Null, |ids| self.children(plan, ids)),
                ),
            };
            shown.insert(name.clone(), json);
        }
        Json::Object(shown)
    }

    fn parent(&mut self, object: &Object, projection: &Projection, id: Option<RecordId>) -> Json {
        let Some((id, row)) = id.and_then(|id| self.view.record(object, id).map(|row| (id, row))) else {
            return Json::Null;
        };
        let families = vec![Families::new(); projection.entries.len()];
        self.row(object, projection, &families, (id, row))
    }

    /// Renders a polymorphic parent: fields of the object `Name`.
    fn open_parent(&self, id: Option<RecordId>, fields: &[String]) -> Json {
        let Some((id, (object, row))) = id.and_then(|id| Some((id, self.view.any_record(id)?))) else {
            return Json::Null;
        };
        let mut shown = Map::new();
        shown.insert("attributes".to_owned(), attributes(object, id, self.paper.version));
        for field in fields {
            let place = Place { version: self.paper.version, object: &object.name, field, id };
            shown.insert(field.clone(), eval::open_field(object, row, field).json(place));
        }
        Json::Object(shown)
    }

    /// Renders the first page of a parent's children; more children get a locator.
    fn children(&mut self, plan: &Plan, ids: &[RecordId]) -> Json {
        let page = ids.len().min(self.paper.page);
        let records = self.plan(plan, &ids[..page]);
        let done = page == ids.len();
        let mut shown =
            Map::from_iter([("totalSize".to_owned(), Json::from(ids.len())), ("done".to_owned(), Json::from(done))]);
        if !done {
            let locator = self.locators.next("01g");
            let next = format!("/services/data/v{}/query/{locator}-{page}", self.paper.version);
            shown.insert("nextRecordsUrl".to_owned(), Json::from(next));
            self.opened.push((locator, Found { plan: plan.clone(), rows: Rows::Records(ids.to_vec()) }));
        }
        shown.insert("records".to_owned(), Json::Array(records));
        Json::Object(shown)
    }
}

/// Returns `{"type": "Account", "url": "/services/data/v66.0/sobjects/Account/001..."}`.
pub(crate) fn attributes(object: &Object, id: RecordId, version: &str) -> Json {
    json!({"type": object.name, "url": format!("/services/data/v{version}/sobjects/{}/{id}", object.name)})
}
