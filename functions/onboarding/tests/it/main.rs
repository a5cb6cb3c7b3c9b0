//! Claims, activations and licences against the emulator and simulated orgs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod activating;
mod claiming;
mod editions;
mod harness;
mod licences;
mod messages;
