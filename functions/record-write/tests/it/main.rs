//! The function with a simulated org and the emulator: each requested write is in the org once, and in the ledger.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod acting;
mod budget;
mod checks;
mod created_once;
mod creates;
mod dry_run;
mod duplicates;
mod graphs;
mod harness;
mod lists;
mod order;
mod origins;
mod outages;
mod owners;
mod partial;
mod refusals;
mod replays;
mod retries;
mod rows;
mod single;
mod single_faults;
mod single_profiles;
mod upgrade;
