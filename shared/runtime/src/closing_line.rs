//! The closing log line: exactly one for each invocation, and the only one that alarms and dashboards read.
//!
//! The line is in CloudWatch's embedded metric format, so that CloudWatch makes metrics of it. Those are in the namespace
//! `Ferry`, with the deployed function's name as the one dimension: `outcome.ok`, `outcome.partial`, `outcome.refused` or
//! `outcome.failed`, `duration_ms`, and the counts that are not zero. A name with the suffix `_s` is an age in seconds. Each
//! name is a metric of its own on the bill. A metric of which the percentiles count has its numbers as an array.
//!
//! The format needs its members at the top of the JSON, so the line does not pass through `tracing`, and `LOG_LEVEL` does not
//! suppress it.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use jiff::Timestamp;
use salesforce::Clock;
use serde_json::{Map, Value, json};

use crate::{Outcome, faults};

/// The deployed function's name; set once, by [`crate::start`].
pub(crate) static FUNCTION: OnceLock<String> = OnceLock::new();

/// The namespace of the metrics.
const NAMESPACE: &str = "Ferry";
/// The name of the dimension.
const DIMENSION: &str = "function";

/// A running invocation, with its start time.
pub(crate) struct Invocation {
    clock: Clock,
    started: Timestamp,
}

impl Invocation {
    pub(crate) fn begin(clock: &Clock) -> Self {
        Self { clock: clock.clone(), started: clock.now() }
    }

    pub(crate) fn end(&self, outcome: Outcome, counts: Vec<(&'static str, u64)>) -> ClosingLine {
        let ended_at = self.clock.now();
        let duration_ms = u64::try_from(ended_at.duration_since(self.started).as_millis()).unwrap_or_default();
        ClosingLine { outcome, duration_ms, counts, ended_at, http_status: None, samples: Vec::new() }
    }
}

/// The closing line of an invocation that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosingLine {
    pub(crate) outcome: Outcome,
    pub(crate) duration_ms: u64,
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) ended_at: Timestamp,
    /// The status of the response to an HTTP request. It is logged, and no metric: the sum of statuses means nothing.
    pub(crate) http_status: Option<u64>,
    /// The numbers of metrics that are percentiles. Of more than [`MAX_SAMPLES`], so many stand for all.
    pub(crate) samples: Vec<(&'static str, Vec<u64>)>,
}

impl ClosingLine {
    /// Adds the faults of the deployment, if there were any.
    pub(crate) fn with_faults(mut self, faults: u64) -> Self {
        self.counts.extend((faults > 0).then_some((faults::NAME, faults)));
        self
    }

    /// Writes the line to standard output, which Lambda sends to CloudWatch Logs.
    pub(crate) fn write(&self) {
        let function = FUNCTION.get().map(String::as_str).unwrap_or_default();
        // One write for the whole line, so that no other line gets in between. A line that cannot be written must not fail
        // the invocation.
        let _ = io::stdout().lock().write_all(format!("{}\n", self.to_json(function)).as_bytes());
    }

    /// Returns the line in the embedded metric format.
    pub(crate) fn to_json(&self, function: &str) -> Value {
        let outcome = self.outcome.as_str();
        let counted = self.counts.iter().filter(|(_, count)| *count > 0).map(|(name, _)| metric(name, unit(name)));
        let sampled = self.samples.iter().map(|(name, _)| metric(name, unit(name)));
        let metrics: Vec<Value> =
            [metric(&format!("outcome.{outcome}"), "Count"), metric("duration_ms", "Milliseconds")]
                .into_iter()
                .chain(counted)
                .chain(sampled)
                .collect();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics });
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), json!(self.ended_at));
        line.insert("level".to_owned(), json!("INFO"));
        line.insert("message".to_owned(), json!(format!("invocation ended: {outcome}")));
        line.insert(DIMENSION.to_owned(), json!(function));
        line.insert("outcome".to_owned(), json!(outcome));
        line.insert(format!("outcome.{outcome}"), json!(1));
        line.insert("duration_ms".to_owned(), json!(self.duration_ms));
        line.extend(self.http_status.map(|status| ("http.status".to_owned(), json!(status))));
        line.extend(self.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))));
        line.extend(self.samples.iter().map(|(name, numbers)| ((*name).to_owned(), json!(representative(numbers)))));
        let timestamp = self.ended_at.as_millisecond();
        line.insert("_aws".to_owned(), json!({ "Timestamp": timestamp, "CloudWatchMetrics": [directive] }));
        Value::Object(line)
    }
}

/// The numbers that a metric can have in one line (Amazon CloudWatch User Guide, "Specification: Embedded metric format").
const MAX_SAMPLES: usize = 100;

