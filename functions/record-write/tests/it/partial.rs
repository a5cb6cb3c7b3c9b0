//! Writes of which some records are to be tried again, in the ledger.

use std::sync::Mutex;
use std::time::Duration;

use harness::{TestContext, run};
use jiff::SignedDuration;
use salesforce::{Client, ObjectName, Retry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::owner_policy::{OwnerPolicy, Route};
use store::{Org, Write, WriteKind, WriteState};
use writes::{Attempted, Deps, Error, WriteOperation, WriteRequest};

/// An operation whose attempts return the results of the test's list, and remember the outcome so far that they found.
#[derive(Default, Serialize, Deserialize)]
struct Scripted {
    /// The values of the request's records.
    content: String,
}

struct ScriptedDeps {
    ledger: Deps,
    results: Mutex<Vec<Result<Attempted, Error>>>,
    found: Mutex<Vec<Option<Value>>>,
}

impl AsRef<Deps> for ScriptedDeps {
    fn as_ref(&self) -> &Deps {
        &self.ledger
    }
}

impl WriteOperation for Scripted {
    type Deps = ScriptedDeps;

    fn kind(&self) -> WriteKind {
        WriteKind::Records
    }

    fn object(&self) -> Option<&ObjectName> {
        None
    }

    async fn execute(&self, deps: &ScriptedDeps, _: &Client, _: &Route, write: &Write) -> Result<Attempted, Error> {
        deps.found.lock().unwrap().push(write.response.clone());
        deps.results.lock().unwrap().remove(0)
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

/// The outcome with the first record decided; the second one is locked until `second` is.
fn outcome(second: bool) -> Value {
    json!({ "records": [{ "success": true }, { "success": second, "retryable": true }] })
}

fn partial(retry: Retry) -> Attempted {
    Attempted::Partial { outcome: outcome(false), retry }
}

struct Test {
    context: TestContext,
    org: Org,
    deps: ScriptedDeps,
}

impl Test {
    async fn new(results: Vec<Result<Attempted, Error>>) -> Self {
        let context = TestContext::connected().await;
        let org = context.orgs.load(context.org).await.unwrap().unwrap();
        let ledger = context.writes("RecordWriteQueue", OwnerPolicy::RepThenTeam);
        let deps = ScriptedDeps { ledger, results: Mutex::new(results), found: Mutex::default() };
        Self { context, org, deps }
    }

    async fn accept(&self) -> Write {
        self.accept_operation(Scripted::default()).await
    }

    async fn accept_operation(&self, operation: Scripted) -> Write {
        let request = WriteRequest { platform_user: None, only_as_user: false, operation };
        writes::accept(&self.deps, &self.org, "k".parse().unwrap(), request).await.unwrap()
    }

    async fn resume(&self, write: &Write) -> Write {
        self.context.pass(SignedDuration::from_mins(15));
        let event = self.context.write_event(&json!(write.write_id)).await;
        let report = writes::handle::<Scripted>(&self.deps, event).await.unwrap();
        assert!(report.failed.is_empty(), "{report:?}");
        self.deps.ledger.writes.load(write.org_id, write.write_id).await.unwrap().unwrap()
    }
}

const LOCKED: Retry = Retry::After(Duration::from_secs(1));

#[test]
fn the_next_attempt_finds_the_outcome_so_far() {
    run(async {
        let test = Test::new(vec![Ok(partial(LOCKED)), Ok(Attempted::Completed(outcome(true)))]).await;

        let queued = test.accept().await;
        assert_eq!((queued.state, &queued.response), (WriteState::Queued, &Some(outcome(false))));
        let finished = test.resume(&queued).await;

        assert_eq!((finished.state, finished.response), (WriteState::Finished, Some(outcome(true))));
        assert_eq!(*test.deps.found.lock().unwrap(), [None, Some(outcome(false))]);
    });
}

#[test]
fn records_that_stay_undecided_end_as_failed_ones() {
    run(async {
        let results = (0..1_000).map(|_| Ok(partial(LOCKED))).collect();
        let test = Test::new(results).await;
        let mut write = test.accept().await;
        let accepted_at = test.context.clock.now();

        while write.state == WriteState::Queued {
            write = test.resume(&write).await;
        }

        let took = test.context.clock.now().duration_since(accepted_at);
        assert!(took >= SignedDuration::from_hours(72) && took < SignedDuration::from_hours(74), "{took:?}");
        assert_eq!((write.state, write.response), (WriteState::Finished, Some(outcome(false))));
    });
}

#[test]
fn a_later_failure_keeps_what_was_decided() {
    run(async {
        let test = Test::new(vec![Ok(partial(LOCKED)), Err(Error::NotFound("record"))]).await;
        let queued = test.accept().await;

        let ended = test.resume(&queued).await;

        assert_eq!((ended.state, ended.response), (WriteState::Finished, Some(outcome(false))));
    });
}

#[test]
fn a_failed_attempt_keeps_the_outcome_so_far() {
    run(async {
        let unavailable = salesforce::Error::NoSession { reason: "test".to_owned(), retry: LOCKED };
        let done = Ok(Attempted::Completed(outcome(true)));
        let test = Test::new(vec![Ok(partial(LOCKED)), Err(unavailable.into()), done]).await;
        let queued = test.accept().await;

        let deferred = test.resume(&queued).await;
        assert_eq!((deferred.state, &deferred.response), (WriteState::Queued, &Some(outcome(false))));
        let finished = test.resume(&deferred).await;

        assert_eq!((finished.state, finished.deferrals.count), (WriteState::Finished, 2));
        assert_eq!(test.deps.found.lock().unwrap()[2], Some(outcome(false)));
    });
}

#[test]
fn a_write_whose_outcome_is_too_large_ends() {
    run(async {
        let outcome = json!({ "records": ["x".repeat(400 * 1024)] });
        let test = Test::new(vec![Ok(Attempted::Completed(outcome))]).await;

        let ended = test.accept().await;

        assert_eq!(ended.state, WriteState::Failed);
        let problem = &ended.response.unwrap()["problem"];
        assert!(problem["type"].is_string());
        assert!(problem["next"].as_str().unwrap().contains("The write was sent"), "{problem}");
    });
}

#[test]
fn a_write_that_does_not_fit_with_its_outcome_ends() {
    run(async {
        let message = "x".repeat(100 * 1024);
        let outcome = json!({ "records": [{ "success": true }, { "success": false, "errors": [message] }] });
        let test = Test::new(vec![Ok(Attempted::Partial { outcome: outcome.clone(), retry: LOCKED })]).await;

        let ended = test.accept_operation(Scripted { content: "x".repeat(300 * 1024) }).await;

        assert_eq!((ended.state, ended.response), (WriteState::Finished, Some(outcome)));
    });
}
