//! The handle of a simulator for tests and other programs, saved states, and the command line.

pub mod cli;
pub(crate) mod simulator;
pub(crate) mod state;
