//! A query made concrete: names resolved against the schema, literals converted to the kinds of their fields.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::ast::{Condition, Item, Literal, Operator, Order, Path, Select};
use super::project::Projection;
use crate::api_error::ApiError;
use crate::datetime;
use crate::ids::RecordId;
use crate::org::Org;
use crate::schema::{Field, FieldKind, Object};
use crate::value::Value;

/// Where a value comes from, starting at a row.
#[derive(Clone, Debug)]
pub(super) enum Column {
    Own(usize),
    /// A field of the record that the reference at `at` points to.
    Parent {
        at: usize,
        object: Arc<Object>,
        rest: Box<Column>,
    },
    /// A field of a parent whose kind is known only by its id; `Type` is the name of that kind.
    AnyParent {
        at: usize,
        field: String,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Equal(Value),
    NotEqual(Value),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    /// Lower-case pattern with `%` and `_`.
    Like(String),
    In(Set),
    NotIn(Set),
    /// From, inclusive, to, exclusive.
    Within(Value, Value),
}

/// The values of an IN list, kept for fast look-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) ids: HashSet<RecordId>,
    /// In lower case.
    pub(super) texts: HashSet<String>,
    pub(super) others: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test { column: Column, test: Test },
}

#[derive(Clone, Debug)]
pub(super) struct SortKey {
    pub(super) column: Column,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A query ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) object: Arc<Object>,
    pub(super) projection: Projection,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<SortKey>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    counts: bool,
}

/// What resolving needs: the org, the object at hand and the query's text for messages.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) org: &'a Org,
    pub(super) object: &'a Arc<Object>,
    pub(super) text: &'a str,
}

impl Plan {
    /// Resolves a query.
    pub(super) fn new(org: &Org, select: &Select, text: &str) -> Result<Self, ApiError> {
        let [name] = select.from.names.as_slice() else { return Err(unknown_type(text, &select.from)) };
        let object = org.schema.object(name).ok_or_else(|| unknown_type(text, &select.from))?;
        if object.name == "ContentDocumentLink" && !select.condition.as_ref().is_some_and(names_a_document) {
            return Err(ApiError::new("MALFORMED_QUERY", DOCUMENT_LINK_RESTRICTION));
        }
        Self::of(Scope { org, object, text }, select)
    }

    /// Resolves a query over an object that is already known.
    pub(super) fn of(scope: Scope<'_>, select: &Select) -> Result<Self, ApiError> {
        let counts = select.items.contains(&Item::Count);
        if counts && select.items.len() > 1 {
            return Err(super::at("MALFORMED_QUERY", scope.text, 0, "COUNT() cannot be combined with other fields"));
        }
        Ok(Self {
            object: Arc::clone(scope.object),
            projection: Projection::new(scope, &select.items)?,
            filter: select.condition.as_ref().map(|condition| filter(scope, condition)).transpose()?,
            order: select.order.iter().map(|order| sort_key(scope, order)).collect::<Result<_, _>>()?,
            limit: select.limit,
            offset: select.offset,
            counts,
        })
    }

    /// The query is a `SELECT COUNT()`, whose answer has no records.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }
}

const DOCUMENT_LINK_RESTRICTION: &str = "\nImplementation restriction: ContentDocumentLink requires a filter by a single Id on \
     ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.";

/// The condition binds the document or the linked record, whatever else it says.
fn names_a_document(condition: &Condition) -> bool {
    let binds = |path: &Path| matches!(path.names.as_slice(), [name] if name.eq_ignore_ascii_case("ContentDocumentId") || name.eq_ignore_ascii_case("LinkedEntityId"));
    match condition {
        Condition::All(parts) => parts.iter().any(names_a_document),
        Condition::Compare { path, operator: Operator::Equal, literal: Literal::Text(_) } => binds(path),
        Condition::In { path, negated: false, .. } => binds(path),
        _ => false,
    }
}

fn unknown_type(text: &str, from: &Path) -> ApiError {
    let name = from.names.join(".");
    super::at("INVALID_TYPE", text, from.offset, &ApiError::invalid_type(&name).message)
}

