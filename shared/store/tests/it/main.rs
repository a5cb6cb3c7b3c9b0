//! The store against the emulator, with writers that get in each other's way.
//!
//! Not covered here: the emulator's Secrets Manager takes a version twice with different content where AWS refuses the second
//! one, so that [`store::TokenVault`]'s conflict is only tested as far as the version's name, and throttling does not happen.

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
mod secrets;
mod writes;
