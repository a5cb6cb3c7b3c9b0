//! The harness against a real function process.

use std::path::Path;

use bench::{Outcome, Plan, RuntimeApi, Subject, measure};
use serde_json::json;

fn echo() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_echo"))
}

#[tokio::test]
async fn events_are_answered_in_the_order_they_came() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let (one, two, three) = (json!(1), json!(2), json!(3));
    let answers = tokio::try_join!(function.invoke(&one), function.invoke(&two), function.invoke(&three)).unwrap();

    assert_eq!(answers.0.outcome, Outcome::Response(json!(1)));
    assert_eq!(answers.1.outcome, Outcome::Response(json!(2)));
    assert_eq!(answers.2.outcome, Outcome::Response(json!(3)));
    assert!(answers.0.since_start <= answers.1.since_start && answers.1.since_start <= answers.2.since_start);
}

#[tokio::test]
async fn a_failed_invocation_leaves_the_process_serving() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let failed = function.invoke(&json!("fail")).await.unwrap();
    let next = function.invoke(&json!("again")).await.unwrap();

    let Outcome::Error(error) = failed.outcome else { panic!("{failed:?}") };
    assert_eq!(error["errorMessage"], "told to fail");
    assert_eq!(next.outcome, Outcome::Response(json!("again")));
}

#[tokio::test]
async fn a_kill_ends_the_invocation_under_way_and_all_that_wait() {
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
async fn a_process_that_ends_by_itself_says_how() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();

    let answer = function.invoke(&json!("exit")).await.unwrap();
    let after = function.invoke(&json!("anyone there?")).await.unwrap();

    assert_eq!(answer.outcome, Outcome::Exited("exit status: 3".to_owned()));
    assert_eq!(after.outcome, Outcome::Exited("exit status: 3".to_owned()));
}

#[tokio::test]
async fn the_process_dies_with_the_harness() {
    let function = RuntimeApi::start(echo(), &[]).unwrap();
    let pid = function.invoke(&json!("pid")).await.map(|_| function.pid()).unwrap().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());

    drop(function);

    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("the process is still there");
}

#[test]
fn a_missing_binary_is_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let failure = runtime.block_on(async { RuntimeApi::start(Path::new("/nowhere/function"), &[]).err().unwrap() });

    assert_eq!(failure.to_string(), "cannot start /nowhere/function");
}

#[tokio::test]
async fn every_measurement_of_a_function_is_taken() {
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
async fn a_function_that_cannot_start_is_reported_with_its_last_words() {
    let subject = Subject::new(echo(), &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), "much".into())], None).unwrap();

    let failure = measure(&[subject], Plan { runs: 1, warm: 1 }).await.unwrap_err();

    assert!(failure.to_string().starts_with("echo ended before it answered (exit status: 101)"), "{failure}");
    assert!(failure.to_string().contains("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "{failure}");
}
