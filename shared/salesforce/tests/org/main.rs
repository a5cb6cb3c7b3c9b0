//! The client against the org simulator.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure fails the test")]

mod bulk;
mod bulk_ingest;
mod faults;
mod grants;
mod graphs;
mod notes;
mod org;
mod partner;
mod records;
