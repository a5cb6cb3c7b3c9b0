//! The function's route on the emulator: what is acknowledged is in the queue, and nothing else is acknowledged.

mod acknowledged;
mod api_gateway;
mod messages;
mod recorded;
mod refused;
mod world;
