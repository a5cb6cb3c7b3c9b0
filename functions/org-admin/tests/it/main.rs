//! The function with a simulated org and the emulator: the platform changes the settings of an org.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod audits;
mod backfills;
mod harness;
mod operator;
mod settings;
