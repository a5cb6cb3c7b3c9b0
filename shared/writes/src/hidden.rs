//! Objects and external-id fields that do not exist or are hidden from the connection's user. Salesforce does not distinguish the two.

use std::fmt;

use runtime::{Problem, ProblemCode};
use salesforce::{FieldName, ObjectName};

/// An object or an external-id field that the connection's user cannot use, as the describe of the object shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The object.
    Object(ObjectName),
    /// The external-id field.
    Key(ObjectName, FieldName),
    /// The field is visible, but does not identify records.
    NotAKey(ObjectName, FieldName),
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
        }
    }
}

impl From<&Hidden> for Problem {
    fn from(hidden: &Hidden) -> Self {
        let code = match hidden {
            Hidden::Object(_) => ProblemCode::ObjectNotVisible,
            Hidden::Key(..) => ProblemCode::FieldNotVisible,
            Hidden::NotAKey(..) => ProblemCode::InvalidRequest,
        };
        Self::new(code).detail(hidden.to_string())
    }
}
