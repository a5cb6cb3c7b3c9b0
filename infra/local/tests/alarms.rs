//! The alarms of the production template: everything that can fail has one, and each has a section in `docs/runbook.md`.
//!
//! A new function, queue, stream, schedule or table fails these tests until it has its alarms.

#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

fn template() -> Template {
    Template::load(&Workspace::here().template()).unwrap()
}

/// A metric that an alarm watches, with the resource of its one dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    namespace: String,
    metric: String,
    resource: String,
}

/// Returns the metrics of an alarm: its own, or those of its expression.
fn metrics(alarm: &Value) -> Vec<Watched> {
    let watched = |metric: &Value| Watched {
        namespace: text(&metric["Namespace"]),
        metric: text(&metric["MetricName"]),
        resource: referred(&metric["Dimensions"][0]["Value"]),
    };
    let of_expression = |metrics: &Value| {
        let parts = metrics.as_array().unwrap().iter().map(|part| &part["MetricStat"]["Metric"]);
        parts.filter(|metric| !metric.is_null()).map(watched).collect()
    };
    alarm.get("Metrics").map_or_else(|| vec![watched(alarm)], of_expression)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns the logical id that a value refers to.
fn referred(value: &Value) -> String {
    value["Ref"].as_str().or(value["Fn::GetAtt"][0].as_str()).unwrap_or_default().to_owned()
}

/// Checks that an alarm watches the metric of each resource.
fn assert_watched<'a>(namespace: &str, metric: &str, resources: impl IntoIterator<Item = &'a str>) {
    let template = template();
    let all: Vec<Watched> =
        template.resources("AWS::CloudWatch::Alarm").flat_map(|(_, alarm)| metrics(alarm)).collect();
    let of_metric = all.into_iter().filter(|watched| (&*watched.namespace, &*watched.metric) == (namespace, metric));
    let watched: BTreeSet<String> = of_metric.map(|watched| watched.resource).collect();
    let expected: BTreeSet<String> = resources.into_iter().map(str::to_owned).collect();
    assert!(!expected.is_empty(), "no resource was found: correct the rule");
    assert_eq!(watched, expected, "{namespace} {metric}");
}

#[test]
fn the_errors_and_throttles_of_each_function_have_an_alarm() {
    let template = template();
    let functions: Vec<_> = template.resources("AWS::Serverless::Function").map(|(name, _)| name).collect();

    // An HTTP 5xx is a successful invocation for Lambda: only the closing log line counts it.
    assert_watched("Ferry", "outcome.failed", functions.iter().copied());
    assert_watched("AWS/Lambda", "Errors", functions.iter().copied());
    assert_watched("AWS/Lambda", "Throttles", functions.iter().copied());
}

#[test]
fn the_age_of_each_queue_and_each_dead_letter_have_an_alarm() {
    let template = template();
    let queues: Vec<_> = template.resources("AWS::SQS::Queue").map(|(name, _)| name).collect();
    let (dead, live): (Vec<_>, Vec<_>) = queues.into_iter().partition(|name| name.ends_with("DeadLetters"));

    assert_watched("AWS/SQS", "ApproximateAgeOfOldestMessage", live);
    assert_watched("AWS/SQS", "ApproximateNumberOfMessagesVisible", dead);
}