/// Returns all numbers if a line can hold them, or else as many, from the smallest to the greatest at even distances.
fn representative(numbers: &[u64]) -> Vec<u64> {
    if numbers.len() <= MAX_SAMPLES {
        return numbers.to_vec();
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let last = sorted.len() - 1;
    (0..MAX_SAMPLES).filter_map(|n| sorted.get(n * last / (MAX_SAMPLES - 1)).copied()).collect()
}

fn unit(name: &str) -> &'static str {
    if name.ends_with("_s") { "Seconds" } else { "Count" }
}

fn metric(name: &str, unit: &str) -> Value {
    json!({ "Name": name, "Unit": unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of the specification of the embedded metric format (Amazon CloudWatch User Guide), as a JSON schema.
    fn schema() -> Value {
        let name = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        let metric = json!({
            "type": "object", "required": ["Name"], "additionalProperties": false,
            "properties": { "Name": name, "Unit": { "enum": ["Count", "Milliseconds", "Seconds"] } },
        });
        let directive = json!({
            "type": "object", "required": ["Namespace", "Dimensions", "Metrics"], "additionalProperties": false,
            "properties": {
                "Namespace": name,
                "Dimensions": { "type": "array", "minItems": 1, "items": { "type": "array", "maxItems": 9, "items": name } },
                "Metrics": { "type": "array", "maxItems": 100, "items": metric },
            },
        });
        json!({
            "type": "object", "required": ["_aws"],
            "properties": { "_aws": {
                "type": "object", "required": ["Timestamp", "CloudWatchMetrics"],
                "properties": {
                    "Timestamp": { "type": "integer" },
                    "CloudWatchMetrics": { "type": "array", "minItems": 1, "items": directive },
                },
            } },
        })
    }

    fn line(outcome: Outcome, counts: Vec<(&'static str, u64)>) -> Value {
        let ended_at = "2026-11-22T10:15:30.250Z".parse().unwrap();
        ClosingLine { outcome, duration_ms: 120, counts, ended_at, http_status: None, samples: Vec::new() }
            .to_json("ferry-record-upsert")
    }

    /// Returns the names of the metrics, after checking that each names a number at the top of the line.
    fn metrics(line: &Value) -> Vec<&str> {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert!(line[directive["Dimensions"][0][0].as_str().unwrap()].is_string(), "{line}");
        let names: Vec<_> =
            directive["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert!(names.iter().all(|name| line[*name].is_u64()), "{line}");
        names
    }

    #[test]
    fn the_line_is_in_the_embedded_metric_format() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for outcome in [Outcome::Ok, Outcome::Partial, Outcome::Refused, Outcome::Failed] {
            let line = line(outcome, vec![("records.applied", 3), ("tasks", 1)]);

            let errors: Vec<_> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
            let own = format!("outcome.{}", outcome.as_str());
            assert_eq!(metrics(&line), [own.as_str(), "duration_ms", "records.applied", "tasks"]);
            assert_eq!(line["_aws"]["Timestamp"], 1_795_342_530_250_i64);
        }
    }

    #[test]
    fn an_age_is_in_seconds() {
        let line = line(Outcome::Ok, vec![("deferred.oldest_s", 3_700), ("writes.done", 1)]);

        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        let units: Vec<_> = metrics.iter().map(|metric| metric["Unit"].as_str().unwrap()).collect();
        assert_eq!(units, ["Count", "Milliseconds", "Seconds", "Count"]);
    }

    #[test]
    fn many_samples_are_represented_by_a_hundred() {
        let line = ClosingLine {
            outcome: Outcome::Ok,
            duration_ms: 120,
            counts: Vec::new(),
            ended_at: "2026-11-22T10:15:30.250Z".parse().unwrap(),
            http_status: None,
            samples: vec![("freshness.webhook_s", (0..1_000).rev().collect()), ("freshness.write_s", vec![3, 1])],
        };
        let line = line.to_json("ferry-record-upsert");

        let numbers: Vec<u64> = serde_json::from_value(line["freshness.webhook_s"].clone()).unwrap();
        assert_eq!((numbers.len(), numbers[0], numbers[50], numbers[99]), (MAX_SAMPLES, 0, 504, 999));
        assert_eq!(line["freshness.write_s"], json!([3, 1]));
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert_eq!(metrics[2], json!({ "Name": "freshness.webhook_s", "Unit": "Seconds" }));
    }

    #[test]
    fn the_line_is_one_line_of_the_log() {
        let text = line(Outcome::Ok, Vec::new()).to_string();

        assert!(!text.contains('\n') && text.len() < 1_024, "{} bytes", text.len());
    }

    #[test]
    fn a_count_of_zero_is_logged_and_makes_no_metric() {
        let line = line(Outcome::Ok, vec![("messages.failed", 0)]);

        assert_eq!((metrics(&line), &line["messages.failed"]), (vec!["outcome.ok", "duration_ms"], &json!(0)));
    }
}
