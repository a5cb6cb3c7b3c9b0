//! Tests of the webhook route with the AWS emulator: exactly the queued messages are acknowledged.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod acknowledged;
mod api_gateway;
mod client_certificate;
mod forged;
mod harness;
mod messages;
mod org_cache;
mod recorded;
mod refused;
