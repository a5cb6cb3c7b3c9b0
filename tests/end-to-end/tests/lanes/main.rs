//! The events of a change, from every source of hints and for every author, with the real functions in one process: `record-write`,
//! the hints of `outbound-message` and `change-event`, `record-upsert` and `record-events`, on an emulated account and a
//! simulated org.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod digits;
mod echoes;
mod harness;
mod one_meaning;
mod single;
mod write_ends;
