//! The function between a simulated org and the emulator: what is hinted at ends up in the mirror and in the ledger.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod failures;
mod kills;
mod readings;
mod world;
