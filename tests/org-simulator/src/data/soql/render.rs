//! Renders the result of a query as JSON.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;

use serde_json::{Map, Value as Json, json};

use super::eval::{self, View};
use super::{activity_lists, format};
use crate::data::soql::plan::{Entry, Form, Output, Plan, Projection};
use crate::data::soql::result::{QueryResult, Rows};
use crate::model::actor::Actor;
use crate::model::currencies::{CURRENCY, Exchange};
use crate::model::ids::{IdSource, RecordId};
use crate::model::org::Org;
use crate::model::schema::{self, Object, PicklistValue};
use crate::model::store::Row;
use crate::model::value::{Place, Value};

/// One page of a result.
pub(crate) struct Page {
    pub(crate) records: Vec<Json>,
    /// Results of subqueries with more pages, by their locators.
    pub(crate) opened: Vec<(RecordId, QueryResult)>,
}

/// The settings of a page.
#[derive(Clone, Copy)]
pub(crate) struct PageOptions<'a> {
    /// API version of the request, for example `66.0`.
    pub(crate) version: &'a str,
    /// Rows of a page, also of a page of children.
    pub(crate) page: usize,
}

/// Returns the page of a result that begins at `from`; records that were purged since are left out.
pub(crate) fn page(org: &mut Org, actor: &Actor, found: &QueryResult, from: usize, options: PageOptions<'_>) -> Page {
    let mut locators = std::mem::take(&mut org.ids);
    let mut opened = Vec::new();
    let to = found.len().min(from + options.page);
    let records = match &found.rows {
        Rows::Count(_) => Vec::new(),
        Rows::Groups(groups) => groups.get(from..to).unwrap_or_default().to_vec(),
        Rows::Records(ids) => {
            let view = View { org, actor };
            let mut renderer = Renderer { view, options, locators: &mut locators, opened: &mut opened };
            renderer.plan(&found.plan, ids.get(from..to).unwrap_or_default())
        }
    };
    org.ids = locators;
    Page { records, opened }
}

/// Returns the children of each parent within the offset and limit of the subquery.
fn limited(mut families: ChildrenByParent, plan: &Plan) -> ChildrenByParent {
    for siblings in families.values_mut() {
        siblings.drain(..plan.offset.min(siblings.len()));
        siblings.truncate(plan.limit.unwrap_or(usize::MAX));
    }
    families
}

struct Renderer<'a, 'o> {
    view: View<'a>,
    options: PageOptions<'a>,
    locators: &'o mut IdSource,
    opened: &'o mut Vec<(RecordId, QueryResult)>,
}

type ChildrenByParent = HashMap<RecordId, Vec<RecordId>>;

