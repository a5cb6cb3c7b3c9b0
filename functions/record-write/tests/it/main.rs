//! The function between a simulated org and the emulator: what the platform asks for is in the org once, and in the ledger.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod harness;
mod origins;
mod outages;
mod owners;
mod refusals;
mod replays;
