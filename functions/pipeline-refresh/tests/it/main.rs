//! The function between a simulated org and the emulator: pipelines and mirror end as the org is, whatever happens on the way.

mod failures;
mod pipelines;
mod scans;
mod schedule;
mod world;
