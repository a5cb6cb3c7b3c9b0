//! The function between a simulated org and the emulator: pipelines and mirror end as the org is, whatever happens on the way.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod audit_jobs;
mod audits;
mod backfills;
mod computed;
mod failures;
mod fields;
mod freshness;
mod harness;
mod hostile;
mod limits;
mod overdue;
mod overlaps;
mod pipelines;
mod polls;
mod removals;
mod scan_keys;
mod scans;
mod schedule;
mod settings;
