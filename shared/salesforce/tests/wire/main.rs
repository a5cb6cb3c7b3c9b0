//! The client against a loopback server with prepared responses: recordings, refusals and broken connections.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure fails the test")]

mod calls;
mod deadlines;
mod id_tokens;
mod oauth;
mod recorded;
mod replay;
