//! The function between a simulated org and the emulator: a note that the platform asks for is in the org once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod harness;
mod notes;
mod once;
