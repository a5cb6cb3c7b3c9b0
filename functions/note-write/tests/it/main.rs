//! The function between a simulated org and the emulator: a note that the platform asks for is in the org once.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod harness;
mod notes;
mod once;
