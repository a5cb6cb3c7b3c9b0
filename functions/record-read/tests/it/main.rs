//! The function with a simulated org and the emulator: the platform reads the mirror, a rep reads the org.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod callers;
mod feed;
mod finding;
mod forms;
mod freshness;
mod harness;
mod lists;
mod org_settings;
mod orgs;
mod persons;
mod record_views;
mod records;
mod refresh;
mod users;
mod world;
