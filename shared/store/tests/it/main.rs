//! Tests of the store against the emulator, with concurrent writers.
//!
//! `STORE_TEST_EMULATOR=moto` runs them on a second emulator (docs/local-stack.md).
//!
//! Not covered: the emulators never throttle (`throttles` has a scripted server). ministack's Secrets Manager accepts a
//! version twice with different content where AWS and moto reject the second one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod audits;
mod authorizations;
mod client_keys;
mod connections;
mod cursors;
mod freshness;
#[cfg(test)]
mod harness;
mod leases;
mod ledgers;
mod messages;
mod orgs;
mod partial_batches;
mod record_indexes;
mod records;
mod retention;
mod secrets;
mod throttles;
mod upgrade;
mod upgrade_from_november;
mod write_order;
mod writes;
