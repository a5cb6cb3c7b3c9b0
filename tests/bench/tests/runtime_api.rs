//! The harness against a real function process.

use std::path::Path;

use bench::{Outcome, Plan, RuntimeApi, Subject, measure};
use serde_json::json;

fn echo() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_echo"))
}

#[tokio::test]
async fn events_are_handled_in_the_order_of_their_arrival() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let (one, two, three) = (json!(1), json!(2), json!(3));
    let results = tokio::try_join!(function.invoke(&one), function.invoke(&two), function.invoke(&three)).unwrap();

    assert_eq!(results.0.outcome, Outcome::Response(json!(1)));
    assert_eq!(results.1.outcome, Outcome::Response(json!(2)));
    assert_eq!(results.2.outcome, Outcome::Response(json!(3)));
    assert!(results.0.since_start <= results.1.since_start && results.1.since_start <= results.2.since_start);
}

#[tokio::test]
async fn a_failed_invocation_leaves_the_process_serving() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let failed = function.invoke(&json!("fail")).await.unwrap();
    let next = function.invoke(&json!("again")).await.unwrap();

    let Outcome::Error(error) = failed.outcome else { panic!("{failed:?}") };
    assert_eq!(error["errorMessage"], "failed on request");
    assert_eq!(next.outcome, Outcome::Response(json!("again")));
}

#[tokio::test]
async fn a_kill_ends_the_current_and_all_waiting_invocations() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();
    function.invoke(&json!("warm")).await.unwrap();

    let (hang, waiting) = (json!("hang"), json!("waiting"));
    let (hung, waiting, ()) = tokio::join!(function.invoke(&hang), function.invoke(&waiting), function.kill());

    assert_eq!(hung.unwrap().outcome, Outcome::Exited("signal: 9 (SIGKILL)".to_owned()));
    assert_eq!(waiting.unwrap().outcome, Outcome::Exited("signal: 9 (SIGKILL)".to_owned()));
    assert_eq!(function.resident_bytes(), None);
}

#[tokio::test]
async fn the_cpu_time_of_a_process_grows_while_it_runs() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();
    function.invoke(&json!("warm")).await.unwrap();
    let before = function.cpu_time().unwrap();

    for _ in 0..100 {
        function.invoke(&json!("again")).await.unwrap();
    }

    let after = function.cpu_time().unwrap();
    assert!(std::time::Duration::ZERO < before && before < after, "{before:?}, then {after:?}");
    function.kill().await;
    assert_eq!(function.cpu_time(), None);
}

#[tokio::test]
async fn the_exit_status_of_a_process_is_reported() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let result = function.invoke(&json!("exit")).await.unwrap();
    let after = function.invoke(&json!("again")).await.unwrap();

    assert_eq!(result.outcome, Outcome::Exited("exit status: 3".to_owned()));
    assert_eq!(after.outcome, Outcome::Exited("exit status: 3".to_owned()));
}

#[tokio::test]
async fn the_process_ends_with_the_harness() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();
    let pid = function.invoke(&json!("pid")).await.map(|_| function.pid()).unwrap().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());

    drop(function);

    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("the process still runs");
}

#[test]
fn a_missing_binary_is_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let failure = runtime.block_on(async { RuntimeApi::start(Path::new("/nowhere/function"), &[]).err().unwrap() });

    assert_eq!(failure.to_string(), "could not start /nowhere/function");
}

#[tokio::test]
async fn a_summary_has_every_measurement() {
    let subject = Subject::new(echo(), &[], None).unwrap();

    let summaries = measure(&[subject], Plan { runs: 2, warm: 3 }).await.unwrap();

    let [summary] = summaries.as_slice() else { panic!("{summaries:?}") };
    assert_eq!((summary.name.as_str(), summary.answer.as_str()), ("echo", "response"));
    assert!(summary.gzip_bytes > 0 && summary.gzip_bytes < summary.size_bytes, "{summary:?}");
    assert!(0 < summary.init_us && summary.init_us <= summary.cold_us, "{summary:?}");
    assert!(summary.cold_us <= summary.cold_p90_us && summary.warm_us > 0, "{summary:?}");
    assert!(summary.resident_bytes.is_some(), "{summary:?}");
}

#[tokio::test]
async fn a_failed_start_is_reported_with_the_last_log_lines() {
    let subject = Subject::new(echo(), &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), "much".into())], None).unwrap();

    let failure = measure(&[subject], Plan { runs: 1, warm: 1 }).await.unwrap_err();

    assert!(failure.to_string().starts_with("echo ended before it responded (exit status: 101)"), "{failure}");
    assert!(failure.to_string().contains("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "{failure}");
}
