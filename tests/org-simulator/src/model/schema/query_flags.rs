//! The uses that a query may make of a field. Describe shows these flags, and the query engine obeys them.

use serde::{Deserialize, Serialize};

use super::{Field, FieldKind};

/// Text areas longer than this are stored outside the record, and a query can only select them.
const MAX_PLAIN_TEXT: usize = 255;

/// The uses of a field in a query besides selecting it, as describe names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are describe's own flags, one for one")]
pub(crate) struct QueryFlags {
    /// Usable in aggregate functions, as far as the function supports the type.
    pub(crate) aggregatable: bool,
    /// Usable in WHERE; compound fields within `DISTANCE()` only.
    pub(crate) filterable: bool,
    /// Usable in GROUP BY.
    pub(crate) groupable: bool,
    /// Usable in ORDER BY.
    pub(crate) sortable: bool,
}

impl QueryFlags {
    const NONE: Self = Self { aggregatable: false, filterable: false, groupable: false, sortable: false };
    const ALL: Self = Self { aggregatable: true, filterable: true, groupable: true, sortable: true };
    const NOT_GROUPABLE: Self = Self { groupable: false, ..Self::ALL };
    const SORTABLE: Self = Self { sortable: true, ..Self::NONE };
    const FILTERABLE: Self = Self { filterable: true, ..Self::NONE };

    /// Returns the flags with these names, as `filterable,sortable`; `None` for an unknown name.
    pub(super) fn named(names: &str) -> Option<Self> {
        names.split(',').try_fold(Self::NONE, |flags, name| match name {
            "aggregatable" => Some(Self { aggregatable: true, ..flags }),
            "filterable" => Some(Self { filterable: true, ..flags }),
            "groupable" => Some(Self { groupable: true, ..flags }),
            "sortable" => Some(Self { sortable: true, ..flags }),
            _ => None,
        })
    }
}

impl Field {
    /// Returns the flags of the field: its own exceptions, or those of its type as recorded describes show them.
    pub(crate) fn query_flags(&self) -> QueryFlags {
        if let Some(exceptions) = self.query_flags {
            return exceptions;
        }
        match self.kind {
            FieldKind::Base64 => QueryFlags::NONE,
            FieldKind::TextArea if self.length > MAX_PLAIN_TEXT => QueryFlags::NONE,
            FieldKind::MultiPicklist | FieldKind::Address | FieldKind::Location => QueryFlags::FILTERABLE,
            FieldKind::AnyType => QueryFlags::SORTABLE,
            FieldKind::Boolean => QueryFlags { aggregatable: false, ..QueryFlags::ALL },
            FieldKind::Double | FieldKind::Currency | FieldKind::Percent | FieldKind::DateTime => {
                QueryFlags::NOT_GROUPABLE
            }
            // Formulas are grouped only when they return a check box or a date, and auto-numbers never.
            FieldKind::Date => QueryFlags::ALL,
            _ if self.calculated || self.auto_number.is_some() => QueryFlags::NOT_GROUPABLE,
            _ => QueryFlags::ALL,
        }
    }

    /// Returns whether the parent may be a record of several objects, so that its fields are those of `Name`.
    pub(crate) fn is_polymorphic(&self) -> bool {
        self.kind == FieldKind::Reference && self.reference_to.len() != 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &Field) -> String {
        let flags = field.query_flags();
        let names = [(flags.aggregatable, 'a'), (flags.filterable, 'f'), (flags.groupable, 'g'), (flags.sortable, 's')];
        names.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect()
    }

    #[test]
    fn the_flags_follow_from_type_length_and_formula() {
        for (kind, expected) in [
            (FieldKind::String, "afgs"),
            (FieldKind::Int, "afgs"),
            (FieldKind::Date, "afgs"),
            (FieldKind::DateTime, "afs"),
            (FieldKind::Double, "afs"),
            (FieldKind::Boolean, "fgs"),
            (FieldKind::MultiPicklist, "f"),
            (FieldKind::Address, "f"),
            (FieldKind::TextArea, ""),
            (FieldKind::Base64, ""),
            (FieldKind::AnyType, "s"),
        ] {
            assert_eq!(shown(&Field::new("F", kind)), expected, "{kind:?}");
        }
        assert_eq!(shown(&Field { length: 255, ..Field::new("F", FieldKind::TextArea) }), "afgs");
        assert_eq!(shown(&Field { calculated: true, ..Field::new("F", FieldKind::String) }), "afs");
        assert_eq!(shown(&Field { calculated: true, ..Field::new("F", FieldKind::Date) }), "afgs");
        let number = Field { auto_number: Some("{0}".to_owned()), ..Field::new("F", FieldKind::String) };
        assert_eq!(shown(&number), "afs");
    }

    #[test]
    fn exceptions_are_named() {
        let flags = QueryFlags::named("groupable,sortable").unwrap();
        let field = Field { query_flags: Some(flags), ..Field::new("F", FieldKind::String) };
        assert_eq!(shown(&field), "gs");
        assert_eq!(QueryFlags::named("groupable,shiny"), None);
    }
}
