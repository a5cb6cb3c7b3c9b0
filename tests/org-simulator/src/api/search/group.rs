//! The search groups: the sets of fields that a search covers.

use crate::model::schema::{Field, FieldKind};

/// The set of fields that a search covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    All,
    Name,
    Email,
    Phone,
}

impl Group {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "ALL" | "SIDEBAR" => Some(Self::All),
            "NAME" => Some(Self::Name),
            "EMAIL" => Some(Self::Email),
            "PHONE" => Some(Self::Phone),
            _ => None,
        }
    }

    pub(crate) fn has(self, field: &Field) -> bool {
        match self {
            Self::Name => field.name_field || matches!(field.name.as_str(), "FirstName" | "LastName"),
            Self::Email => field.kind == FieldKind::Email,
            Self::Phone => field.kind == FieldKind::Phone,
            Self::All => matches!(
                field.kind,
                FieldKind::String | FieldKind::TextArea | FieldKind::Email | FieldKind::Phone | FieldKind::Url
            ),
        }
    }
}
