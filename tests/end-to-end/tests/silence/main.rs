//! Each deployed function with each of its dependencies silent: the dependency accepts the connection and never answers.
//!
//! The function responds before its timeout, and what it was given is still there: the event source delivers it again, the
//! caller is told to repeat it, or it waits in a queue. The binaries run as deployed, against the stack, with the address of one
//! service replaced, and with a short timeout.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod cases;
mod dependency;
mod events;

use std::collections::BTreeSet;
use std::time::Duration;

use bench::Outcome;
use end_to_end::{Binary, Connected, eventually, stop_poller};
use futures::{StreamExt as _, stream};
use local::stack;
use org_simulator::{Effect, Fault};
use salesforce::Clock;
use store::Orgs;

use cases::{Case, Kept, Stage};
use dependency::{Dependency, Silent};
use events::Events;

/// The number of functions that run at the same time. They mostly wait.
const AT_ONCE: usize = 6;

#[test]
fn every_dependency_of_every_function_has_a_case() {
    let covered: BTreeSet<_> = cases::ALL.iter().map(|case| (case.function.to_owned(), case.silent)).collect();
    assert_eq!(covered, dependency::of_template());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_dependency_neither_kills_a_function_nor_loses_work() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    for function in [
        "record-write",
        "note-write",
        "file-write",
        "data-erasure",
        "event-delivery",
        "record-upsert",
        "pipeline-refresh",
    ] {
        stop_poller(&org.stack, function).await.unwrap();
    }
    let functions: BTreeSet<&str> = cases::ALL.iter().map(|case| case.function).collect();
    let functions: Vec<&str> = functions.into_iter().collect();
    let binaries = Binary::of_all(&org.stack, &functions).await.unwrap();
    let events = Events::prepare(&org).await;
    let mut wrong = Vec::new();
    for stage in Stage::ALL {
        enter(&org, &events, stage).await;
        let cases = cases::ALL.iter().filter(|case| case.stage == stage);
        let runs = stream::iter(cases)
            .map(|case| fault_of(&org, &binaries[case.function], &events, case))
            .buffer_unordered(AT_ONCE);
        wrong.extend(runs.filter_map(async |wrong| wrong).collect::<Vec<String>>().await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn enter(org: &Connected, events: &Events, stage: Stage) {
    let dynamodb = aws_sdk_dynamodb::Client::new(org.stack.sdk_config());
    match stage {
        Stage::Active => {}
        Stage::OrgSilent => org.stack.simulator().fault(Fault {
            path_prefix: "/services".to_owned(),
            method: None,
            times: u32::MAX,
            effect: Effect::Delay { delay_ms: 120_000 },
        }),
        Stage::Closed => {
            org.stack.simulator().clear_faults();
            let orgs = Orgs::new(dynamodb, org.stack.output("OrgsTable").unwrap());
            orgs.close(events.org.parse().unwrap(), Clock::system().now()).await.unwrap();
        }
        Stage::Erasing => {
            let table = org.stack.output("ErasuresTable").unwrap();
            for erasure in [events.erasure(), events.erasure_of_files()] {
                let item = serde_dynamo::to_item(erasure).unwrap();
                dynamodb.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
            }
        }
    }
}

/// Runs a case. Returns what is wrong with its outcome.
async fn fault_of(org: &Connected, binary: &Binary, events: &Events, case: &Case) -> Option<String> {
    let silent = Silent::start();
    let mut binary = binary.clone();
    if let Some(variable) = case.silent.endpoint_variable() {
        binary = binary.with(variable, &silent.url());
    }
    if let Some(variable) = case.down.and_then(Dependency::endpoint_variable) {
        binary = binary.with(variable, "http://127.0.0.1:9");
    }
    let calls_before = org.stack.simulator().faults().iter().map(|fault| fault.used).sum::<u64>();
    let function = binary.start().unwrap();
    eventually("the function is ready", async || Ok(function.ready_after().is_some())).await.unwrap();
    let result = function.invoke_within(&(case.event)(events), Duration::from_secs(case.timeout)).await.unwrap();
    let calls = org.stack.simulator().faults().iter().map(|fault| fault.used).sum::<u64>() - calls_before;
    let name = format!("{} without {:?}", case.function, case.silent);
    if !silent.was_called() && calls == 0 {
        return Some(format!("{name}: it was not called: {:?} {:#?}", result.outcome, function.logs()));
    }
    let is_closed = async || Ok(function.logs().iter().any(|line| line.contains("invocation ended")));
    if let Err(error) = eventually("the closing line", is_closed).await {
        return Some(format!("{name}: {error}: {:?}", result.outcome));
    }
    (!kept(&result.outcome).contains(&case.kept)).then(|| {
        let Case { kept, .. } = case;
        format!("{name}: expected {kept:?}, not {:?} after {:?} {:#?}", result.outcome, result.latency, function.logs())
    })
}

/// Returns what an outcome may mean.
fn kept(outcome: &Outcome) -> &'static [Kept] {
    let Outcome::Response(response) = outcome else {
        let Outcome::Error(error) = outcome else { return &[] };
        return if error["errorType"] == "Transient" { &[Kept::ByEventSource, Kept::ByCallingFunction] } else { &[] };
    };
    match response["statusCode"].as_u64() {
        Some(503) if response["headers"]["retry-after"].is_string() => return &[Kept::ByCaller],
        Some(202) => return &[Kept::InQueue],
        // The disconnection of several connections reports each.
        Some(200) if response["body"].as_str().is_some_and(|body| body.contains(r#""repeat":true"#)) => {
            return &[Kept::Reported];
        }
        Some(_) => return &[],
        None => {}
    }
    match response["batchItemFailures"].as_array().map(Vec::len) {
        Some(0) => &[Kept::QueuedAnew, Kept::Reported],
        Some(_) => &[Kept::ByEventSource],
        None if response["answer"] == "refused"
            && matches!(response["retry"]["kind"].as_str(), Some("after" | "unknown")) =>
        {
            &[Kept::ByCallingFunction]
        }
        None => &[Kept::Reported],
    }
}
