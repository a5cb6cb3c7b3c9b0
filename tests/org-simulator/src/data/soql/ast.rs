//! The syntax tree of a query. Names have their position in the query, for error messages.

use jiff::Timestamp;
use jiff::civil::Date;

use super::date_function::DateFunction;
use super::date_literal::DateLiteral;
use super::distance::Center;

/// A path to a field, possibly of a parent: `Name`, `Account.Owner.Name`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) names: Vec<String>,
    /// Byte offset in the query.
    pub(super) offset: usize,
}

impl Path {
    /// Returns the path of another field of the same record.
    pub(super) fn sibling(&self, name: &str) -> Self {
        let mut names = self.names.clone();
        names.pop();
        names.push(name.to_owned());
        Self { names, offset: self.offset }
    }
}

/// An aggregate function of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Aggregate {
    pub(super) const NAMES: [(&'static str, Self); 6] = [
        ("COUNT", Self::Count),
        ("COUNT_DISTINCT", Self::CountDistinct),
        ("SUM", Self::Sum),
        ("AVG", Self::Avg),
        ("MIN", Self::Min),
        ("MAX", Self::Max),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// The time zone in which a date function reads a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    User,
}

/// An expression: a field or a function of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Field(Path),
    /// `CALENDAR_YEAR(CloseDate)`: of a day, or of a time in UTC or in the user's zone (`convertTimezone(...)`).
    Date(DateFunction, Zone, Path),
    /// `DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi')`.
    Distance(Path, Center),
    /// `SUM(Amount)`.
    Aggregate(Aggregate, Path),
    /// `toLabel(StageName)`.
    Label(Path),
    /// `FORMAT(Amount)`.
    Format(Path),
    /// `FORMAT(convertCurrency(Amount))`.
    FormatCurrency(Path),
    /// `FORMAT(MIN(CloseDate))`.
    FormatOf(Aggregate, Path),
    /// `convertCurrency(Amount)`.
    Currency(Path),
    /// `GROUPING(StageName)`: 1 in subtotal rows that leave the field out.
    Grouping(Path),
}

impl Expression {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Field(path)
            | Self::Date(_, _, path)
            | Self::Distance(path, _)
            | Self::Aggregate(_, path)
            | Self::Label(path)
            | Self::Format(path)
            | Self::FormatCurrency(path)
            | Self::FormatOf(_, path)
            | Self::Currency(path)
            | Self::Grouping(path) => path,
        }
    }
}

/// The set of fields that `FIELDS()` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldSet {
    All,
    Standard,
    Custom,
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TypeOf {
    pub(super) relationship: Path,
    pub(super) branches: Vec<(Path, Vec<Path>)>,
    pub(super) otherwise: Vec<Path>,
}

/// One entry of the SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Value {
        expression: Expression,
        alias: Option<String>,
        /// Byte offset of the entry; a function begins before its field.
        offset: usize,
    },
    /// `COUNT()`.
    Count(usize),
    Fields(FieldSet, usize),
    TypeOf(TypeOf),
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
    /// `EUR5000`: an amount in a currency.
    Money(String, f64),
    Text(String),
    Date(Date),
    Instant(Timestamp),
    Days(DateLiteral),
}

/// The operand of IN: a list of literals or a subquery.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum List {
    Literals(Vec<Literal>),
    /// A semi-join, or an anti-join after NOT IN.
    Select(Box<Select>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        left: Expression,
        operator: Operator,
        literal: Literal,
    },
    In {
        left: Expression,
        negated: bool,
        list: List,
    },
    /// INCLUDES or EXCLUDES; each text may combine several values, as `A;B`.
    Includes {
        left: Expression,
        negated: bool,
        values: Vec<String>,
    },
}

impl Condition {
    /// Calls `visit` with the path of every comparison, and with the subquery of a semi-join.
    pub(super) fn comparisons(&self, visit: &mut dyn FnMut(&Path, Option<&Select>)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.comparisons(visit)),
            Self::Not(part) => part.comparisons(visit),
            Self::In { left, list: List::Select(select), .. } => visit(left.path(), Some(select)),
            Self::Compare { left, .. } | Self::In { left, .. } | Self::Includes { left, .. } => {
                visit(left.path(), None)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) expression: Expression,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    Plain,
    Rollup,
    Cube,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Groups {
    pub(super) grouping: Grouping,
    pub(super) by: Vec<Expression>,
}

/// A parent after FROM, with its alias.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Join {
    pub(super) path: Path,
    pub(super) alias: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Select {
    pub(super) items: Vec<Item>,
    pub(super) from: Path,
    pub(super) alias: Option<String>,
    /// Parents with an alias of their own, as in `FROM Contact c, c.Account a`.
    pub(super) joins: Vec<Join>,
    /// `USING SCOPE`, with the position of the scope's name.
    pub(super) scope: Option<Path>,
    pub(super) condition: Option<Condition>,
    pub(super) groups: Option<Groups>,
    pub(super) having: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
}

/// Returns whether an entry of the SELECT list is an aggregate.
pub(crate) fn is_aggregate(item: &Item) -> bool {
    matches!(item, Item::Value { expression: Expression::Aggregate(..) | Expression::FormatOf(..), .. })
}
