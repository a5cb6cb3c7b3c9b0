//! The time of the last change of the schema.

use jiff::Timestamp;

/// When the schema last changed, as far as describe has told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SchemaChange {
    pub(crate) revision: u64,
    pub(crate) at: Option<Timestamp>,
}
