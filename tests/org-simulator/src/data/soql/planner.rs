//! Turns a syntax tree into a plan: resolves names against the schema and converts literals to the types of their
//! fields.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::data::soql::activity_lists;
use crate::data::soql::ast::{
    Condition, Expression, Item, List, Literal, Operator, Order, Path, Select, Zone, is_aggregate,
};
use crate::data::soql::condition::{self, LeftSide, kind_of};
use crate::data::soql::eval::View;
use crate::data::soql::plan::{Function, GroupPlan, Output, Plan, Projection, Resolved, SortKey, Source};
use crate::data::soql::scope::{Scope, queried};
use crate::data::soql::semi_join;
use crate::model::actor::Actor;
use crate::model::currencies::CURRENCY;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind};

const MAX_OFFSET: usize = 2_000;
const MAX_LIMIT_OF_FIELDS: usize = 200;

impl<'a> Scope<'a> {
    pub(super) fn view(self) -> View<'a> {
        View { org: self.org, actor: self.actor }
    }
}

/// Returns whether the query returns groups of rows.
pub(super) fn groups(select: &Select) -> bool {
    let aggregates =
        |item: &Item| is_aggregate(item) || matches!(item, Item::Value { expression: Expression::Grouping(_), .. });
    select.groups.is_some() || select.having.is_some() || select.items.iter().any(aggregates)
}

fn limits_of_fields(select: &Select) -> Result<(), ApiError> {
    use crate::data::soql::ast::FieldSet;
    let unbounded = |item: &Item| matches!(item, Item::Fields(FieldSet::All | FieldSet::Custom, _));
    let limited = select.limit.is_some_and(|limit| limit <= MAX_LIMIT_OF_FIELDS);
    if select.items.iter().any(unbounded) && !limited {
        let message = format!("The SOQL FIELDS function must have a LIMIT of at most {MAX_LIMIT_OF_FIELDS}");
        return Err(ApiError::new("MALFORMED_QUERY", message));
    }
    Ok(())
}

/// Returns whether the scope is `mine`: the actor's own records only. Other scopes need sharing features that are not
/// implemented.
pub(super) fn is_scope_mine(scope: Scope<'_>, named: Option<&Path>) -> Result<bool, ApiError> {
    let Some(path) = named else { return Ok(false) };
    match path.names.join(".").to_ascii_lowercase().as_str() {
        "everything" => Ok(false),
        "mine" if scope.object.has_owner => Ok(true),
        other => {
            tracing::warn!(scope = other, "the simulator does not support this scope of a query");
            Err(scope.error_at(
                "MALFORMED_QUERY",
                path.offset,
                &format!("unexpected token: '{}'", path.names.join(".")),
            ))
        }
    }
}

const DOCUMENT_LINK_RESTRICTION: &str = "\nImplementation restriction: ContentDocumentLink requires a filter by a single Id on \
     ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.";

/// Returns whether the condition restricts the document or the linked record, in every case.
fn restricts_document(condition: &Condition) -> bool {
    let binds = |left: &Expression| {
        let [name] = left.path().names.as_slice() else { return false };
        matches!(left, Expression::Field(_))
            && (name.eq_ignore_ascii_case("ContentDocumentId") || name.eq_ignore_ascii_case("LinkedEntityId"))
    };
    match condition {
        Condition::All(parts) => parts.iter().any(restricts_document),
        Condition::Compare { left, operator: Operator::Equal, literal: Literal::Text(_) } => binds(left),
        Condition::In { left, negated: false, list: List::Literals(_) | List::Select(_) } => binds(left),
        _ => false,
    }
}

/// Resolves the left side of a comparison in WHERE.
fn row_value(scope: Scope<'_>, expression: &Expression) -> Result<LeftSide<Source>, ApiError> {
    let path = expression.path();
    let (source, found, kind) = resolve_source(scope, expression)?;
    if !matches!(expression, Expression::Distance(..)) {
        check_filterable(scope, &found, path.offset)?;
    }
    let name = found.last_name().to_owned();
    let converted = corporate_amount(scope, path, &found)?;
    let field = matches!(expression, Expression::Field(_)).then_some(found);
    Ok(LeftSide { source, kind, name, offset: path.offset, field, converted })
}

