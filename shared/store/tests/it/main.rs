//! Tests of the store against the emulator, with concurrent writers.
//!
//! Not covered: the emulator never throttles (`throttles` has a scripted server), and its Secrets Manager accepts a version twice with
//! different content where AWS rejects the second one. The conflict of [`store::TokenVault`] is therefore tested only
//! up to the name of the version.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod authorizations;
mod connections;
mod cursors;
#[cfg(test)]
mod harness;
mod leases;
mod ledgers;
mod messages;
mod orgs;
mod partial_batches;
mod records;
mod retention;
mod secrets;
mod throttles;
mod upgrade;
mod writes;
