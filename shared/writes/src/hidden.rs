//! Objects and fields that do not exist or are hidden from the connection's user. Salesforce does not distinguish the two.

use std::fmt;

use runtime::{Problem, ProblemCode};
use salesforce::{FieldName, ObjectName};

/// An object or fields that the connection's user cannot write, as the describe of the object shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The object.
    Object(ObjectName),
    /// The external-id field.
    Key(ObjectName, FieldName),
    /// The field is visible, but does not identify records.
    NotAKey(ObjectName, FieldName),
    /// Fields of the records, as the request spells them.
    Fields(ObjectName, Vec<String>),
    /// The user may not create records of the object, or may not set these fields of them.
    NotCreateable(ObjectName, Vec<String>),
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => {
                write!(f, "the object {object} does not exist or is hidden from the connection's user")
            }
            Self::Key(object, field) => {
                write!(
                    f,
                    "the external-id field {field} of {object} does not exist or is hidden from the connection's user"
                )
            }
            Self::NotAKey(object, field) => write!(f, "the field {field} of {object} is not an external id"),
            Self::Fields(object, fields) => {
                let fields = fields.join(", ");
                write!(f, "the fields {fields} of {object} do not exist or are hidden from the connection's user")
            }
            Self::NotCreateable(object, fields) if fields.is_empty() => {
                write!(f, "the connection's user may not create {object}")
            }
            Self::NotCreateable(object, fields) => {
                write!(f, "the connection's user may not set the fields {} of {object}", fields.join(", "))
            }
        }
    }
}

impl From<&Hidden> for Problem {
    fn from(hidden: &Hidden) -> Self {
        let code = match hidden {
            Hidden::Object(_) => ProblemCode::ObjectNotVisible,
            Hidden::Key(..) | Hidden::Fields(..) => ProblemCode::FieldNotVisible,
            Hidden::NotCreateable(..) => ProblemCode::SalesforceForbidden,
            Hidden::NotAKey(..) => ProblemCode::InvalidRequest,
        };
        Self::new(code).detail(hidden.to_string())
    }
}