/// Resolves a plain field or a date function to its source and its type.
pub(super) fn resolve_source(
    scope: Scope<'_>,
    expression: &Expression,
) -> Result<(Source, Resolved, Option<FieldKind>), ApiError> {
    let path = expression.path();
    let found = scope.resolve(path)?;
    let column = found.column.clone();
    match expression {
        Expression::Field(_) | Expression::Label(_) | Expression::Format(_) => {
            let kind = found.kind();
            Ok((Source { column, function: None }, found, kind))
        }
        Expression::Currency(_) | Expression::FormatCurrency(_) => {
            let message = "convertCurrency is only supported in the SELECT list";
            Err(scope.error_at("MALFORMED_QUERY", path.offset, message))
        }
        Expression::Date(function, zone, _) => {
            if !matches!(found.kind(), Some(FieldKind::Date | FieldKind::DateTime)) {
                let message = format!("field '{}' is not a date or a date with time", found.last_name());
                return Err(scope.error_at("INVALID_FIELD", path.offset, &message));
            }
            let zone = match zone {
                Zone::Utc => TimeZone::UTC,
                Zone::User => scope.org.time_zone(scope.actor.user),
            };
            Ok((Source { column, function: Some(Function::Date(*function, zone)) }, found, Some(kind_of(*function))))
        }
        Expression::Distance(_, center) => {
            let Some((north, east)) = found.field().and_then(Field::coordinates) else {
                let message = format!("field '{}' is not a location or an address", found.last_name());
                return Err(scope.error_at("INVALID_FIELD", path.offset, &message));
            };
            let longitude = scope.resolve(&path.sibling(&east))?.column;
            let column = scope.resolve(&path.sibling(&north))?.column;
            Ok((
                Source { column, function: Some(Function::Distance(longitude, *center)) },
                found,
                Some(FieldKind::Double),
            ))
        }
        Expression::Aggregate(function, _) | Expression::FormatOf(function, _) => {
            let message = format!("aggregate function {} is not allowed here", function.name());
            Err(scope.error_at("MALFORMED_QUERY", path.offset, &message))
        }
        Expression::Grouping(_) => Err(scope.error_at("MALFORMED_QUERY", path.offset, "unexpected token: 'GROUPING'")),
    }
}

/// Returns the amount of a field in the corporate currency; `None` if it is no amount, or the record has no currency.
pub(super) fn corporate_amount(scope: Scope<'_>, path: &Path, found: &Resolved) -> Result<Option<Source>, ApiError> {
    let has_currency = found.home.as_ref().is_some_and(|(object, _)| object.position(CURRENCY).is_some());
    if found.kind() != Some(FieldKind::Currency) || !has_currency {
        return Ok(None);
    }
    let currency = scope.resolve(&path.sibling(CURRENCY))?.column;
    let function = Function::Convert(currency, scope.org.corporate_exchange());
    Ok(Some(Source { column: found.column.clone(), function: Some(function) }))
}

/// Returns the values of a picklist in lower case, in their order.
pub(super) fn picklist_order(found: &Resolved) -> Vec<String> {
    let values = found.field().filter(|field| field.kind == FieldKind::Picklist).map(|field| &field.picklist);
    values.into_iter().flatten().map(|entry| entry.value.to_lowercase()).collect()
}

/// Rejects fields that cannot be filtered by a comparison of their value.
fn check_filterable(scope: Scope<'_>, found: &Resolved, offset: usize) -> Result<(), ApiError> {
    let Some(field) = found.field() else { return Ok(()) };
    let message = match field.kind {
        FieldKind::Address => "Address fields can only be filtered using Distance expressions".to_owned(),
        FieldKind::Location => "Geolocation fields can only be filtered using Distance expressions".to_owned(),
        _ if !field.query_flags().filterable => {
            format!("field '{}' can not be filtered in a query call", found.last_name())
        }
        _ => return Ok(()),
    };
    Err(scope.error_at("INVALID_FIELD", offset, &message))
}

