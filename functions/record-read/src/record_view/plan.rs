//! The plan of a view: the queries that read what the user may see of it, and the place of each list in their pages.

use runtime::Schema;
use salesforce::{FieldName, JsonObject, ObjectName, RecordId, Soql, soql};
use serde_json::Value;

use super::interactions::time_field;
use super::kind::{By, EMAIL_RELATION, Kind, List, Only, Part, Reference};
use super::request::ViewRequest;
use crate::live::Pages;
use crate::summary::IS_PERSON;

/// The number of products whose prices are added up.
pub(super) const MAX_PRODUCTS: u32 = 500;

/// The queries of a view. The first reads the record's own fields that the view needs, and proves that the record exists.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) queries: Vec<Soql>,
    lists: Vec<(&'static List, Place)>,
}

/// The place of a list's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The rows of this query.
    Rows(usize),
    /// The rows of a subquery of this query.
    Children(usize),
    /// The user may not see the rows.
    Hidden,
    /// Salesforce did not describe an object that the query needs.
    NotDescribed,
}

/// The rows of a list.
#[derive(Debug)]
pub(super) struct ListRows {
    pub(super) list: &'static List,
    pub(super) rows: Result<Vec<JsonObject>, Unavailable>,
    /// `true` if the list has rows that are not in `rows`.
    pub(super) more: bool,
}

/// The reason for which rows are not in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// The object, or a field that relates it to the record, does not exist or is hidden from the user.
    Hidden,
    /// Salesforce gave up on the query.
    TimedOut,
    /// Salesforce refused the query with this code.
    Refused(String),
    /// Salesforce did not answer the query.
    NotAnswered,
    /// The team's connection cannot be used.
    TeamNotConnected,
}

impl Unavailable {
    /// Returns the reason as a stable code.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::TimedOut => "timed_out",
            Self::Refused(_) => "refused",
            Self::NotAnswered => "not_answered",
            Self::TeamNotConnected => "team_not_connected",
        }
    }
}

impl From<&salesforce::Error> for Unavailable {
    fn from(error: &salesforce::Error) -> Self {
        match error.problems().first() {
            Some(problem) if problem.code == "QUERY_TIMEOUT" => Self::TimedOut,
            Some(_) if error.is_hidden() || error.has_code("INVALID_FIELD") => Self::Hidden,
            Some(problem) => Self::Refused(problem.code.clone()),
            None => Self::NotAnswered,
        }
    }
}

/// Returns the objects whose describes the plan needs, that of the record first.
pub(super) fn objects(kind: &Kind, request: &ViewRequest) -> Vec<ObjectName> {
    let mut objects = vec![kind.object.clone()];
    let references = kind.references.iter().filter(|reference| request.wants(reference.part));
    objects.extend(references.map(|reference| reference.object.clone()));
    objects.extend(wanted(kind, request).flat_map(objects_of));
    let mut unique = Vec::with_capacity(objects.len());
    for object in objects {
        if !unique.contains(&object) {
            unique.push(object);
        }
    }
    unique
}

/// Returns the objects that the query of a list names.
fn objects_of(list: &List) -> impl Iterator<Item = ObjectName> {
    let behind = list.behind.as_ref().map(|behind| behind.object.clone());
    let people = matches!(list.by, By::Person).then_some(EMAIL_RELATION);
    std::iter::once(list.object.clone()).chain(behind).chain(people)
}

/// Returns the reason for which a list that is not visible is not queried.
fn unqueried(schema: &Schema, list: &List) -> Place {
    if objects_of(list).any(|object| schema.is_unanswered(&object)) { Place::NotDescribed } else { Place::Hidden }
}

/// Returns the lists of the request.
pub(super) fn wanted<'a>(kind: &'a Kind, request: &'a ViewRequest) -> impl Iterator<Item = &'static List> + 'a {
    kind.queries.iter().copied().flatten().filter(|list| request.wants(list.part))
}