#[test]
fn each_stream_has_alarms_for_its_lag_and_its_failed_batches() {
    let template = template();
    let mappings: Vec<_> = template
        .resources("AWS::Lambda::EventSourceMapping")
        .filter(|(_, mapping)| mapping["EventSourceArn"]["Fn::GetAtt"][1] == "StreamArn")
        .collect();
    let names = || mappings.iter().map(|(name, _)| *name);
    let functions: BTreeSet<_> = mappings.iter().map(|(_, mapping)| referred(&mapping["FunctionName"])).collect();

    assert_watched("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", names());
    assert_watched("AWS/Lambda", "DroppedEventCount", names());
    assert_watched("AWS/Lambda", "IteratorAge", functions.iter().map(String::as_str));
    assert_watched("AWS/Lambda", "DestinationDeliveryFailures", functions.iter().map(String::as_str));
    for (name, mapping) in &mappings {
        assert_eq!(mapping["MetricsConfig"]["Metrics"][0], "EventCount", "{name}: without it the metrics do not exist");
        // A record that cannot be read is isolated and given up; one that was never tried is stored before it expires.
        assert_eq!(mapping["BisectBatchOnFunctionError"], true, "{name}");
        assert!(mapping["MaximumRetryAttempts"].as_u64().is_some_and(|retries| retries <= 100), "{name}");
        assert!(mapping["MaximumRecordAgeInSeconds"].as_u64().is_some_and(|age| age < 24 * 60 * 60), "{name}");
        let destination = &mapping["DestinationConfig"]["OnFailure"]["Destination"];
        assert_eq!(referred(destination), "FailedEvents", "{name}: a pointer into the stream is lost after a day");
    }
}

/// The counts of the scheduled invocations are in the functions' reports.
#[test]
fn a_schedule_that_does_not_run_raises_an_alarm() {
    let template = template();
    let schedules: Vec<_> = template.resources("AWS::Scheduler::Schedule").collect();
    let counted: BTreeSet<(String, String)> = schedules
        .iter()
        .map(|(_, schedule)| {
            let input: Value = serde_json::from_str(schedule["Target"]["Input"].as_str().unwrap()).unwrap();
            (referred(&schedule["Target"]["Arn"]), format!("schedule.{}", input["kind"].as_str().unwrap()))
        })
        .collect();
    assert_eq!(counted.len(), schedules.len());

    let missed =
        template.resources("AWS::CloudWatch::Alarm").filter(|(_, alarm)| alarm["TreatMissingData"] == "breaching");
    let watched: BTreeSet<_> =
        missed.flat_map(|(_, alarm)| metrics(alarm)).map(|watched| (watched.resource, watched.metric)).collect();
    assert_eq!(watched, counted);
    for metric in ["TargetErrorCount", "InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"] {
        assert_watched("AWS/Scheduler", metric, ["Schedules"]);
    }
    for (name, schedule) in schedules {
        assert_eq!(referred(&schedule["GroupName"]), "Schedules", "{name}: the metrics are those of a group");
    }
}

#[test]
fn each_table_has_an_alarm_for_throttles() {
    let template = template();
    let tables: Vec<_> = template.resources("AWS::DynamoDB::Table").map(|(name, _)| name).collect();

    assert_watched("AWS/DynamoDB", "ReadThrottleEvents", tables.iter().copied());
    assert_watched("AWS/DynamoDB", "WriteThrottleEvents", tables.iter().copied());
}