impl<'a> Renderer<'a, '_> {
    fn plan(&mut self, plan: &Plan, ids: &[RecordId]) -> Vec<Json> {
        match &plan.output {
            Output::Rows(projection) => self.rows(&plan.object, projection, ids),
            Output::Count | Output::Groups(_) => Vec::new(),
        }
    }

    fn rows(&mut self, object: &Object, projection: &Projection, ids: &[RecordId]) -> Vec<Json> {
        let families: Vec<ChildrenByParent> =
            projection.entries.iter().map(|entry| self.children_by_parent(entry, ids)).collect();
        let table = self.view.org.store.table(&object.name);
        let rows = ids.iter().filter_map(|id| table?.get(*id).map(|row| (*id, &**row)));
        rows.map(|row| self.row(object, projection, &families, row)).collect()
    }

    /// Returns the children to render, by parent; empty for entries that are not subqueries.
    fn children_by_parent(&self, entry: &Entry, parents: &[RecordId]) -> ChildrenByParent {
        let Entry::Children { at, plan, .. } = entry else { return ChildrenByParent::new() };
        let mut families = ChildrenByParent::new();
        if let Some(people) = activity_lists::people(self.view.org, plan, *at, parents) {
            let activities = people.keys().copied().collect();
            for id in eval::matching(self.view, plan, false, Some((schema::ID, &activities)))
                .into_iter()
                .filter_map(|row| row.id())
            {
                for person in people.get(&id).into_iter().flatten() {
                    families.entry(*person).or_default().push(id);
                }
            }
            return limited(families, plan);
        }
        let parents: HashSet<RecordId> = parents.iter().copied().collect();
        for row in eval::matching(self.view, plan, false, Some((*at, &parents))) {
            if let Some((parent, id)) = row.get(*at).as_id().zip(row.id()) {
                families.entry(parent).or_default().push(id);
            }
        }
        limited(families, plan)
    }

    fn row(
        &mut self,
        object: &Object,
        projection: &Projection,
        families: &[ChildrenByParent],
        (id, row): (RecordId, &'a Row),
    ) -> Json {
        let mut record = Map::with_capacity(projection.entries.len() + 1);
        record.insert("attributes".to_owned(), attributes(object, id, self.options.version));
        for (entry, family) in projection.entries.iter().zip(families) {
            let (name, json) = match entry {
                Entry::Field { name, at, form } => (name, self.field(object, row, *at, form)),
                Entry::Parent { name, at, object, projection } => {
                    (name, self.parent(object, projection, row.get(*at).as_id()))
                }
                Entry::PolymorphicParent { name, at, fields } => {
                    (name, self.polymorphic_parent(row.get(*at).as_id(), fields))
                }
                Entry::TypeOf { name, at, branches, otherwise } => {
                    let parent = row.get(*at).as_id();
                    let kind = parent.and_then(|id| self.view.org.schema.by_prefix(id.key_prefix()));
                    let branch = branches.iter().find(|(object, _)| kind.is_some_and(|kind| kind.name == object.name));
                    let json = match branch {
                        Some((object, projection)) => self.parent(object, projection, parent),
                        None if otherwise.is_empty() => Json::Null,
                        None => self.polymorphic_parent(parent, otherwise),
                    };
                    (name, json)
                }
                Entry::Children { name, plan, .. } => (
                    name,
                    family.get(&id).filter(|ids| !ids.is_empty()).map_or(Json::Null, |ids| self.children(plan, ids)),
                ),
            };
            record.insert(name.clone(), json);
        }
        Json::Object(record)
    }

    fn field(&self, object: &Object, row: &Row, at: usize, form: &Form) -> Json {
        let org = self.view.org;
        let field = &object.fields[at];
        let currency = || object.position(CURRENCY).map_or(&Value::Null, |at| row.get(at));
        let converted = |exchange: &Exchange| exchange.value(&org.field_value(object, row, at), currency());
        match form {
            Form::Plain => org.render_field(object, row, at, self.options.version),
            Form::Label => {
                let value = org.field_value(object, row, at);
                let label =
                    field.picklist.iter().find(|known| known.value == value.as_text()).map(PicklistValue::label);
                label.map_or_else(|| org.render_field(object, row, at, self.options.version), Json::from)
            }
            Form::Text(zone) => {
                let code = Some(currency().as_text()).filter(|code| !code.is_empty());
                format::text(field, &org.field_value(object, row, at), zone, code)
            }
            Form::Converted(exchange) => {
                let id = row.id().unwrap_or(org.id);
                let place = Place { version: self.options.version, object: &object.name, field: &field.name, id };
                converted(exchange).json(place)
            }
            Form::ConvertedText(exchange) => {
                format::text(field, &converted(exchange), &TimeZone::UTC, Some(exchange.to()))
            }
        }
    }

    fn parent(&mut self, object: &Object, projection: &Projection, id: Option<RecordId>) -> Json {
        let Some((id, row)) = id.and_then(|id| self.view.record(object, id).map(|row| (id, row))) else {
            return Json::Null;
        };
        let families = vec![ChildrenByParent::new(); projection.entries.len()];
        self.row(object, projection, &families, (id, row))
    }

    /// Renders a polymorphic parent: fields of the object `Name`.
    fn polymorphic_parent(&self, id: Option<RecordId>, fields: &[String]) -> Json {
        let Some((id, (object, row))) = id.and_then(|id| Some((id, self.view.record_of_any_object(id)?))) else {
            return Json::Null;
        };
        let mut record = Map::new();
        record.insert("attributes".to_owned(), attributes(object, id, self.options.version));
        for field in fields {
            let place = Place { version: self.options.version, object: &object.name, field, id };
            record.insert(field.clone(), eval::polymorphic_field(object, row, field).json(place));
        }
        Json::Object(record)
    }

    /// Renders the first page of a parent's children; more children get a locator.
    fn children(&mut self, plan: &Plan, ids: &[RecordId]) -> Json {
        let page = ids.len().min(self.options.page);
        let records = self.plan(plan, &ids[..page]);
        let done = page == ids.len();
        let mut record =
            Map::from_iter([("totalSize".to_owned(), Json::from(ids.len())), ("done".to_owned(), Json::from(done))]);
        if !done {
            let locator = self.locators.next("01g");
            let next = format!("/services/data/v{}/query/{locator}-{page}", self.options.version);
            record.insert("nextRecordsUrl".to_owned(), Json::from(next));
            self.opened.push((locator, QueryResult { plan: plan.clone(), rows: Rows::Records(ids.to_vec()) }));
        }
        record.insert("records".to_owned(), Json::Array(records));
        Json::Object(record)
    }
}

/// Returns `{"type": "Account", "url": "/services/data/v66.0/sobjects/Account/001..."}`.
pub(crate) fn attributes(object: &Object, id: RecordId, version: &str) -> Json {
    json!({"type": object.name, "url": format!("/services/data/v{version}/sobjects/{}/{id}", object.name)})
}
