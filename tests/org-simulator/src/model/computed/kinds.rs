//! Checks a formula when its field is defined: that its fields exist, and that the kinds of its parts fit.

use super::formula::{Expression, Formula, Function, Operator};
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::value::Value;

/// Parents in a path (Salesforce Help, "Cross-object formulas").
const MAX_LEVELS: usize = 10;
/// The longest text that a formula returns.
const MAX_TEXT: usize = 1_300;

/// The kind of a part of a formula; `None` is blank and fits every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Date,
    DateTime,
    Number,
    Picklist,
    Text,
}

impl Kind {
    fn of(field: &Field) -> Option<Self> {
        Some(match field.kind {
            FieldKind::Boolean => Self::Bool,
            FieldKind::Date => Self::Date,
            FieldKind::DateTime => Self::DateTime,
            FieldKind::Picklist => Self::Picklist,
            FieldKind::Id
            | FieldKind::String
            | FieldKind::Email
            | FieldKind::Phone
            | FieldKind::Url
            | FieldKind::Reference => Self::Text,
            FieldKind::TextArea if field.query_flags().filterable => Self::Text,
            kind if kind.is_number() => Self::Number,
            _ => return None,
        })
    }
}

type Found = Result<Option<Kind>, String>;

/// Checks a formula of the object, whose field is to return values of the type of `field`.
pub(crate) fn check_formula(org: &Org, object: &Object, field: &Field, formula: &Formula) -> Result<(), String> {
    let wanted = Kind::of(field).filter(|kind| *kind != Kind::Picklist);
    let wanted = wanted.ok_or_else(|| format!("a formula cannot return the type {}", field.kind.name()))?;
    let found = Check { org, object }.value(&formula.tree)?;
    match found {
        Some(kind) if kind != wanted => {
            Err(format!("the formula returns {kind:?}, which does not fit a field of type {}", field.kind.name()))
        }
        _ => Ok(()),
    }
}

/// Converts the result of a formula to the type of its field.
pub(super) fn stored_as(field: &Field, value: Value) -> Value {
    match (field.kind, value) {
        (FieldKind::Boolean, value) => Value::Bool(value == Value::Bool(true)),
        (FieldKind::Int | FieldKind::Double | FieldKind::Currency | FieldKind::Percent, value) => {
            let scale = 10_f64.powi(i32::try_from(field.scale).unwrap_or_default());
            value.as_number().map_or(Value::Null, |number| Value::Double((number * scale).round() / scale))
        }
        (FieldKind::String, Value::Id(id)) => Value::text(id.as_str()),
        (FieldKind::String, Value::Text(text)) => Value::text(text.chars().take(MAX_TEXT).collect::<String>()),
        (_, value) => value,
    }
}

struct Check<'a> {
    org: &'a Org,
    object: &'a Object,
}

