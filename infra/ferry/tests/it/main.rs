//! `ferry`, run as a process against an emulated stack.

#![expect(clippy::unwrap_used, reason = "a test that cannot run its command fails")]

mod backfills;
mod dead_letters;
mod erasing;
mod ledger;
mod operations;
mod outbound_message;
mod replay_events;
mod settings;
mod stack;
