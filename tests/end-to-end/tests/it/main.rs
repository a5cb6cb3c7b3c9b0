//! Stories over the deployed stack.

#![expect(clippy::unwrap_used, reason = "a story ends where something is not as it should be")]

mod change_events;
mod chaos;
mod connections;
mod forgery;
mod kills;
mod life;
mod polls;