#[test]
fn the_api_and_its_apps_have_alarms() {
    for metric in ["5xx", "Latency"] {
        assert_watched("AWS/ApiGateway", metric, ["HttpApi"]);
    }
    assert_watched("Ferry", "api.429", ["HttpApi"]);
    assert_watched("Ferry", "apps.refused", ["ConnectionManager", "TokenBroker"]);
    assert_watched("Ferry", "connections.reauth_required", ["RecordEvents"]);
    assert_watched("Ferry", "connections.blocked", ["RecordEvents"]);
    // Each condition with `resolved_by` `operator` is counted by it, `app_refused` too.
    assert_watched("Ferry", "connections.wait_for_operator", ["ConnectionManager", "TokenBroker"]);
    let template = template();
    let (_, filter) = template.resources("AWS::Logs::MetricFilter").next().unwrap();
    let (_, stage) = template.resources("AWS::ApiGatewayV2::Stage").next().unwrap();
    let transformation = &filter["MetricTransformations"][0];
    assert_eq!(
        (&transformation["MetricName"], &transformation["Dimensions"][0]["Key"]),
        (&"api.429".into(), &"api".into())
    );
    assert_eq!(
        (filter["FilterPattern"].as_str(), &transformation["Dimensions"][0]["Value"]),
        (Some(r#"{ $.status = "429" }"#), &"$.api".into())
    );
    let line: Value = serde_json::from_str(stage["AccessLogSettings"]["Format"].as_str().unwrap()).unwrap();
    assert_eq!((&line["status"], &line["api"]), (&"$context.status".into(), &"$context.apiId".into()));
}

/// Lambda drops what it takes for a recursive loop: a task that a function sends to the queue that it reads.
#[test]
fn a_function_that_queues_for_itself_is_no_recursive_loop() {
    let template = template();
    let mut looping = Vec::new();
    for (name, function) in template.resources("AWS::Serverless::Function") {
        let policies = function["Policies"].as_array().unwrap().iter();
        let statements = policies.flat_map(|policy| policy["Statement"].as_array().unwrap());
        let sends = |queue: &str| {
            let to_queue = |statement: &Value| statement["Resource"].to_string().contains(&format!("\"{queue}\""));
            statements.clone().any(|one| one["Action"].to_string().contains("sqs:SendMessage") && to_queue(one))
        };
        let mut mappings = template.resources("AWS::Lambda::EventSourceMapping").map(|(_, mapping)| mapping);
        let loops = mappings
            .any(|mapping| referred(&mapping["FunctionName"]) == name && sends(&referred(&mapping["EventSourceArn"])));
        assert_eq!(function["RecursiveLoop"] == "Allow", loops, "{name}");
        looping.extend(loops.then_some(name));
    }
    assert_watched("AWS/Lambda", "RecursiveInvocationsDropped", looping.iter().copied());
    // Work that is deferred is a new message each time, which the age of the queue does not show. A failed erasure is not
    // deferred: its message stays in the queue.
    assert_watched("Ferry", "deferred.oldest_s", looping.into_iter().filter(|name| *name != "DataErasure"));
}

/// Deferred work is tried again after at most 15 minutes, so that the alarm neither misses it nor ends between two attempts.
#[test]
fn late_work_raises_an_alarm_after_about_an_hour() {
    let template = template();
    let late = |alarm: &Value| metrics(alarm).iter().any(|watched| watched.metric == "deferred.oldest_s");
    let mut alarms = template.resources("AWS::CloudWatch::Alarm").filter(|(_, alarm)| late(alarm)).peekable();
    assert!(alarms.peek().is_some());
    for (name, alarm) in alarms {
        let settings = ["Statistic", "ComparisonOperator", "TreatMissingData"].map(|setting| alarm[setting].as_str());
        assert_eq!(settings, [Some("Maximum"), Some("GreaterThanThreshold"), Some("notBreaching")], "{name}");
        assert_eq!((alarm["Threshold"].as_u64(), alarm["EvaluationPeriods"].as_u64()), (Some(3600), Some(1)), "{name}");
        assert!(alarm["Period"].as_u64().is_some_and(|period| (1800..=3600).contains(&period)), "{name}");
    }
}

/// The work is deferred after such a fault, so that no error of a function shows it.
#[test]
fn faults_of_the_deployment_raise_an_alarm() {
    let template = template();
    let functions: Vec<_> = template.resources("AWS::Serverless::Function").collect();
    let invokes = |function: &Value| {
        let statements = function["Policies"].as_array().into_iter().flatten();
        let statements = statements.flat_map(|policy| policy["Statement"].as_array().into_iter().flatten());
        statements.into_iter().any(|statement| statement["Action"].to_string().contains("lambda:InvokeFunction"))
    };
    let callers = functions.iter().filter(|(_, function)| invokes(function)).map(|(name, _)| *name);

    assert_watched("Ferry", "deployment.faults", callers);
    assert_watched("Ferry", "writes.failed", ["RecordWrite", "NoteWrite", "FileWrite"]);
    // A write of records is finished if Salesforce refused all of them; a note has failed.
    assert_watched("Ferry", "writes.refused", ["RecordWrite"]);
}

/// A count of zero is no metric, so the expression needs a number that is missing only if all is well: that of the late changes.
#[test]
fn missed_freshness_raises_an_alarm() {
    for metric in ["objective.changes", "objective.late", "objective.required_permille"] {
        assert_watched("Ferry", metric, ["PipelineRefresh", "RecordUpsert"]);
    }
    let template = template();
    let (_, alarm) =
        template.resources("AWS::CloudWatch::Alarm").find(|(name, _)| *name == "MissedFreshnessAlarm").unwrap();
    assert_eq!(
        (alarm["ComparisonOperator"].as_str(), &alarm["Metrics"][0]["Expression"], alarm["Threshold"].as_u64()),
        (Some("LessThanThreshold"), &"IF(changes >= 20, 1000 * (changes - late) / required, 1)".into(), Some(1))
    );
    assert_eq!(alarm["TreatMissingData"], "notBreaching");
}

/// It is a new message each time it is tried again, so that the age of no queue shows it.
#[test]
fn work_that_waits_for_a_person_raises_an_alarm() {
    assert_watched("Ferry", "messages.blocked", ["RecordUpsert"]);
    assert_watched("Ferry", "writes.blocked", ["RecordWrite", "NoteWrite", "FileWrite"]);
}

/// A renamed count must not blind its alarm.
#[test]
fn the_code_counts_what_the_alarms_watch() {
    let root = Workspace::here().root().to_owned();
    let files = ["functions", "shared"].map(|folder| root.join(folder));
    let code: String = files.iter().flat_map(|folder| sources(folder)).collect();
    let counted = |metric: &str| {
        let by_outcome = metric == "outcome.failed" && code.contains("format!(\"outcome.{outcome}\")");
        // API Gateway's access log has it, and a metric filter counts it.
        by_outcome || metric == "api.429" || code.contains(&format!("\"{metric}\""))
    };
    let template = template();
    let watched = template.resources("AWS::CloudWatch::Alarm").flat_map(|(_, alarm)| metrics(alarm));
    let ours: BTreeSet<String> =
        watched.filter(|watched| watched.namespace == "Ferry").map(|watched| watched.metric).collect();
    assert!(ours.contains("deferred.oldest_s"));
    let missing: Vec<_> = ours.iter().filter(|metric| !counted(metric)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Returns the code of the crates of a folder, without that of their tests' files.
fn sources(folder: &Path) -> Vec<String> {
    let crates = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let mut folders: Vec<PathBuf> = crates.filter(|folder| folder.is_dir()).collect();
    let mut code = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(path).unwrap();
                code.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
            }
        }
    }
    code
}

#[test]
fn each_alarm_notifies_the_topic() {
    for (name, alarm) in template().resources("AWS::CloudWatch::Alarm") {
        let action = &alarm["AlarmActions"]["Fn::If"];
        assert_eq!((&action[0], &action[1][0]["Ref"]), (&"HasAlarmTopic".into(), &"AlarmTopicArn".into()), "{name}");
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
    }
}

/// An alarm is named in a heading of the runbook, or in the first column of a table.
#[test]
fn each_alarm_has_a_place_in_the_runbook() {
    let runbook = std::fs::read_to_string(Workspace::here().root().join("docs/runbook.md")).unwrap();
    let is_place = |line: &&str| line.starts_with('#') || line.starts_with("| `");
    let mut named: Vec<&str> = Vec::new();
    for line in runbook.lines().filter(is_place) {
        let place = if line.starts_with('#') { line } else { line.split('|').nth(1).unwrap_or_default() };
        named.extend(place.split('`').filter(|name| name.ends_with("Alarm")));
    }
    named.sort_unstable();
    let template = template();
    let mut alarms: Vec<_> = template.resources("AWS::CloudWatch::Alarm").map(|(name, _)| name).collect();
    alarms.sort_unstable();
    assert_eq!(named, alarms);
}
