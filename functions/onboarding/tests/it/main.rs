//! Claims and activations against the emulator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod activating;
mod claiming;
mod stage;
