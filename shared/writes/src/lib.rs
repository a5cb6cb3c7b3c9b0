//! What `record-write` and `note-write` have in common: a write goes through the ledger, and what cannot be done now
//! waits in a queue. A function brings a [`Work`]; everything else is here.
//!
//! The ledger comes first, then Salesforce, then the ledger again. What the platform is answered is always what the ledger
//! holds, so that a replay says the same.

mod answer;
mod config;
mod defect;
mod error;
mod ledger;

pub use answer::{LedgerView, to_writer};
pub use config::{Config, Deps};
pub use defect::Defect;
pub use error::Error;
pub use ledger::{Asked, Work, accept, handle, load, require_active};