impl Scope<'_> {
    pub(super) fn unknown_field(self, path: &Path, name: &str) -> ApiError {
        let message = format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the \
             custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            self.object.name
        );
        super::at("INVALID_FIELD", self.text, path.offset, &message)
    }

    pub(super) fn unknown_relationship(self, path: &Path, name: &str) -> ApiError {
        let message = format!(
            "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be sure to append \
             the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
        );
        super::at("INVALID_FIELD", self.text, path.offset, &message)
    }

    /// The names of a path without a leading name of the queried object itself.
    pub(super) fn names(self, path: &Path) -> &[String] {
        match path.names.as_slice() {
            [first, rest @ ..]
                if !rest.is_empty()
                    && first.eq_ignore_ascii_case(&self.object.name)
                    && self.object.relationship(first).is_none() =>
            {
                rest
            }
            names => names,
        }
    }

    /// Follows a path; the field it ends at is there unless the parent's kind is open.
    pub(super) fn column(self, path: &Path) -> Result<(Column, Option<Field>), ApiError> {
        self.follow(path, self.names(path))
    }

    fn follow(self, path: &Path, names: &[String]) -> Result<(Column, Option<Field>), ApiError> {
        match names {
            [] => Err(self.unknown_field(path, "")),
            [name] => {
                let at = self.object.position(name).ok_or_else(|| self.unknown_field(path, name))?;
                Ok((Column::Own(at), self.object.fields.get(at).cloned()))
            }
            [relationship, rest @ ..] => {
                let at = self
                    .object
                    .relationship(relationship)
                    .ok_or_else(|| self.unknown_relationship(path, relationship))?;
                match self.parent(at) {
                    Some(object) => {
                        let (rest, field) = Scope { object: &object, ..self }.follow(path, rest)?;
                        Ok((Column::Parent { at, object: Arc::clone(&object), rest: Box::new(rest) }, field))
                    }
                    None => Ok((Column::AnyParent { at, field: rest.join(".") }, None)),
                }
            }
        }
    }

    /// The one object a reference points to; owners are users.
    pub(super) fn parent(self, at: usize) -> Option<Arc<Object>> {
        match self.object.fields.get(at)?.reference_to.as_slice() {
            [one] => self.org.schema.object(one).cloned(),
            _ => None,
        }
    }
}

fn sort_key(scope: Scope<'_>, order: &Order) -> Result<SortKey, ApiError> {
    let (column, _) = scope.column(&order.path)?;
    Ok(SortKey { column, descending: order.descending, nulls_last: order.nulls_last })
}

fn filter(scope: Scope<'_>, condition: &Condition) -> Result<Filter, ApiError> {
    let all = |parts: &[Condition]| parts.iter().map(|part| filter(scope, part)).collect::<Result<_, _>>();
    match condition {
        Condition::All(parts) => all(parts).map(Filter::All),
        Condition::Any(parts) => all(parts).map(Filter::Any),
        Condition::Not(part) => filter(scope, part).map(|part| Filter::Not(Box::new(part))),
        Condition::Compare { path, operator, literal } => {
            let (column, field) = scope.column(path)?;
            Ok(Filter::Test { column, test: test(scope, field.as_ref(), *operator, literal)? })
        }
        Condition::In { path, negated, literals } => {
            let (column, field) = scope.column(path)?;
            let mut set = Set::default();
            for literal in literals {
                match operand(field.as_ref(), literal)? {
                    Value::Id(id) => drop(set.ids.insert(id)),
                    Value::Text(text) => drop(set.texts.insert(text.to_lowercase())),
                    other => set.others.push(other),
                }
            }
            Ok(Filter::Test { column, test: if *negated { Test::NotIn(set) } else { Test::In(set) } })
        }
    }
}

