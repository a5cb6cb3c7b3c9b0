//! The user who makes a request.

use crate::model::ids::RecordId;
use crate::model::write_options::WriteOptions;

/// Who makes a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(crate) user: RecordId,
    pub(crate) profile: RecordId,
    /// Sees and changes every record.
    pub(crate) is_admin: bool,
    /// What the request asks of its writes.
    pub(crate) write: WriteOptions,
}
