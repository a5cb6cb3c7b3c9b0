//! The function between a simulated org and the emulator: a note that the platform asks for is in the org once.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../record-read/tests/it/contract.rs"]
mod contract;
mod notes;
mod once;
mod world;
