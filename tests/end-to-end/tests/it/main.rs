//! Scenarios over the deployed stack.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod change_events;
mod chaos;
mod connections;
mod files;
mod forgery;
mod kills;
mod least_privilege;
mod life;
mod polls;
mod promise;
mod replays;
mod webhooks;
mod write_chaos;
