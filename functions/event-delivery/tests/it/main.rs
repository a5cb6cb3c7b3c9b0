//! The function with the emulator, and with a server of the platform that verifies what it gets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod delivering;
mod endpoints;
mod failing;
mod harness;
mod kills;
mod verification;
