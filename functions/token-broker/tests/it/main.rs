//! The broker against the emulator and a simulated org: real leases, real secrets, real refreshes.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod connecting;
mod counting;
mod crowd;
mod ending;
mod harness;
mod idle;
mod kills;
mod permitting;
mod refreshing;
mod sunset;
mod trouble;
mod upgrading;
