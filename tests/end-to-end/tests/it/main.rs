//! Stories over the deployed stack.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a story ends where something is not as it should be")]

mod connections;
mod forgery;
mod kills;
mod life;
