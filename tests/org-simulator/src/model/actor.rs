//! The user who makes a request.

use crate::model::ids::RecordId;
use crate::model::write_options::WriteOptions;

/// The user who makes a request, with the profile and the write options of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(crate) user: RecordId,
    pub(crate) profile: RecordId,
    /// The user may see and change every record.
    pub(crate) is_admin: bool,
    /// The options that the request's headers set for its writes.
    pub(crate) write: WriteOptions,
}
