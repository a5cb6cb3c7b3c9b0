//! Starts binaries many times and computes the medians.

use std::fs::File;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::{Outcome, RuntimeApi, Subject};

/// The number of measurements.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Starts of every binary: at least one.
    pub runs: usize,
    /// Invocations of each process after its first: at least one.
    pub warm: usize,
}

/// The medians of one binary over all runs. Times are in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The function.
    pub name: String,
    /// The binary's size.
    pub size_bytes: u64,
    /// The binary's size after `gzip`, which is close to its size in Lambda.
    pub gzip_bytes: u64,
    /// The time from starting the process to its first request for an event.
    pub init_us: u64,
    /// The time from starting the process to its first response.
    pub cold_us: u64,
    /// The 90th percentile of the same.
    pub cold_p90_us: u64,
    /// The time from sending an event to its response, after the first.
    pub warm_us: u64,
    /// Resident memory after the last response. `None` on systems without `/proc`.
    pub resident_bytes: Option<u64>,
    /// The kind of the function's response: `status` with the number for HTTP, `response`, or `error` with its type.
    pub answer: String,
}

/// The measurements of one process.
struct Run {
    init: Duration,
    cold: Duration,
    warm: Vec<Duration>,
    resident_bytes: Option<u64>,
    answer: String,
}

/// Measures all subjects in alternating runs, so that other work of the machine affects them equally.
///
/// # Errors
///
/// A binary cannot be read or started, or ends without a response. The message has the last lines of its log.
pub async fn measure(subjects: &[Subject], plan: Plan) -> Result<Vec<Summary>> {
    let mut runs: Vec<Vec<Run>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..plan.runs {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            if let (Some(subject), Some(runs)) = (subjects.get(index), runs.get_mut(index)) {
                runs.push(run(subject, plan.warm).await?);
            }
        }
    }
    subjects.iter().zip(runs).map(|(subject, runs)| summarise(subject, &runs)).collect()
}

async fn run(subject: &Subject, warm: usize) -> Result<Run> {
    let environment: Vec<_> = subject.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let function = RuntimeApi::start(&subject.binary, &environment)?;
    let first = function.invoke(&subject.event).await?;
    let answer = kind(subject, &function, &first.outcome)?;
    let mut latencies = Vec::with_capacity(warm);
    for _ in 0..warm {
        let next = function.invoke(&subject.event).await?;
        kind(subject, &function, &next.outcome)?;
        latencies.push(next.latency);
    }
    let resident_bytes = function.resident_bytes();
    let init = function.ready_after().unwrap_or_default();
    function.kill().await;
    Ok(Run { init, cold: first.since_start, warm: latencies, resident_bytes, answer })
}

/// Returns the kind of the function's response.
fn kind(subject: &Subject, function: &RuntimeApi, outcome: &Outcome) -> Result<String> {
    match outcome {
        Outcome::Response(body) => Ok(match body.get("statusCode") {
            Some(status) => format!("status {status}"),
            None => "response".to_owned(),
        }),
        Outcome::Error(body) => {
            let kind = body.get("errorType").and_then(serde_json::Value::as_str).unwrap_or("unknown");
            Ok(format!("error {}", kind.rsplit("::").next().unwrap_or(kind)))
        }
        Outcome::Exited(how) => {
            let lines = function.logs();
            let last = lines.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("\n");
            bail!("{} ended before it responded ({how})\n{last}", subject.name)
        }
        Outcome::TimedOut => bail!("{} did not respond within a minute", subject.name),
    }
}

fn summarise(subject: &Subject, runs: &[Run]) -> Result<Summary> {
    let (size_bytes, gzip_bytes) = sizes(subject)?;
    let cold: Vec<u64> = runs.iter().map(|run| micros(run.cold)).collect();
    Ok(Summary {
        name: subject.name.clone(),
        size_bytes,
        gzip_bytes,
        init_us: quantile(runs.iter().map(|run| micros(run.init)).collect(), 50),
        cold_us: quantile(cold.clone(), 50),
        cold_p90_us: quantile(cold, 90),
        warm_us: quantile(runs.iter().flat_map(|run| run.warm.iter().copied().map(micros)).collect(), 50),
        resident_bytes: runs
            .iter()
            .map(|run| run.resident_bytes)
            .collect::<Option<Vec<_>>>()
            .map(|bytes| quantile(bytes, 50)),
        answer: runs.first().map(|run| run.answer.clone()).unwrap_or_default(),
    })
}

fn sizes(subject: &Subject) -> Result<(u64, u64)> {
    let unreadable = || format!("could not read {}", subject.binary.display());
    let mut file = File::open(&subject.binary).with_context(unreadable)?;
    let mut gzip = GzEncoder::new(Counter(0), Compression::default());
    let size = io::copy(&mut file, &mut gzip).with_context(unreadable)?;
    Ok((size, gzip.finish().with_context(unreadable)?.0))
}

/// Counts the bytes that are written, and discards them.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the smallest value that `percent` of all values do not exceed; zero if there are no values.
fn quantile(mut values: Vec<u64>, percent: usize) -> u64 {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_values_do_not_exceed_the_median() {
        assert_eq!(quantile(vec![30, 10, 20], 50), 20);
        assert_eq!(quantile(vec![40, 10, 30, 20], 50), 20);
        assert_eq!(quantile(vec![7], 50), 7);
        assert_eq!(quantile(Vec::new(), 50), 0);
    }

    #[test]
    fn one_value_in_ten_exceeds_the_90th_percentile() {
        assert_eq!(quantile((1..=10).collect(), 90), 9);
        assert_eq!(quantile(vec![1, 100], 90), 100);
    }
}
