//! The plan of a query, as data: what is read, filtered, sorted and returned.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::data::soql::ast::{Aggregate, Grouping};
use crate::data::soql::date_function::DateFunction;
use crate::data::soql::distance::Center;
use crate::data::soql::filter::Filter;
use crate::model::currencies::Exchange;
use crate::model::schema::{Field, FieldKind, Object};

/// The output of a query.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// `COUNT()`: the number of rows only.
    Count,
    Rows(Projection),
    Groups(Box<GroupPlan>),
}

/// A query ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) object: Arc<Object>,
    pub(crate) output: Output,
    pub(super) filter: Option<Filter<Source>>,
    /// `USING SCOPE mine`.
    pub(crate) mine: bool,
    pub(crate) order: Vec<SortKey>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

/// A function of a row's value.
#[derive(Clone, Debug)]
pub(super) enum Function {
    /// Times are read in this zone.
    Date(DateFunction, TimeZone),
    /// The value is an amount; the code of its currency is in the column.
    Convert(Column, Exchange),
    /// The value is a latitude; the longitude is beside it.
    Distance(Column, Center),
}

impl Function {
    /// Returns whether both are the same date function.
    pub(super) fn is_same_date(a: Option<&Self>, b: Option<&Self>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(Self::Date(a, zone)), Some(Self::Date(b, other))) => a == b && zone == other,
            _ => false,
        }
    }
}

/// A value of a row, possibly through a function.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) column: Column,
    pub(super) function: Option<Function>,
}

#[derive(Clone, Debug)]
pub(crate) struct SortKey {
    pub(crate) source: Source,
    /// The lower-case values of a picklist, by whose order it is sorted.
    pub(crate) picklist: Vec<String>,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// A path to a value, starting at a row.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Own(usize),
    /// A field of the row that is computed when it is read.
    Computed {
        object: Arc<Object>,
        at: usize,
    },
    /// A field of the record that the reference at `at` points to.
    Parent {
        at: usize,
        object: Arc<Object>,
        rest: Box<Column>,
    },
    /// A field of a polymorphic parent, whose object is known only from its id; `Type` is the name of that object.
    PolymorphicParent {
        at: usize,
        field: String,
    },
}

impl Column {
    /// Returns the column of an object's own field.
    pub(super) fn own(object: &Arc<Object>, at: usize) -> Self {
        match object.fields.get(at).and_then(|field| field.computed.as_ref()) {
            Some(_) => Self::Computed { object: Arc::clone(object), at },
            None => Self::Own(at),
        }
    }
}

/// A resolved path.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) column: Column,
    /// The path with the names of the schema: `Account.Name`.
    pub(crate) name: String,
    /// The object and the position of the field; `None` for a polymorphic parent.
    pub(crate) home: Option<(Arc<Object>, usize)>,
}

impl Resolved {
    pub(crate) fn field(&self) -> Option<&Field> {
        self.home.as_ref().and_then(|(object, at)| object.fields.get(*at))
    }

    pub(crate) fn kind(&self) -> Option<FieldKind> {
        self.field().map(|field| field.kind)
    }

    /// Returns the last name of the path, which names a grouped field in the result.
    pub(crate) fn last_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// The parts of a row to return, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Projection {
    pub(crate) entries: Vec<Entry>,
}

/// The form in which a field is returned.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Plain,
    /// The label of a picklist's value.
    Label,
    /// Display text; times in this zone.
    Text(TimeZone),
    /// An amount in another currency.
    Converted(Exchange),
    /// An amount in another currency, as display text.
    ConvertedText(Exchange),
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Field {
        name: String,
        at: usize,
        form: Form,
    },
    Parent {
        name: String,
        at: usize,
        object: Arc<Object>,
        projection: Projection,
    },
    /// A polymorphic parent, whose object is known only from its id.
    PolymorphicParent {
        name: String,
        at: usize,
        fields: Vec<String>,
    },
    /// A parent with different fields for each object.
    TypeOf {
        name: String,
        at: usize,
        branches: Vec<(Arc<Object>, Projection)>,
        otherwise: Vec<String>,
    },
    Children {
        name: String,
        at: usize,
        plan: Box<Plan>,
    },
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Field { name, .. }
            | Self::Parent { name, .. }
            | Self::PolymorphicParent { name, .. }
            | Self::TypeOf { name, .. }
            | Self::Children { name, .. } => name,
        }
    }
}

/// A value of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell {
    /// A key, which all rows of the group share.
    Key(usize),
    /// An aggregate over the rows.
    Call(usize),
    /// 1 when a subtotal leaves the key out, otherwise 0.
    Grouping(usize),
}

/// An entry of the SELECT list of a grouped query.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) cell: Cell,
    /// The field as whose value `FORMAT()` shows the cell, with times in that zone.
    pub(crate) format: Option<(Field, TimeZone)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(super) function: Aggregate,
    pub(crate) source: Source,
    pub(crate) whole: bool,
    pub(crate) name: String,
    /// The lower-case values of a picklist, in their order.
    pub(crate) picklist: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sort {
    pub(crate) cell: Cell,
    pub(crate) picklist: Vec<String>,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// The grouping of rows and the values to return for each group.
#[derive(Clone, Debug)]
pub(crate) struct GroupPlan {
    pub(crate) keys: Vec<(Source, Resolved)>,
    pub(crate) calls: Vec<Call>,
    pub(super) grouping: Grouping,
    pub(crate) shown: Vec<Shown>,
    pub(super) having: Option<Filter<Cell>>,
    pub(crate) order: Vec<Sort>,
}