impl Check<'_> {
    /// Returns the kind of a part; a picklist is refused outside the functions that accept one.
    fn value(&self, tree: &Expression) -> Found {
        match (self.any(tree)?, tree) {
            (Some(Kind::Picklist), Expression::Field(path)) => Err(format!(
                "Field {} is a picklist field. Picklist fields are only supported in certain functions.",
                path.join(".")
            )),
            (kind, _) => Ok(kind),
        }
    }

    fn any(&self, tree: &Expression) -> Found {
        match tree {
            Expression::Null => Ok(None),
            Expression::Number(_) => Ok(Some(Kind::Number)),
            Expression::Text(_) => Ok(Some(Kind::Text)),
            Expression::Bool(_) => Ok(Some(Kind::Bool)),
            Expression::Field(path) => self.field(path).map(Some),
            Expression::Negative(inner) => self.expect(inner, Kind::Number),
            Expression::Binary(operator, a, b) => self.binary(*operator, a, b),
            Expression::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    fn expect(&self, tree: &Expression, wanted: Kind) -> Found {
        let found = self.value(tree)?;
        if found.is_none_or(|kind| kind == wanted) {
            return Ok(Some(wanted));
        }
        let found = found.map_or_else(String::new, |kind| format!("{kind:?}"));
        Err(format!("Incorrect parameter type. Expected {wanted:?}, received {found}"))
    }

    /// Returns the common kind of two parts.
    fn same(&self, a: Option<Kind>, b: Option<Kind>) -> Found {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Err(format!("Incorrect parameter type. Expected {a:?}, received {b:?}")),
            (a, b) => Ok(a.or(b)),
        }
    }

    fn binary(&self, operator: Operator, a: &Expression, b: &Expression) -> Found {
        match operator {
            Operator::And | Operator::Or => {
                self.expect(a, Kind::Bool)?;
                self.expect(b, Kind::Bool)
            }
            Operator::Multiply | Operator::Divide => {
                self.expect(a, Kind::Number)?;
                self.expect(b, Kind::Number)
            }
            Operator::Join => {
                self.expect(a, Kind::Text)?;
                self.expect(b, Kind::Text)
            }
            Operator::Add => match (self.value(a)?, self.value(b)?) {
                (Some(Kind::Date), Some(Kind::Number)) | (Some(Kind::Number), Some(Kind::Date)) => Ok(Some(Kind::Date)),
                (Some(kind @ (Kind::Number | Kind::Text)), other) if other.is_none_or(|other| other == kind) => {
                    Ok(Some(kind))
                }
                (a, b) => Err(format!("the simulator does not add {a:?} and {b:?}")),
            },
            Operator::Subtract => match (self.value(a)?, self.value(b)?) {
                (Some(Kind::Date), Some(Kind::Number)) => Ok(Some(Kind::Date)),
                (Some(Kind::Date), Some(Kind::Date)) | (Some(Kind::Number), Some(Kind::Number)) => {
                    Ok(Some(Kind::Number))
                }
                (a, b) => Err(format!("the simulator does not subtract {b:?} from {a:?}")),
            },
            _ => self.same(self.value(a)?, self.value(b)?).map(|_| Some(Kind::Bool)),
        }
    }

    fn call(&self, function: Function, arguments: &[Expression]) -> Found {
        match (function, arguments) {
            (Function::And | Function::Or | Function::Not, all) => {
                all.iter().try_for_each(|part| self.expect(part, Kind::Bool).map(drop))?;
                Ok(Some(Kind::Bool))
            }
            (Function::If, [condition, then, otherwise]) => {
                self.expect(condition, Kind::Bool)?;
                self.same(self.value(then)?, self.value(otherwise)?)
            }
            (Function::IsBlank, [part]) => self.any(part).map(|_| Some(Kind::Bool)),
            (Function::BlankValue, [part, otherwise]) => self.same(self.value(part)?, self.value(otherwise)?),
            (Function::IsPickVal, [part, wanted]) => {
                self.expect(wanted, Kind::Text)?;
                match self.any(part)? {
                    Some(Kind::Picklist) => Ok(Some(Kind::Bool)),
                    other => Err(format!("Incorrect parameter type. Expected Picklist, received {other:?}")),
                }
            }
            (Function::Case, [subject, cases @ .., otherwise]) => {
                let subject = self.any(subject)?.map(|kind| if kind == Kind::Picklist { Kind::Text } else { kind });
                let mut result = self.value(otherwise)?;
                for pair in cases.chunks_exact(2) {
                    self.same(subject, self.value(&pair[0])?)?;
                    result = self.same(result, self.value(&pair[1])?)?;
                }
                Ok(result)
            }
            (Function::Text, [part]) => self.any(part).map(|_| Some(Kind::Text)),
            (Function::Today, _) => Ok(Some(Kind::Date)),
            _ => Err("incorrect number of parameters".to_owned()),
        }
    }

    fn field(&self, path: &[String]) -> Result<Kind, String> {
        let unknown = || format!("Field {} does not exist. Check spelling.", path.join("."));
        let Some((last, parents)) = path.split_last() else { return Err(unknown()) };
        if parents.len() > MAX_LEVELS {
            return Err(format!("a formula follows at most {MAX_LEVELS} relationships"));
        }
        let mut object = self.object;
        for name in parents {
            let reference = object.relationship(name).and_then(|at| object.fields.get(at)).filter(|f| !f.absent);
            let reference = reference.ok_or_else(unknown)?;
            let target = (!reference.is_polymorphic()).then(|| reference.reference_to.first()).flatten();
            let target = target.and_then(|name| self.org.schema.object(name));
            object = target.ok_or_else(|| format!("the simulator does not follow {name} in formulas"))?;
        }
        let field = object.field(last).ok_or_else(unknown)?;
        Kind::of(field)
            .ok_or_else(|| format!("You referenced an unsupported field type called \"{}\".", field.kind.name()))
    }
}
