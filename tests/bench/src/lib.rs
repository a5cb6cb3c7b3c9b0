//! Runs function binaries without an emulator in between: to measure them, and to kill them in tests.
//!
//! [`RuntimeApi`] plays the Lambda Runtime API for one process: it starts the binary, feeds it events one after
//! the other, and kills it when told to. An invocation costs well under a millisecond here, where the emulator of
//! the local stack takes 60 to 100, so start-up and latency can be seen at all. What it does not do: freeze the
//! process between invocations, limit its memory or processor, run extensions, or stream answers.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let function = bench::RuntimeApi::start("target/debug/record-events".as_ref(), &[("LOG_LEVEL", "info")])?;
//! let answer = function.invoke(&serde_json::json!({ "Records": [] })).await?;
//! println!("{:?} after {:?}", answer.outcome, answer.latency);
//! function.kill().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Proxy`] stands between a function and what it calls: it counts the requests, and holds one while the function is killed.
//! [`Crowd`] lets many callers ask several token brokers at once.
//!
//! The program `start-up` prints size, start-up time, latency and memory of function binaries, or compares two builds;
//! `refresh-crowd` prints how long callers wait whose access token expired at once; `hints-to-mirror` prints how fast
//! `record-upsert` brings changed records into the mirror ([`Upserts`]).

mod crowd;
mod measure;
mod proxy;
mod report;
mod runtime_api;
mod subject;
mod upserts;

pub use crowd::{Crowd, Outcomes};
pub use measure::{Plan, Summary, measure};
pub use proxy::{Hold, Proxy, Side};
pub use report::{comparison, table};
pub use runtime_api::{Answer, Outcome, RuntimeApi};
pub use subject::{Subject, executables};
pub use upserts::{Upsert, Upserts};
