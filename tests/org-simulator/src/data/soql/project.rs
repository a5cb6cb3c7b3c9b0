//! The SELECT list: the parts of a row, its parents and its children to return.

use std::sync::Arc;

use super::ast::{Path, Select};
use super::pointer;
use super::scope::Scope;
use crate::data::soql::ast::{Expression, FieldSet, Item, TypeOf};
use crate::data::soql::plan::Resolved;
use crate::data::soql::plan::{Column, Entry, Form, Plan, Projection};
use crate::model::access::Permission;
use crate::model::errors::ApiError;
use crate::model::schema::FieldKind;

/// Returns the matching entry, which is added when it does not exist yet.
fn find_or_add(entries: &mut Vec<Entry>, is: impl Fn(&Entry) -> bool, fresh: impl FnOnce() -> Entry) -> &mut Entry {
    let at = entries.iter().position(is).unwrap_or(entries.len());
    if at == entries.len() {
        entries.push(fresh());
    }
    &mut entries[at]
}

fn children(scope: Scope<'_>, select: &Select) -> Result<Entry, ApiError> {
    let relationship = scope.names(&select.from).join(".");
    let all = scope.org.schema.children_of(&scope.object.name);
    let child = all.iter().find(|child| {
        child.name.is_some_and(|name| name.eq_ignore_ascii_case(&relationship))
            && scope.org.has_permission(scope.actor, Permission::Read, child.object)
            && scope.org.may_read_field(scope.actor, child.object, &child.object.fields[child.field])
    });
    let child = child.ok_or_else(|| unknown_children(scope, &select.from, &relationship))?;
    let inner = Scope { object: child.object, alias: select.alias.as_deref(), joins: &select.joins, ..scope };
    inner.check_joins()?;
    let plan = Plan::of(inner, select)?;
    Ok(Entry::Children { name: child.name.unwrap_or_default().to_owned(), at: child.field, plan: Box::new(plan) })
}

/// Returns the form in which an entry of the SELECT list is returned.
pub(super) fn form(
    scope: Scope<'_>,
    expression: &Expression,
    found: &Resolved,
    offset: usize,
) -> Result<Form, ApiError> {
    let user = scope.actor.user;
    match expression {
        Expression::Label(_) => Ok(Form::Label),
        Expression::Format(_) => Ok(Form::Text(scope.org.time_zone(user))),
        Expression::Currency(_) | Expression::FormatCurrency(_) => {
            let refused = |code, message: &str| Err(scope.error_at(code, offset, message));
            if !scope.org.features.multi_currency {
                return refused(
                    "MALFORMED_QUERY",
                    "convertCurrency is not supported in an organization with one currency",
                );
            }
            if found.kind() != Some(FieldKind::Currency) {
                let message = format!("field '{}' is not a currency field", found.last_name());
                return refused("INVALID_FIELD", &message);
            }
            let exchange = scope.org.exchange(scope.org.user_currency(user));
            let is_text = matches!(expression, Expression::FormatCurrency(_));
            Ok(if is_text { Form::ConvertedText(exchange) } else { Form::Converted(exchange) })
        }
        _ => Ok(Form::Plain),
    }
}

