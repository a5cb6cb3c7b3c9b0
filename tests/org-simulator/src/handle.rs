//! How a process owns a simulator: the handle, saved states and the command line.

pub mod cli;
pub(crate) mod simulator;
pub(crate) mod state;
