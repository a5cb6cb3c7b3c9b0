//! The ledger and the queue that every write to Salesforce goes through. `record-write`, `note-write` and `file-write` each
//! provide a [`WriteOperation`].
//!
//! A write is stored in the ledger before Salesforce is called, and its outcome afterwards. The response is always built from
//! the ledger, so that a repeated request gets the same response. A write that cannot be carried out now waits in the
//! function's queue, and one that follows an unfinished write of the same record waits for that.

mod attempt;
mod config;
mod counts;
pub mod creation;
mod defect;
mod dry_run;
mod error;
#[cfg(test)]
mod error_texts;
mod hidden;
mod ledger;
mod note_error;
mod operation;
mod order;
mod response;
mod retry;
#[cfg(test)]
mod samples;
mod settle;
mod title;

pub use config::{Config, Deps};
pub use defect::unknown_members;
pub use dry_run::{Plan, Planned, PlannedOperation, dry_run};
pub use error::Error;
pub use hidden::Hidden;
pub use ledger::{accept, handle, list, load, require_active};
pub use note_error::NoteError;
pub use operation::{Attempted, WriteOperation, WriteRequest};
pub use response::{LedgerView, ListedWrite, response};
pub use retry::{NotRetryable, retry};
pub use runtime::{Defect, DefectCode};
pub use title::title;
