//! The function's route on the emulator: what is acknowledged is in the queue, and nothing else is acknowledged.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod acknowledged;
mod api_gateway;
mod client_certificate;
mod forged;
mod harness;
mod known_orgs;
mod messages;
mod recorded;
mod refused;
