//! Filters: conditions that a person writes as the text of a WHERE clause. They are parsed, so that only what is understood
//! reaches a query, and rendered in one canonical form.
//!
//! A filter compares fields of the object, or of a record that it references (`Account.Industry`), with values. It has no
//! functions, subqueries or bind variables. It has no relative dates such as `TODAY`: a record would enter and leave without
//! being changed, which no scan of changes can see.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Condition;
use crate::FieldName;

mod parser;
mod tokens;

#[cfg(test)]
mod tests;

pub use tokens::InvalidFilter;

/// The most characters of a filter. Salesforce accepts WHERE clauses of up to 4,000 characters (Salesforce Developer Limits,
/// "SOQL and SOSL Limits"), of which a scan needs some itself.
const MAX_CHARACTERS: usize = 3_000;

/// A condition on the records of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter(Expression);

/// An expression of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    /// A field compared with a value.
    Compare(FieldName, Comparison, Value),
    /// A field compared with a list of values.
    List(FieldName, Membership, Vec<Value>),
    /// The opposite.
    Not(Box<Self>),
    /// Two or more expressions that all hold.
    All(Vec<Self>),
    /// Two or more expressions of which one holds.
    Any(Vec<Self>),
}

/// An operator with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// An operator with a list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Membership {
    In,
    NotIn,
    Includes,
    Excludes,
}

/// A value, as it is written in SOQL.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// A text between its quotes, with its escape sequences.
    Text(String),
    /// A number, a date, a date-time, `TRUE`, `FALSE` or `NULL`.
    Plain(String),
}

impl Filter {
    /// Returns the fields that the filter names, each once: those of the object, and paths such as `Account.Industry`.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&FieldName> {
        let mut fields = BTreeSet::new();
        self.0.add_fields(&mut fields);
        fields
    }

    /// Returns the condition of a query.
    #[must_use]
    pub fn condition(&self) -> Condition {
        Condition(self.0.nested())
    }
}

impl Expression {
    fn add_fields<'a>(&'a self, fields: &mut BTreeSet<&'a FieldName>) {
        match self {
            Self::Compare(field, ..) | Self::List(field, ..) => drop(fields.insert(field)),
            Self::Not(inner) => inner.add_fields(fields),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.add_fields(fields)),
        }
    }

    /// Renders the expression as a part of another one.
    fn nested(&self) -> String {
        match self {
            Self::Compare(..) | Self::List(..) => self.to_string(),
            Self::Not(_) | Self::All(_) | Self::Any(_) => format!("({self})"),
        }
    }
}

impl Comparison {
    const ALL: [Self; 7] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::LessOrEqual, Self::Greater, Self::GreaterOrEqual, Self::Like];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "LIKE",
        }
    }
}

impl Membership {
    const fn as_str(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Includes => "INCLUDES",
            Self::Excludes => "EXCLUDES",
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], by: &str| parts.iter().map(Self::nested).collect::<Vec<_>>().join(by);
        match self {
            Self::Compare(field, operator, value) => write!(f, "{field} {} {value}", operator.as_str()),
            Self::List(field, operator, values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "{field} {} ({})", operator.as_str(), values.join(", "))
            }
            Self::Not(inner) => write!(f, "NOT {}", inner.nested()),
            Self::All(parts) => f.write_str(&joined(parts, " AND ")),
            Self::Any(parts) => f.write_str(&joined(parts, " OR ")),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Plain(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        parser::parse(text).map(Self)
    }
}

impl TryFrom<String> for Filter {
    type Error = InvalidFilter;

    fn try_from(text: String) -> Result<Self, InvalidFilter> {
        text.parse()
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}
