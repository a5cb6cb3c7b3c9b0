//! Claims, activations and licenses with the AWS emulator and simulated orgs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod activating;
mod claiming;
mod editions;
mod harness;
mod licenses;
mod messages;
