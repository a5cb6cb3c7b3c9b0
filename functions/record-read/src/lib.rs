//! Returns an org's state and records to the platform: from Ferry's tables, or live as a rep.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: the `GET` routes below `/v1/orgs`, except those of notes and writes |
//! | input | an org, a record or a filter; optionally the acting user (`?as=`) |
//! | output | JSON |
//! | failures | an RFC 9457 problem |
//!
//! With an acting user a record is read live through that rep's connection and has the fields that the rep may see. Without
//! one it comes from the mirror, which is for the platform's own processes (invariant 18 of
//! `ARCHITECTURE.md`).
//! Object metadata is always read live, as the rep or as the team. `health.rs` builds the health response.

mod changes;
mod config;
mod connections;
mod error;
#[cfg(test)]
mod error_texts;
mod failing;
mod feed;
mod forms;
mod freshness;
mod health;
mod http;
mod lists;
mod live;
mod lookup;
mod matches;
mod metadata;
mod mirror;
mod pipelines;
mod record_view;
mod refresh;
mod search;
mod summary;
mod users;
mod views;

pub use changes::PollInterval;
pub use config::{Config, Deps, ServeDisconnected};
pub use error::Error;
pub use http::router;
