//! The time of the last change of the schema.

use jiff::Timestamp;

/// The time of the last change of the schema that a describe request has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SchemaChange {
    pub(crate) revision: u64,
    pub(crate) at: Option<Timestamp>,
}
