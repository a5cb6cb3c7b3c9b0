//! The syntax tree of a query. Names carry the place they stand at, for error messages.

use jiff::Timestamp;
use jiff::civil::Date;

/// A field, possibly of a parent: `Name`, `Account.Owner.Name`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) names: Vec<String>,
    /// Byte offset in the query.
    pub(super) offset: usize,
}

/// One entry of the SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Field(Path),
    /// `COUNT()`.
    Count,
    /// `(SELECT ... FROM Contacts)`.
    Children(Box<Select>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Date(Date),
    Instant(Timestamp),
    /// A relative day: `TODAY` is 0 days, `LAST_N_DAYS:7` reaches 7 days back.
    Day {
        from: i32,
        to: i32,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare { path: Path, operator: Operator, literal: Literal },
    In { path: Path, negated: bool, literals: Vec<Literal> },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) path: Path,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Select {
    pub(super) items: Vec<Item>,
    pub(super) from: Path,
    pub(super) condition: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}
