//! Tests of the function with a simulated org and the AWS emulator.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed test panics")]

mod batches;
mod budget;
mod failures;
mod freshness;
mod harness;
mod kills;
mod orgs;
mod readings;
mod settings;
