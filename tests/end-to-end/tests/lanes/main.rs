//! What the platform hears of a change, whichever lane told of it and whoever made it, with the real functions in one process:
//! `record-write`, `outbound-message`'s and `change-event`'s hints, `record-upsert` and `record-events` on an emulated account,
//! and a simulated org.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod echoes;
mod harness;
mod one_meaning;
