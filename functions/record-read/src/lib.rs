//! Shows the platform what Ferry knows of an org, and what the org itself shows a rep.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: the `GET` routes below `/v1/orgs`, but those of notes and writes |
//! | input | an org, a record or a filter; perhaps the acting user (`?as=`) |
//! | output | JSON |
//! | failures | an RFC 9457 problem |
//!
//! With an acting user a record is read live through that rep's connection and shows what Salesforce lets the rep see;
//! without one it comes from the mirror, which is for the platform's own processes (invariant 18).
//! Object metadata is always read live, as the rep or as the team.

mod changes;
mod config;
mod connections;
mod error;
#[cfg(test)]
mod error_texts;
mod filter;
mod health;
mod http;
mod live;
mod mirror;
mod views;

pub use changes::PollInterval;
pub use config::{Config, Deps};
pub use error::Error;
pub use http::router;