impl Plan {
    /// Plans the queries of a record's view. `is_mirrored` says which lists are read from the mirror instead.
    pub(super) fn new(
        schema: &Schema,
        kind: &Kind,
        id: RecordId,
        request: &ViewRequest,
        is_mirrored: impl Fn(&List) -> bool,
    ) -> Self {
        let is_record = soql::eq(&FieldName::ID, id);
        let head = Soql::select(&head_columns(schema, kind, request)).from(&kind.object).where_(is_record.clone());
        let mut plan = Self { queries: vec![head], lists: Vec::new() };
        for lists in kind.queries {
            let wanted = lists.iter().filter(|list| request.wants(list.part) && !is_mirrored(list));
            let (visible, hidden): (Vec<_>, Vec<_>) = wanted.partition(|list| is_visible(schema, list));
            plan.lists.extend(hidden.into_iter().map(|list| (list, unqueried(schema, list))));
            let query = plan.queries.len();
            match visible.as_slice() {
                [] => continue,
                [list] => {
                    plan.lists.push((list, Place::Rows(query)));
                    let rows = rows(schema, list, request, &list.object);
                    plan.queries.push(related(rows, list, id, request));
                }
                lists => {
                    plan.lists.extend(lists.iter().map(|list| (*list, Place::Children(query))));
                    let select = lists.iter().fold(Soql::select(&[FieldName::ID]), |select, list| {
                        let Ok(children) = list.children.parse() else { return select };
                        select.with_rows(&conditioned(rows(schema, list, request, &children), list, request))
                    });
                    plan.queries.push(select.from(&kind.object).where_(is_record.clone()));
                }
            }
        }
        plan
    }

    /// Returns the rows of each list from the pages of the queries.
    pub(super) fn rows(&self, pages: &Pages) -> Vec<ListRows> {
        let page = |query: usize| match pages.get(query) {
            Some(Ok(page)) => Ok(page),
            Some(Err(error)) => Err(Unavailable::from(error)),
            None => Err(Unavailable::NotAnswered),
        };
        let found = |list: &List, place| match place {
            Place::Hidden => Err(Unavailable::Hidden),
            Place::NotDescribed => Err(Unavailable::NotAnswered),
            Place::Rows(query) => page(query).map(|page| {
                let rows = page.records.iter().map(|record| record.fields.clone());
                (rows.collect(), !page.done)
            }),
            Place::Children(query) => {
                page(query).map(|page| page.records.first().map(|record| children(record, list)).unwrap_or_default())
            }
        };
        let list_rows = |&(list, place): &(&'static List, Place)| match found(list, place) {
            Ok((rows, more)) => ListRows { list, rows: Ok(rows), more },
            Err(reason) => ListRows { list, rows: Err(reason), more: false },
        };
        self.lists.iter().map(list_rows).collect()
    }
}

/// Returns the rows of a subquery, and whether Salesforce has more of them than it returned. Without rows it is null.
fn children(record: &salesforce::Record, list: &List) -> (Vec<JsonObject>, bool) {
    let Some(children) = record.fields.get(list.children) else { return (Vec::new(), false) };
    let rows = children["records"].as_array().into_iter().flatten();
    (rows.filter_map(Value::as_object).cloned().collect(), children["done"] == false)
}

/// Returns whether the user may see the rows, and the fields that relate, filter and sort them.
fn is_visible(schema: &Schema, list: &List) -> bool {
    let is_related = match list.by {
        By::Field(field) => schema.field(&list.object, field).is_some_and(|field| field.filterable),
        By::Person => schema.field(&EMAIL_RELATION, "RelationId").is_some_and(|field| field.filterable),
    };
    let is_shown = list.behind.as_ref().is_none_or(|behind| {
        schema.object(&behind.object).is_some() && schema.field(&list.object, behind.field).is_some()
    });
    let is_sorted =
        list.part != Part::Interactions || schema.field(&list.object, time_field(&list.object).as_str()).is_some();
    let is_filtered = list.only != Only::OpenOrWon
        || ["IsClosed", "IsWon"].iter().all(|field| schema.field(&list.object, field).is_some());
    is_related && is_shown && is_sorted && is_filtered
}

