//! The function with a simulated org and the emulator: each requested note is in the org once.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod faults;
mod harness;
mod links;
mod lists;
mod notes;
mod once;
mod upgrade;
