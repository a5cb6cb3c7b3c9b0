//! The function between a simulated org and the emulator: what the platform asks for is in the org once, and in the ledger.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod harness;
mod origins;
mod outages;
mod owners;
mod refusals;
mod replays;
