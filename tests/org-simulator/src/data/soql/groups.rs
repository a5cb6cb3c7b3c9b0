//! GROUP BY, aggregates and HAVING: rows that summarize several records (SOQL reference, "GROUP BY").

mod tally;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::ast::{Aggregate, Expression, Grouping};
use super::format;
use super::scope::Scope;
use crate::data::soql::ast::{Item, Order, Select};
use crate::data::soql::compare;
use crate::data::soql::condition::{self, LeftSide};
use crate::data::soql::eval::{self, View};
use crate::data::soql::groups::tally::key_of;
use crate::data::soql::plan::{Call, Cell, Function, GroupPlan, Resolved, Shown, Sort, Source};
use crate::data::soql::planner::{check_sortable, corporate_amount, picklist_order, resolve_source};
use crate::model::errors::ApiError;
use crate::model::schema::field::CURRENCIES;
use crate::model::schema::{Field, FieldKind};
use crate::model::store::Row;
use crate::model::value::{Place, Value};

use tally::Tally;

fn is_numbered(name: &str) -> bool {
    name.strip_prefix("expr").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

struct Group {
    keys: Vec<Value>,
    kept: Vec<bool>,
    tallies: Vec<Tally>,
}

impl Group {
    fn new(keys: Vec<Value>, kept: &[bool], calls: &[Call]) -> Self {
        let tallies = calls.iter().map(Tally::new).collect();
        Self { keys, kept: kept.to_vec(), tallies }
    }

    fn value(&self, cell: Cell) -> Value {
        match cell {
            Cell::Key(at) => self.keys.get(at).cloned().unwrap_or(Value::Null),
            Cell::Call(at) => self.tallies.get(at).map_or(Value::Null, Tally::value),
            Cell::Grouping(at) => Value::Int(i64::from(self.kept.get(at) == Some(&false))),
        }
    }
}

fn group_key(scope: Scope<'_>, expression: &Expression) -> Result<(Source, Resolved), ApiError> {
    if matches!(expression, Expression::Distance(..)) {
        let message = "unexpected token: 'DISTANCE'";
        return Err(scope.error_at("MALFORMED_QUERY", expression.path().offset, message));
    }
    let (source, found, _) = resolve_source(scope, expression)?;
    if source.function.is_none() && found.field().is_some_and(|field| !field.query_flags().groupable) {
        let message = format!("field '{}' can not be grouped in a query call", found.last_name());
        return Err(scope.error_at("MALFORMED_QUERY", expression.path().offset, &message));
    }
    Ok((source, found))
}

/// Rejects functions that the field or its type does not support (SOQL reference, "Support for field types in aggregate
/// functions").
fn check_supported(scope: Scope<'_>, function: Aggregate, found: &Resolved, offset: usize) -> Result<(), ApiError> {
    let Some(field) = found.field() else { return Ok(()) };
    let numbers_only = matches!(function, Aggregate::Sum | Aggregate::Avg);
    if field.query_flags().aggregatable && (field.kind.is_number() || !numbers_only) {
        return Ok(());
    }
    let message = format!("field {} does not support aggregate operator {}", found.last_name(), function.name());
    Err(scope.error_at("MALFORMED_QUERY", offset, &message))
}

/// Returns the definition by which the result of a function is formatted: counts are whole numbers.
fn formatted(field: &Field, function: Aggregate) -> Field {
    match function {
        Aggregate::Count | Aggregate::CountDistinct => Field::new(&field.name, FieldKind::Int),
        _ => field.clone(),
    }
}

impl GroupPlan {
    pub(super) fn new(scope: Scope<'_>, select: &Select) -> Result<Self, ApiError> {
        let by = select.groups.as_ref();
        let keys = by.map_or(&[][..], |groups| &groups.by);
        let keys = keys.iter().map(|expression| group_key(scope, expression)).collect::<Result<_, _>>()?;
        let grouping = by.map_or(Grouping::Plain, |groups| groups.grouping);
        let mut plan = Self { keys, calls: Vec::new(), grouping, shown: Vec::new(), having: None, order: Vec::new() };
        for item in &select.items {
            plan.show(scope, item)?;
        }
        if let Some(condition) = &select.having {
            let filter = condition::filter(scope, condition, &mut |expression| plan.left(scope, expression))?;
            plan.having = Some(filter);
        }
        for order in &select.order {
            let sort = plan.sort(scope, order)?;
            plan.order.push(sort);
        }
        Ok(plan)
    }

    /// Adds an entry of the SELECT list; one without an alias is named `expr0`, `expr1`.
    fn show(&mut self, scope: Scope<'_>, item: &Item) -> Result<(), ApiError> {
        let Item::Value { expression, alias, offset } = item else {
            let (offset, name) = match item {
                Item::Fields(_, offset) => (*offset, "FIELDS"),
                Item::Count(offset) => (*offset, "COUNT"),
                Item::Children(select) => (select.from.offset, "SELECT"),
                Item::TypeOf(_) | Item::Value { .. } => (0, "TYPEOF"),
            };
            let message = format!("Field must be grouped or aggregated: {name}");
            return Err(scope.error_at("MALFORMED_QUERY", offset, &message));
        };
        let (cell, found) = self.cell(scope, expression)?;
        let format = match expression {
            Expression::Format(_) => found.field().cloned(),
            Expression::FormatOf(function, _) => found.field().map(|field| formatted(field, *function)),
            _ => None,
        };
        let format = format.map(|field| (field, scope.org.time_zone(scope.actor.user)));
        let name = match (alias, expression) {
            (Some(alias), _) => alias.clone(),
            (None, Expression::Field(_) | Expression::Label(_)) => found.last_name().to_owned(),
            (None, _) => format!("expr{}", self.shown.iter().filter(|shown| is_numbered(&shown.name)).count()),
        };
        if self.shown.iter().any(|shown| shown.name.eq_ignore_ascii_case(&name)) {
            return Err(scope.error_at("MALFORMED_QUERY", *offset, &format!("duplicate alias: {name}")));
        }
        self.shown.push(Shown { name, cell, format });
        Ok(())
    }

    /// Returns the cell of an expression; adds a new aggregate to the plan.
    fn cell(&mut self, scope: Scope<'_>, expression: &Expression) -> Result<(Cell, Resolved), ApiError> {
        let path = expression.path();
        if let Expression::Aggregate(function, _) | Expression::FormatOf(function, _) = expression {
            let found = scope.resolve(path)?;
            check_supported(scope, *function, &found, path.offset)?;
            let amount = corporate_amount(scope, path, &found)?;
            return Ok((Cell::Call(self.call(*function, &found, amount)), found));
        }
        let is_grouping = matches!(expression, Expression::Grouping(_));
        let plain = Expression::Field(path.clone());
        let (source, found, _) = resolve_source(scope, if is_grouping { &plain } else { expression })?;
        let same = |(key, known): &(Source, Resolved)| {
            known.name == found.name && Function::is_same_date(key.function.as_ref(), source.function.as_ref())
        };
        let Some(at) = self.keys.iter().position(same) else {
            let message = format!("Field must be grouped or aggregated: {}", found.name);
            return Err(scope.error_at("MALFORMED_QUERY", path.offset, &message));
        };
        Ok((if is_grouping { Cell::Grouping(at) } else { Cell::Key(at) }, found))
    }

    /// Returns the place of an aggregate of a field; of an amount, it is in the corporate currency.
    fn call(&mut self, function: Aggregate, found: &Resolved, amount: Option<Source>) -> usize {
        let same = |call: &Call| call.function == function && call.name == found.name;
        if let Some(at) = self.calls.iter().position(same) {
            return at;
        }
        let source = amount.unwrap_or_else(|| Source { column: found.column.clone(), function: None });
        let whole = found.kind() == Some(FieldKind::Int);
        let picklist = picklist_order(found);
        self.calls.push(Call { function, source, whole, name: found.name.clone(), picklist });
        self.calls.len() - 1
    }

    /// Resolves the left side of a comparison in HAVING.
    fn left(&mut self, scope: Scope<'_>, expression: &Expression) -> Result<LeftSide<Cell>, ApiError> {
        let (cell, found) = self.cell(scope, expression)?;
        let kind = match (expression, cell) {
            (Expression::Aggregate(Aggregate::Count | Aggregate::CountDistinct, _), _) | (_, Cell::Grouping(_)) => {
                Some(FieldKind::Int)
            }
            (Expression::Aggregate(Aggregate::Sum | Aggregate::Avg, _), _) => Some(FieldKind::Double),
            (Expression::Date(function, ..), _) => Some(condition::kind_of(*function)),
            _ => found.kind(),
        };
        let name = found.last_name().to_owned();
        Ok(LeftSide { source: cell, kind, name, offset: expression.path().offset, field: None, converted: None })
    }

    fn sort(&mut self, scope: Scope<'_>, order: &Order) -> Result<Sort, ApiError> {
        let (cell, found) = self.cell(scope, &order.expression)?;
        let plain = matches!(order.expression, Expression::Field(_));
        if plain {
            check_sortable(scope, &found, order.expression.path().offset)?;
        }
        let picklist = if plain { picklist_order(&found) } else { Vec::new() };
        Ok(Sort { cell, picklist, descending: order.descending, nulls_last: order.nulls_last })
    }

    /// Groups rows and returns `AggregateResult` rows.
    pub(super) fn run(&self, view: View<'_>, rows: &[&Arc<Row>]) -> Vec<Json> {
        let mut groups: Vec<Group> = self.sets().iter().flat_map(|kept| self.grouped(view, rows, kept)).collect();
        if let Some(having) = &self.having {
            groups.retain(|group| having.matches(&|cell: &Cell| Cow::Owned(group.value(*cell))));
        }
        groups.sort_by(|a, b| {
            let order = |sort: &Sort| {
                let ranked =
                    |group: &Group| eval::rank(Cow::Owned(group.value(sort.cell)), &sort.picklist).into_owned();
                compare::sorted(&ranked(a), &ranked(b), sort.descending, sort.nulls_last)
            };
            self.order.iter().map(order).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        groups.iter().map(|group| self.json(view, group)).collect()
    }

    /// Returns the keys that each level of grouping keeps: all of them, and fewer for subtotals.
    fn sets(&self) -> Vec<Vec<bool>> {
        let n = self.keys.len();
        match self.grouping {
            Grouping::Plain => vec![vec![true; n]],
            Grouping::Rollup => (0..=n).rev().map(|kept| (0..n).map(|at| at < kept).collect()).collect(),
            Grouping::Cube => {
                let mut sets: Vec<Vec<bool>> =
                    (0..1_usize << n).map(|mask| (0..n).map(|at| mask & (1 << at) == 0).collect()).collect();
                sets.sort_by_key(|kept| kept.iter().filter(|kept| !**kept).count());
                sets
            }
        }
    }

    fn grouped(&self, view: View<'_>, rows: &[&Arc<Row>], kept: &[bool]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        if self.keys.is_empty() {
            groups.push(Group::new(Vec::new(), kept, &self.calls));
            places.insert(String::new(), 0);
        }
        for row in rows {
            let value = |((source, _), kept): (&(Source, Resolved), &bool)| {
                if *kept { source.value(view, row).into_owned() } else { Value::Null }
            };
            let keys: Vec<Value> = self.keys.iter().zip(kept).map(value).collect();
            let place = *places.entry(keys.iter().map(key_of).collect()).or_insert_with(|| {
                groups.push(Group::new(keys, kept, &self.calls));
                groups.len() - 1
            });
            for (call, tally) in self.calls.iter().zip(&mut groups[place].tallies) {
                tally.add(call, &call.source.value(view, row));
            }
        }
        groups
    }

    fn json(&self, view: View<'_>, group: &Group) -> Json {
        let mut shown = Map::new();
        let corporate = view.org.features.multi_currency.then_some(CURRENCIES[0]);
        shown.insert("attributes".to_owned(), json!({"type": "AggregateResult"}));
        for Shown { name, cell, format } in &self.shown {
            let value = group.value(*cell);
            let place = Place { version: "", object: "AggregateResult", field: name, id: view.org.id };
            let json = match format {
                Some((field, zone)) => format::text(field, &value, zone, corporate),
                None => value.json(place),
            };
            shown.insert(name.clone(), json);
        }
        Json::Object(shown)
    }
}
