//! Queries of `UserRecordAccess`: the access of one user to up to 200 records, which is computed and not stored.
//!
//! Source: the page of `UserRecordAccess` in the Object Reference, and public reports that quote `RecordId field must be
//! selected`. The texts and codes of the other errors are unverified, and so is that permissions on objects count.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::ast::{Condition, Expression, Item, List, Literal, Operator, Select};
use super::eval::{self, View};
use super::plan::{Entry, Output, Plan, Projection};
use super::result::{QueryResult, Rows};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::{Place, Value};

pub(super) const OBJECT: &str = "UserRecordAccess";
const MAX_RECORDS: usize = 200;
/// The levels of `MaxAccessLevel` with the field that says whether the user has it, the highest first.
const LEVELS: [(&str, &str); 5] = [
    ("All", "HasAllAccess"),
    ("Transfer", "HasTransferAccess"),
    ("Delete", "HasDeleteAccess"),
    ("Edit", "HasEditAccess"),
    ("Read", "HasReadAccess"),
];

/// The conditions of a query.
#[derive(Default)]
struct Asked<'a> {
    user: Option<RecordId>,
    records: Vec<RecordId>,
    /// Fields such as `HasEditAccess`, and the value that they must have.
    access: Vec<(&'a str, bool)>,
}

/// Runs a query of the object.
pub(super) fn run(view: View<'_>, select: &Select, plan: Plan) -> Result<QueryResult, ApiError> {
    let mut asked = Asked::default();
    let conditions = match &select.condition {
        Some(Condition::All(parts)) => parts.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for condition in conditions {
        asked.add(condition).ok_or_else(restriction)?;
    }
    let Some(user) = asked.user.filter(|_| !asked.records.is_empty()) else { return Err(restriction()) };
    if asked.records.len() > MAX_RECORDS {
        let message = format!("at most {MAX_RECORDS} RecordIds can be queried");
        return Err(ApiError::new("MALFORMED_QUERY", message));
    }
    check_selected(select, !asked.access.is_empty())?;
    let rows: Vec<Arc<Row>> = match view.org.actor(user) {
        Some(of) => asked.records.iter().filter_map(|id| row(view, &plan.object, &of, *id)).map(Arc::new).collect(),
        None => Vec::new(),
    };
    let meets = |row: &Row| {
        asked.access.iter().all(|(field, wanted)| *view.org.value(OBJECT, row, field) == Value::Bool(*wanted))
    };
    let mut found: Vec<&Arc<Row>> = rows.iter().filter(|row| meets(row)).collect();
    if !plan.order.is_empty() {
        found = eval::sorted(view, found, &plan.order);
    }
    let rows = match &plan.output {
        Output::Count => Rows::Count(found.len()),
        Output::Groups(groups) => Rows::Groups(groups.run(view, &found)),
        Output::Rows(projection) => {
            let shown = found.iter().skip(plan.offset).take(plan.limit.unwrap_or(usize::MAX));
            Rows::Groups(shown.map(|row| shown_row(view.actor, projection, row)).collect())
        }
    };
    Ok(QueryResult { plan, rows })
}

impl<'a> Asked<'a> {
    /// Takes a part of the condition; `None` if the object cannot be queried by it.
    fn add(&mut self, condition: &'a Condition) -> Option<()> {
        let (left, ids) = match condition {
            Condition::Compare { left, operator: Operator::Equal, literal } => (left, std::slice::from_ref(literal)),
            Condition::In { left, negated: false, list: List::Literals(literals) } => (left, literals.as_slice()),
            _ => return None,
        };
        let name = left.path().names.last().filter(|_| matches!(left, Expression::Field(_)))?;
        let id = |literal: &Literal| if let Literal::Text(text) = literal { RecordId::parse(text) } else { None };
        match (name.to_ascii_lowercase().as_str(), ids) {
            ("userid", [one]) if self.user.is_none() => self.user = Some(id(one)?),
            ("recordid", ids) if self.records.is_empty() => self.records = ids.iter().map(id).collect::<Option<_>>()?,
            (_, [Literal::Bool(wanted)]) => self.access.push((name, *wanted)),
            _ => return None,
        }
        Some(())
    }
}

fn restriction() -> ApiError {
    let message = "Implementation restriction: UserRecordAccess requires a filter by a single UserId using the equals operator \
                   and by RecordId using the equals or IN operator.";
    ApiError::new("MALFORMED_QUERY", message)
}

/// Checks the SELECT list: `RecordId` and levels of access, and `RecordId` alone if the query filters by a level.
fn check_selected(select: &Select, filters_by_access: bool) -> Result<(), ApiError> {
    let mut has_record = false;
    for item in &select.items {
        let name = match item {
            Item::Count(_) | Item::Value { expression: Expression::Aggregate(..), .. } => return Ok(()),
            Item::Value { expression: Expression::Field(path), .. } => path.names.last().map_or("", String::as_str),
            _ => "",
        };
        let is_record = name.eq_ignore_ascii_case("RecordId");
        let levels = LEVELS.iter().map(|(_, field)| *field).chain(["MaxAccessLevel"]);
        if !is_record && (filters_by_access || !levels.into_iter().any(|known| known.eq_ignore_ascii_case(name))) {
            let message = format!("field {name} cannot be selected in this query of UserRecordAccess");
            return Err(ApiError::new("INVALID_FIELD", message));
        }
        has_record |= is_record;
    }
    if has_record { Ok(()) } else { Err(ApiError::new("INVALID_FIELD", "RecordId field must be selected")) }
}

/// Returns the access of a user to a record; `None` if the querying user may not see the record.
fn row(view: View<'_>, access: &Object, of: &Actor, id: RecordId) -> Option<Row> {
    let org = view.org;
    let (object, record) = org.live_record(id)?;
    if !org.has_permission(view.actor, Permission::Read, object) || !org.may_see(view.actor, object, record) {
        return None;
    }
    let may = |permission| org.has_permission(of, permission, object);
    let read = org.may_see(of, object, record) && may(Permission::Read);
    let edit = read && org.may_edit(of, object, record) && may(Permission::Edit);
    let all = read && org.may_delete(of, object, record);
    let (delete, transfer) = (all && may(Permission::Delete), all && edit);
    let has = |field: &str| match field {
        "HasReadAccess" => read,
        "HasEditAccess" => edit,
        "HasDeleteAccess" => delete,
        "HasTransferAccess" => transfer,
        _ => delete && transfer,
    };
    let mut row = Row::default();
    let mut set = |name: &str, value: Value| {
        if let Some(at) = access.position(name) {
            row.set(at, value);
        }
    };
    set("RecordId", Value::text(id.as_str()));
    set("UserId", Value::Id(of.user));
    for (_, field) in LEVELS {
        set(field, Value::Bool(has(field)));
    }
    let highest = LEVELS.iter().find(|(_, field)| has(field)).map_or("None", |(level, _)| level);
    set("MaxAccessLevel", Value::text(highest));
    Some(row)
}

fn shown_row(actor: &Actor, projection: &Projection, row: &Row) -> Json {
    let version = format!("{}.0", actor.write.version);
    let url = format!("/services/data/v{version}/sobjects/{OBJECT}/000000000000000AAA");
    let mut shown = Map::from_iter([("attributes".to_owned(), json!({"type": OBJECT, "url": url}))]);
    for entry in &projection.entries {
        if let Entry::Field { name, at, .. } = entry {
            let place = Place { version: &version, object: OBJECT, field: name, id: actor.user };
            shown.insert(name.clone(), row.get(*at).json(place));
        }
    }
    Json::Object(shown)
}