fn unknown_children(scope: Scope<'_>, from: &Path, relationship: &str) -> ApiError {
    let message = format!(
        "Didn't understand relationship '{relationship}' in FROM part of query call. If you are attempting to use a custom relationship, be \
         sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointer::at("INVALID_TYPE", scope.text, from.offset, &message)
}

impl Projection {
    pub(super) fn new(scope: Scope<'_>, items: &[Item]) -> Result<Self, ApiError> {
        let mut projection = Self::default();
        for item in items {
            match item {
                Item::Count(_) => {}
                Item::Value { expression, alias, offset } => {
                    projection.value(scope, expression, (alias.as_deref(), *offset))?;
                }
                Item::Fields(set, offset) => projection.fields(scope, *set, *offset)?,
                Item::TypeOf(type_of) => projection.type_of(scope, type_of)?,
                Item::Children(select) => projection.push(scope, children(scope, select)?, select.from.offset)?,
            }
        }
        Ok(projection)
    }

    fn push(&mut self, scope: Scope<'_>, entry: Entry, offset: usize) -> Result<(), ApiError> {
        if self.entries.iter().any(|known| known.name().eq_ignore_ascii_case(entry.name())) {
            let message = format!("duplicate field selected: {}", entry.name());
            return Err(scope.error_at("INVALID_FIELD", offset, &message));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn value(
        &mut self,
        scope: Scope<'_>,
        expression: &Expression,
        (alias, offset): (Option<&str>, usize),
    ) -> Result<(), ApiError> {
        let path = expression.path();
        let found = scope.resolve(path)?;
        match expression {
            Expression::Field(_) if alias.is_some() => {
                let message = "only aggregate expressions use field aliasing";
                Err(scope.error_at("MALFORMED_QUERY", offset, message))
            }
            Expression::Field(_)
            | Expression::Label(_)
            | Expression::Format(_)
            | Expression::Currency(_)
            | Expression::FormatCurrency(_) => {
                let names: Vec<&str> = found.name.split('.').collect();
                let form = form(scope, expression, &found, offset)?;
                self.add(scope, &found.column, (&names, alias, form), offset)
            }
            Expression::Date(..)
            | Expression::Distance(..)
            | Expression::Aggregate(..)
            | Expression::FormatOf(..)
            | Expression::Grouping(_) => {
                let message = format!("Field must be grouped or aggregated: {}", found.name);
                Err(scope.error_at("MALFORMED_QUERY", path.offset, &message))
            }
        }
    }

    /// Adds a field; fields of the same parent are combined.
    fn add(
        &mut self,
        scope: Scope<'_>,
        column: &Column,
        (names, alias, form): (&[&str], Option<&str>, Form),
        offset: usize,
    ) -> Result<(), ApiError> {
        let name = |at: usize| names.get(at).copied().unwrap_or_default().to_owned();
        match column {
            Column::Own(at) | Column::Computed { at, .. } => {
                let entry = Entry::Field { name: alias.map_or_else(|| name(0), str::to_owned), at: *at, form };
                self.push(scope, entry, offset)
            }
            Column::Parent { at, object, rest } => {
                let of = |entry: &Entry| matches!(entry, Entry::Parent { at: known, .. } if known == at);
                let fresh = || Entry::Parent {
                    name: name(0),
                    at: *at,
                    object: Arc::clone(object),
                    projection: Self::default(),
                };
                let Entry::Parent { projection, .. } = find_or_add(&mut self.entries, of, fresh) else { return Ok(()) };
                projection.add(scope, rest, (names.get(1..).unwrap_or_default(), alias, form), offset)
            }
            Column::PolymorphicParent { at, field } => {
                let of = |entry: &Entry| matches!(entry, Entry::PolymorphicParent { at: known, .. } if known == at);
                let fresh = || Entry::PolymorphicParent { name: name(0), at: *at, fields: Vec::new() };
                if let Entry::PolymorphicParent { fields, .. } = find_or_add(&mut self.entries, of, fresh) {
                    fields.push(field.clone());
                }
                Ok(())
            }
        }
    }

    /// Adds the fields that `FIELDS()` selects, as far as the actor's profile permits.
    fn fields(&mut self, scope: Scope<'_>, set: FieldSet, offset: usize) -> Result<(), ApiError> {
        for (at, field) in scope.object.fields.iter().enumerate() {
            let wanted = match set {
                FieldSet::All => true,
                FieldSet::Standard => !field.custom,
                FieldSet::Custom => field.custom,
            };
            if wanted && scope.org.may_read_field(scope.actor, scope.object, field) {
                self.push(scope, Entry::Field { name: field.name.clone(), at, form: Form::Plain }, offset)?;
            }
        }
        Ok(())
    }

    fn type_of(&mut self, scope: Scope<'_>, type_of: &TypeOf) -> Result<(), ApiError> {
        let path = &type_of.relationship;
        let relationship = path.names.join(".");
        let at = scope.parent_reference(path, &relationship)?;
        if scope.parent(at).is_some() {
            let message = format!("cannot use TYPEOF with {relationship}: it is not a polymorphic relationship");
            return Err(scope.error_at("MALFORMED_QUERY", path.offset, &message));
        }
        let mut branches = Vec::new();
        for (kind, fields) in &type_of.branches {
            let object = crate::data::soql::scope::queried(scope.org, scope.actor, kind, scope.text)?;
            let inner = scope.with(&object);
            let mut projection = Self::default();
            for field in fields {
                projection.value(inner, &Expression::Field(field.clone()), (None, field.offset))?;
            }
            branches.push((Arc::clone(&object), projection));
        }
        let name_field = |field: &Path| scope.name_field(field, &field.names);
        let otherwise = type_of.otherwise.iter().map(name_field).collect::<Result<_, _>>()?;
        let name = scope.object.fields[at].relationship.clone().unwrap_or_default();
        self.push(scope, Entry::TypeOf { name, at, branches, otherwise }, path.offset)
    }
}
