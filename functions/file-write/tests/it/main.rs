//! The function with a simulated org and the emulator: each requested file is in the org once, with all its links.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod files;
mod harness;
mod once;
mod uploads;