/// Selects the rows of a list, without its conditions.
fn rows(schema: &Schema, list: &List, request: &ViewRequest, from: &ObjectName) -> Soql {
    let mut columns = vec![FieldName::ID];
    columns.extend(schema.visible(&list.object, list.fields));
    columns.extend(list.names.iter().filter_map(|reference| name_of(schema, &list.object, reference)));
    if let Some(behind) = &list.behind {
        columns.extend(schema.visible(&list.object, &[behind.field]));
        let members: Vec<&str> = behind.members.iter().map(|(field, _)| *field).collect();
        columns.extend(schema.visible(&list.object, &members));
        columns.extend(paths(schema, &list.object, behind.field, &behind.object, behind.fields));
    }
    let query = Soql::select(&columns).from(from);
    let has_persons = list.only == Only::NoPersons && schema.field(&list.object, IS_PERSON.as_str()).is_some();
    let query = if has_persons { query.where_(soql::eq(&IS_PERSON, false)) } else { query };
    let sorted = list.order.iter().fold(query, |query, (field, descending)| {
        let Some(field) = sort_field(schema, list, field) else { return query };
        if *descending { query.order_by_descending(&field) } else { query.order_by(&field) }
    });
    let limit = if list.part == Part::Products { MAX_PRODUCTS } else { u32::from(request.limit) };
    // One row more shows that others follow.
    sorted.limit(limit + 1)
}

/// Returns a field or path to sort by; `None` if the user may not see or Salesforce not sort by it.
fn sort_field(schema: &Schema, list: &List, field: &str) -> Option<FieldName> {
    let describe = match (field.split_once('.'), &list.behind) {
        (Some((_, field)), Some(behind)) => schema.field(&behind.object, field)?,
        _ => schema.field(&list.object, field)?,
    };
    if describe.sortable { field.parse().ok() } else { None }
}

/// Adds the condition that relates the rows to the record, and those of the list.
fn related(rows: Soql, list: &List, id: RecordId, request: &ViewRequest) -> Soql {
    let is_related = match list.by {
        By::Field(field) => soql::eq(&FieldName::from_static(field), id),
        By::Person => {
            let people = Soql::select(&[FieldName::from_static("EmailMessageId")]).from(&EMAIL_RELATION);
            let people = people.where_(soql::eq(&FieldName::from_static("RelationId"), id));
            soql::in_rows(&FieldName::ID, &people)
        }
    };
    conditioned(rows.where_(is_related), list, request)
}

/// Adds the conditions of the list.
fn conditioned(rows: Soql, list: &List, request: &ViewRequest) -> Soql {
    let rows = match list.only {
        Only::Every | Only::NoPersons => rows,
        Only::OpenOrWon => {
            let is_open = soql::eq(&FieldName::from_static("IsClosed"), false);
            rows.where_(is_open.or(soql::eq(&FieldName::from_static("IsWon"), true)))
        }
        Only::EnhancedNotes => rows.where_(soql::eq(&FieldName::from_static("ContentDocument.FileType"), "SNOTE")),
    };
    match &request.after {
        Some(after) if list.part == Part::Interactions => rows.where_(after.follows(&list.object)),
        _ => rows,
    }
}

/// Returns the columns of the record's own query: what members of the view are computed from, and the names of its references.
fn head_columns(schema: &Schema, kind: &Kind, request: &ViewRequest) -> Vec<FieldName> {
    let mut columns = owner_columns(schema, &kind.object);
    columns.extend(schema.visible(&kind.object, kind.head));
    for Reference { field, object, fields, .. } in kind.references.iter().filter(|found| request.wants(found.part)) {
        columns.extend(schema.visible(&kind.object, &[field]));
        columns.extend(paths(schema, &kind.object, field, object, fields));
    }
    columns
}

/// Returns the columns that every view of a record needs.
pub(super) fn owner_columns(schema: &Schema, object: &ObjectName) -> Vec<FieldName> {
    let mut columns = vec![FieldName::ID];
    columns.extend(schema.visible(object, &["OwnerId", "RecordTypeId"]));
    columns.extend(name_of(schema, object, "OwnerId"));
    columns
}

/// Returns the path to the name of the record that a field refers to. A user's or a queue's name is visible to everyone.
fn name_of(schema: &Schema, object: &ObjectName, reference: &str) -> Option<FieldName> {
    let field = schema.field(object, reference)?;
    let relationship = field.relationship_name.as_deref()?;
    format!("{relationship}.Name").parse().ok()
}

/// Returns the paths to those fields of a referenced record that the user may see.
fn paths(schema: &Schema, object: &ObjectName, reference: &str, to: &ObjectName, fields: &[&str]) -> Vec<FieldName> {
    let relationship = schema.field(object, reference).and_then(|field| field.relationship_name.as_deref());
    let Some(relationship) = relationship else { return Vec::new() };
    let visible = schema.visible(to, fields).into_iter();
    visible.filter_map(|field| format!("{relationship}.{field}").parse().ok()).collect()
}

#[cfg(test)]
mod tests;