fn test(scope: Scope<'_>, field: Option<&Field>, operator: Operator, literal: &Literal) -> Result<Test, ApiError> {
    if let Literal::Day { from, to } = literal {
        return days(scope, field, operator, (*from, *to));
    }
    let value = operand(field, literal)?;
    Ok(match operator {
        Operator::Equal => Test::Equal(value),
        Operator::NotEqual => Test::NotEqual(value),
        Operator::Less => Test::Less(value),
        Operator::LessOrEqual => Test::LessOrEqual(value),
        Operator::Greater => Test::Greater(value),
        Operator::GreaterOrEqual => Test::GreaterOrEqual(value),
        Operator::Like => match literal {
            Literal::Text(pattern) if field.is_none_or(|f| f.kind.is_text()) => Test::Like(pattern.to_lowercase()),
            _ => return Err(ApiError::new("INVALID_QUERY_FILTER_OPERATOR", "LIKE needs a text field and a text")),
        },
    })
}

/// Turns days relative to today into a range of days, or of moments.
fn days(scope: Scope<'_>, field: Option<&Field>, operator: Operator, (from, to): (i32, i32)) -> Result<Test, ApiError> {
    let today = datetime::day(scope.org.clock.now());
    let moment = match field.map(|f| f.kind) {
        Some(FieldKind::DateTime) => true,
        Some(FieldKind::Date) => false,
        _ => return Err(wrong_kind(field, "a date")),
    };
    let day = |n: i32| {
        let day = today.saturating_add(SignedDuration::from_hours(24 * i64::from(n)));
        if moment { datetime::start_of(day).map_or(Value::Null, Value::Instant) } else { Value::Date(day) }
    };
    let (start, end) = (day(from), day(to + 1));
    Ok(match operator {
        Operator::Less => Test::Less(start),
        Operator::GreaterOrEqual => Test::GreaterOrEqual(start),
        Operator::LessOrEqual => Test::Less(end),
        Operator::Greater => Test::GreaterOrEqual(end),
        Operator::Equal | Operator::NotEqual | Operator::Like => Test::Within(start, end),
    })
}

fn wrong_kind(field: Option<&Field>, wanted: &str) -> ApiError {
    let name = field.map_or("", |f| f.name.as_str());
    let quotes = if wanted == "string" { "should be" } else { "should not be" };
    ApiError::new(
        "INVALID_FIELD",
        format!(
            "value of filter criterion for field '{name}' must be of type {wanted} and {quotes} enclosed in quotes"
        ),
    )
}

/// A literal as a value of the field's kind.
fn operand(field: Option<&Field>, literal: &Literal) -> Result<Value, ApiError> {
    let kind = field.map(|f| f.kind);
    match (kind, literal) {
        (_, Literal::Null) => Ok(Value::Null),
        (Some(FieldKind::Id | FieldKind::Reference), Literal::Text(text)) => {
            let error = || ApiError::new("INVALID_QUERY_FILTER_OPERATOR", format!("invalid ID field: {text}"));
            RecordId::parse(text).map(Value::Id).ok_or_else(error)
        }
        (Some(FieldKind::Boolean), Literal::Bool(b)) => Ok(Value::Bool(*b)),
        (Some(FieldKind::Date), Literal::Date(day)) => Ok(Value::Date(*day)),
        (Some(FieldKind::DateTime), Literal::Instant(at)) => Ok(Value::Instant(*at)),
        (Some(kind), Literal::Number(n)) if kind.is_number() => Ok(Value::Double(*n)),
        (Some(kind), Literal::Text(text)) if kind.is_text() => Ok(Value::text(text.as_str())),
        (None, Literal::Text(text)) => Ok(RecordId::parse(text).map_or_else(|| Value::text(text.as_str()), Value::Id)),
        (None, Literal::Bool(b)) => Ok(Value::Bool(*b)),
        (None, Literal::Number(n)) => Ok(Value::Double(*n)),
        (Some(FieldKind::Boolean), _) => Err(wrong_kind(field, "boolean")),
        (Some(FieldKind::Date), _) => Err(wrong_kind(field, "date")),
        (Some(FieldKind::DateTime), _) => Err(wrong_kind(field, "dateTime")),
        (Some(kind), _) if kind.is_number() => Err(wrong_kind(field, kind.name())),
        (_, _) => Err(wrong_kind(field, "string")),
    }
}
