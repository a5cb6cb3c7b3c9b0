//! Claims and activations against the emulator.

mod activating;
mod claiming;
mod stage;