/// Rejects fields that cannot be sorted.
pub(super) fn check_sortable(scope: Scope<'_>, found: &Resolved, offset: usize) -> Result<(), ApiError> {
    if found.field().is_some_and(|field| !field.query_flags().sortable) {
        let message = format!("field '{}' can not be sorted in a query call", found.last_name());
        return Err(scope.error_at("MALFORMED_QUERY", offset, &message));
    }
    Ok(())
}

fn sort_key(scope: Scope<'_>, order: &Order) -> Result<SortKey, ApiError> {
    let (source, found, _) = resolve_source(scope, &order.expression)?;
    if !matches!(order.expression, Expression::Distance(..)) {
        check_sortable(scope, &found, order.expression.path().offset)?;
    }
    let picklist = if source.function.is_none() { picklist_order(&found) } else { Vec::new() };
    // Amounts are sorted by their values in one currency.
    let source = corporate_amount(scope, order.expression.path(), &found)?.unwrap_or(source);
    Ok(SortKey { source, picklist, descending: order.descending, nulls_last: order.nulls_last })
}

impl Plan {
    /// Plans a whole query.
    pub(super) fn new(org: &Org, actor: &Actor, select: &Select, text: &str) -> Result<Self, ApiError> {
        let object = queried(org, actor, &select.from, text)?;
        if object.name == "ContentDocumentLink" && !select.condition.as_ref().is_some_and(restricts_document) {
            return Err(ApiError::new("MALFORMED_QUERY", DOCUMENT_LINK_RESTRICTION));
        }
        let scope = Scope { org, actor, object: &object, alias: select.alias.as_deref(), joins: &select.joins, text };
        scope.check_joins()?;
        if !groups(select) {
            return Self::of(scope, select);
        }
        let groups = GroupPlan::new(scope, select)?;
        Ok(Self { output: Output::Groups(Box::new(groups)), ..Self::base_plan(scope, select)? })
    }

    /// Plans a query over an object that is already resolved, such as a subquery.
    pub(super) fn of(scope: Scope<'_>, select: &Select) -> Result<Self, ApiError> {
        if groups(select) {
            let message = "only root queries support aggregate expressions";
            return Err(scope.error_at("MALFORMED_QUERY", select.from.offset, message));
        }
        activity_lists::check(scope, select)?;
        let output = match select.items.as_slice() {
            [Item::Count(_)] => Output::Count,
            items => {
                if let Some(Item::Count(offset)) = items.iter().find(|item| matches!(item, Item::Count(_))) {
                    let message = "COUNT() must be the only element in the SELECT list";
                    return Err(scope.error_at("MALFORMED_QUERY", *offset, message));
                }
                Output::Rows(Projection::new(scope, items)?)
            }
        };
        let order = select.order.iter().map(|order| sort_key(scope, order)).collect::<Result<_, _>>()?;
        Ok(Self { output, order, ..Self::base_plan(scope, select)? })
    }

    /// Returns the plan of the clauses that all queries have, without output and order.
    fn base_plan(scope: Scope<'_>, select: &Select) -> Result<Self, ApiError> {
        if select.all_rows {
            return Err(ApiError::new("MALFORMED_QUERY", "ALL ROWS not allowed in this context"));
        }
        if select.offset > MAX_OFFSET {
            let message = format!("Maximum SOQL offset allowed is {MAX_OFFSET}");
            return Err(ApiError::new("NUMBER_OUTSIDE_VALID_RANGE", message));
        }
        limits_of_fields(select)?;
        if let Some(condition) = &select.condition {
            semi_join::check(condition)?;
        }
        let mut left = |expression: &Expression| row_value(scope, expression);
        let filter = select.condition.as_ref().map(|condition| condition::filter(scope, condition, &mut left));
        Ok(Self {
            object: Arc::clone(scope.object),
            output: Output::Count,
            filter: filter.transpose()?,
            mine: is_scope_mine(scope, select.scope.as_ref())?,
            order: Vec::new(),
            limit: select.limit,
            offset: select.offset,
        })
    }
}
