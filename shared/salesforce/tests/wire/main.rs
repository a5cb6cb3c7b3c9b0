//! The client against a server on loopback that answers what it is told: recorded answers, refusals and broken connections.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure fails the test, and a skipped test says why"
)]

mod calls;
mod oauth;
mod recorded;
mod replay;
