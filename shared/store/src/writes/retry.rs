//! The mark of a write that is made again, so that no two writes make the same one again.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::{Retried, Write, Writes, row_key};
use crate::ids::WriteId;
use crate::table::{Conditional, Update, to_item};
use crate::{Error, time};

/// The time after the mark within which the write is stored that makes the marked one again: longer than a function runs.
const STORED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

impl Writes {
    /// Marks a write that has ended as made again by another one, which the caller begins afterwards. A mark of the same write
    /// is left as it is, and one of a write that was abandoned, or never stored, is replaced.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another write makes it again.
    pub async fn mark_retried(&self, write: &Write, by: WriteId, now: Timestamp) -> Result<(), Error> {
        let operation = "mark the write as made again";
        let known = match write.retried {
            Some(known) if known.by == by => return Ok(()),
            Some(known) if self.may_exist(write, known, now).await? => return Err(Error::Conflict { operation }),
            known => known,
        };
        let mark = |retried: Retried| to_item(operation, retried).map(AttributeValue::M);
        let retried = Retried { by, at: time::to_millis(now) };
        let unchanged = match known {
            None => ("attribute_exists(#retry_request) AND attribute_not_exists(#retried)", Vec::new()),
            Some(known) => ("attribute_exists(#retry_request) AND #retried = :known", vec![(":known", mark(known)?)]),
        };
        let update = Update {
            set: vec![("retried", mark(retried)?)],
            when: unchanged.0,
            values: unchanged.1,
            ..Update::default()
        };
        match self.table.update(operation, row_key(write.org_id, write.write_id), update).await? {
            Conditional::Done(_) => Ok(()),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    async fn may_exist(&self, write: &Write, known: Retried, now: Timestamp) -> Result<bool, Error> {
        let is_recent = now.duration_since(known.at) < STORED_WITHIN;
        Ok(is_recent || self.load(write.org_id, known.by).await?.is_some())
    }
}
