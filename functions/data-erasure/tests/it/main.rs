//! The function with the emulator: the platform erases an org or a person, and the queue carries it out.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod harness;
mod orgs;
mod persons;
mod schedule;
