//! The function between a simulated org and the emulator: the mirror for the platform, the org itself for a rep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod harness;
mod orgs;
mod records;
