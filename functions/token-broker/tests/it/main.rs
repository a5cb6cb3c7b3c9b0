//! The broker against the emulator and a simulated org: real leases, real secrets, real refreshes.

mod connecting;
mod ending;
mod refreshing;
mod stage;
