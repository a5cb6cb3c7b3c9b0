//! Runs function binaries without an emulator: to measure them, and to kill them in tests.
//!
//! [`RuntimeApi`] is the Lambda Runtime API for one process: it starts the binary, sends it events one after the other, and kills
//! it on request. An invocation costs less than a millisecond here, and 60 to 100 in the emulator of the local stack, which would
//! hide start-up time and latency. It does not freeze the process between invocations, limit its memory or CPU, run extensions,
//! or stream responses.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let function = bench::RuntimeApi::start("target/debug/record-events".as_ref(), &[("LOG_LEVEL", "info")])?;
//! let result = function.invoke(&serde_json::json!({ "Records": [] })).await?;
//! println!("{:?} after {:?}", result.outcome, result.latency);
//! function.kill().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Proxy`] forwards a function's requests to another service: it counts them, and can hold one while the function is killed.
//! [`Crowd`] lets many callers call several token brokers at once.
//!
//! The program `start-up` prints size, start-up time, latency and memory of function binaries, or compares two builds;
//! `refresh-crowd` prints how long callers wait after their access token expired; `hints-to-mirror` prints how fast
//! `record-upsert` brings changed records into the mirror ([`Upserts`]); `record-views` prints how long `record-read` takes for a
//! view over a Salesforce that takes its time ([`Views`]); `record-writes` prints the calls of a write of 200 records ([`Writes`]);
//! `bulk-contacts` prints the speed and the memory of the client with which a Bulk job is read.

mod crowd;
mod measure;
mod proxy;
mod report;
mod runtime_api;
mod subject;
mod upserts;
mod views;
mod writes;

pub use crowd::{Crowd, Outcomes};
pub use measure::{Plan, Summary, measure};
pub use proxy::{Hold, Proxy, Side};
pub use report::{comparison, table};
pub use runtime_api::{InvocationResult, Outcome, RuntimeApi, cpu_time, peak_bytes};
pub use subject::{Subject, executables};
pub use upserts::{Upsert, Upserts};
pub use views::{ReadView, Views};
pub use writes::{Writes, Written};
