//! The syntax tree of a formula.

use serde::{Deserialize, Serialize};

use super::{Computed, MAX_DEPTH, parse};
use crate::model::org::Org;
use crate::model::schema::Object;

/// A formula: its text, and the tree that is evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Formula {
    pub(crate) text: String,
    pub(super) tree: Expression,
    /// Fields with numbers that are blank count as zero (`formulaTreatBlanksAs`).
    #[serde(default)]
    pub(crate) blanks_as_zero: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Bool(bool),
    Null,
    /// A field of the record or of a parent: `Amount`, `Account.Owner.Email`.
    Field(Vec<String>),
    Call(Function, Vec<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Join,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Function {
    And,
    BlankValue,
    Case,
    If,
    IsBlank,
    IsPickVal,
    Not,
    Or,
    Text,
    Today,
}

impl Function {
    /// The name of each function, with the least and the greatest number of its arguments.
    pub(super) const ALL: [(&'static str, Self, usize, usize); 10] = [
        ("AND", Self::And, 1, usize::MAX),
        ("BLANKVALUE", Self::BlankValue, 2, 2),
        ("CASE", Self::Case, 4, usize::MAX),
        ("IF", Self::If, 3, 3),
        ("ISBLANK", Self::IsBlank, 1, 1),
        ("ISPICKVAL", Self::IsPickVal, 2, 2),
        ("NOT", Self::Not, 1, 1),
        ("OR", Self::Or, 1, usize::MAX),
        ("TEXT", Self::Text, 1, 1),
        ("TODAY", Self::Today, 0, 0),
    ];
}

impl Expression {
    /// Calls `visit` with every part of the tree.
    fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        match self {
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| argument.walk(visit)),
            Self::Binary(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::Negative(inner) => inner.walk(visit),
            Self::Number(_) | Self::Text(_) | Self::Bool(_) | Self::Null | Self::Field(_) => {}
        }
    }
}

impl Formula {
    /// Parses a formula; the error says what is wrong or not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), tree: parse::parse(text)?, blanks_as_zero: false })
    }

    /// Sets whether blank numbers count as zero.
    pub(crate) fn treating_blanks(self, blanks_as_zero: bool) -> Self {
        Self { blanks_as_zero, ..self }
    }

    /// Returns a formula that shows a field of a parent.
    pub(crate) fn parent(path: &str) -> Self {
        let names = path.split('.').map(str::to_owned).collect();
        Self { text: path.to_owned(), tree: Expression::Field(names), blanks_as_zero: false }
    }

    pub(super) fn is_deterministic(&self, object: &Object, depth: usize) -> bool {
        let of_field = |name: &str| match object.field(name).and_then(|field| field.computed.as_deref()) {
            None => true,
            Some(Computed::Formula(inner)) => depth < MAX_DEPTH && inner.is_deterministic(object, depth + 1),
            Some(Computed::Rollup(_)) => false,
        };
        let mut deterministic = true;
        self.tree.walk(&mut |part| {
            deterministic &= match part {
                Expression::Field(path) => matches!(path.as_slice(), [name] if of_field(name)),
                Expression::Call(function, _) => *function != Function::Today,
                _ => true,
            };
        });
        deterministic
    }

    /// Returns whether the formula reads that field, or passes through it to a parent.
    pub(super) fn uses(&self, org: &Org, own: &Object, object: &str, field: &str) -> bool {
        let mut used = false;
        self.tree.walk(&mut |part| {
            if let Expression::Field(path) = part {
                used |= org.schema.passes(own, path, object, field);
            }
        });
        used
    }
}
