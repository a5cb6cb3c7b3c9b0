//! The function between a simulated org and the emulator: what is hinted at ends up in the mirror and in the ledger.

mod failures;
mod kills;
mod readings;
mod world;
