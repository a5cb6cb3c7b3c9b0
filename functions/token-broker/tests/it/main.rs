//! The broker against the AWS emulator and a simulated org: real leases, real secrets, real refreshes.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed setup panics")]

mod conditions;
mod connecting;
mod crowd;
mod disconnecting;
mod failures;
mod grants;
mod harness;
mod keep_alive;
mod kills;
mod least_privilege;
mod permissions;
mod refreshing;
mod sessions;
mod sunset;
mod upgrading;
