//! Writes that are made again, as new writes.

use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};
use store::ConnectionKind;
use store::deferral::{MIN_DEFERRALS, OUTAGE};

use crate::harness::{KEY, REP, TestContext, run};

const NOT_RETRYABLE: &str = "urn:ferry:problem:not_retryable";

impl TestContext {
    async fn retry(&self, write_id: &Value, key: &str) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/writes/{}/retry", self.org, write_id.as_str().unwrap());
        self.send(Request::post(path).header("idempotency-key", key).body(Body::empty()).unwrap()).await
    }

    /// Makes the last attempt of an accepted write: as late, and after as many deferrals, as a failure that passes by itself is
    /// tried again.
    async fn give_up(&self, write_id: &Value) {
        self.pass(OUTAGE);
        assert!(self.deliver(write_id, MIN_DEFERRALS).await);
    }

    /// Requests a write of an account during an outage that does not end in time. Returns its id.
    async fn given_up(&self, key: &str, external_id: &str) -> Value {
        self.simulator.fault(fault(Effect::Unavailable));
        let records = json!([{ KEY: external_id, "Name": "Acme" }]);
        let (status, queued) = self.upsert("Account", None, key, records).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        self.give_up(&queued["write_id"]).await;
        self.simulator.clear_faults();
        assert_eq!(self.state(&queued["write_id"]).await, "failed");
        // Its last request may take effect late, and a later write of the record waits for so long.
        self.pass(SignedDuration::from_mins(13));
        queued["write_id"].clone()
    }
}

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data/v66.0/composite".to_owned(), method: None, times: 1_000, effect }
}

#[test]
fn a_write_that_was_given_up_is_made_again() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        let failed = context.given_up("k", "A-1").await;
        assert_eq!(context.ledger(&failed).await.1["can_be_retried"], true);

        let (status, made) = context.retry(&failed, "again").await;

        assert_eq!((status, &made["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{made}");
        assert_ne!(made["write_id"], failed);
        assert_eq!(context.count_in_org("Account"), before + 1);
        let (_, first) = context.ledger(&failed).await;
        let (_, second) = context.ledger(&made["write_id"]).await;
        assert_eq!((&first["retried_by"], &second["retry_of"]), (&made["write_id"], &failed), "{first} {second}");
        assert_eq!(first["can_be_retried"], Value::Null);
    });
}

#[test]
fn a_retry_that_is_sent_twice_is_one_write() {
    run(async {
        let context = TestContext::new().await;
        let failed = context.given_up("k", "A-1").await;
        let first = context.retry(&failed, "again").await;
        let calls = context.simulator.api_calls();

        assert_eq!(context.retry(&failed, "again").await, first);
        let (status, refused) = context.retry(&failed, "other").await;

        assert_eq!((status, &refused["type"]), (StatusCode::CONFLICT, &json!(NOT_RETRYABLE)));
        assert!(refused["detail"].as_str().unwrap().contains(first.1["write_id"].as_str().unwrap()), "{refused}");
        assert_eq!(context.simulator.api_calls(), calls);
        // The key belongs to that retry.
        let other = context.given_up("k2", "A-2").await;
        let (status, _) = context.retry(&other, "again").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

#[test]
fn only_the_records_that_were_not_written_are_sent_again() {
    run(async {
        let context = TestContext::new().await;
        let accounts = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);
        let (_, accounts) = context.upsert("Account", None, "accounts", accounts).await;
        let bolt = accounts["records"][1]["id"].as_str().unwrap();
        context.simulator.lock_record(bolt).unwrap();
        let contacts = json!([
            { KEY: "C-1", "LastName": "Doe", "Account": { KEY: "A-1" } },
            { KEY: "C-2", "LastName": "Roe", "Account": { KEY: "A-2" } },
        ]);
        let (status, queued) = context.upsert("Contact", None, "k", contacts).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        context.give_up(&queued["write_id"]).await;
        let (_, partly) = context.ledger(&queued["write_id"]).await;
        assert_eq!(
            (&partly["state"], &partly["records"][1]["success"]),
            (&json!("finished"), &json!(false)),
            "{partly}"
        );
        let before = context.count_in_org("Contact");
        context.simulator.unlock_record(bolt).unwrap();

        let (status, made) = context.retry(&queued["write_id"], "again").await;

        assert_eq!(status, StatusCode::OK, "{made}");
        let records = made["records"].as_array().unwrap();
        assert_eq!((records.len(), &records[0]["created"]), (1, &json!(true)), "{made}");
        assert_eq!(context.count_in_org("Contact"), before + 1);
    });
}

#[test]
fn a_write_is_made_again_after_the_rep_has_connected() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let (_, queued) = context.upsert("Account", Some(REP), "k", records).await;
        context.simulator.clear_faults();
        let rep = store::ConnectionId::personal(&REP.parse().unwrap());
        context.disconnect(&rep).await;
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "failed");

        context.connect(ConnectionKind::Personal { platform_user: REP.parse().unwrap() }).await;
        let (status, made) = context.retry(&queued["write_id"], "again").await;

        assert_eq!((status, &made["owner_choice"]), (StatusCode::OK, &json!("rep")), "{made}");
    });
}

#[test]
fn a_write_that_would_be_refused_again_says_what_to_do() {
    run(async {
        let context = TestContext::new().await;
        let refused = async |write: &Value| {
            let (status, problem) = context.retry(write, "again").await;
            assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!(NOT_RETRYABLE)), "{problem}");
            problem["detail"].as_str().unwrap().to_owned()
        };
        let (_, written) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        assert!(refused(&written["write_id"]).await.contains("everything"));
        let (_, lacking) = context.upsert("Lead", None, "k2", json!([{ KEY: "L-1", "LastName": "Moe" }])).await;
        assert!(refused(&lacking["write_id"]).await.contains("the same request would be refused again"));
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k3", json!([{ KEY: "A-2", "Name": "Bolt" }])).await;
        assert!(refused(&queued["write_id"]).await.contains("has not ended"));
        let unknown = json!("2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3");
        assert_eq!(context.retry(&unknown, "again").await.0, StatusCode::NOT_FOUND);
    });
}

/// The function is killed after each of its calls to AWS in turn.
#[test]
fn a_killed_retry_is_one_write_in_the_end() {
    run(async {
        let context = TestContext::killable().await;
        let failed = context.given_up("k", "A-1").await;
        let before = context.count_in_org("Account");
        let mut passes = 0;
        while !context.killed_at(passes, context.retry(&failed, "again")).await {
            passes += 1;
            // Another attempt may begin once the killed one has passed its deadline.
            context.pass(SignedDuration::from_mins(13));
            assert!(passes < 40, "no attempt reached its end");
        }
        assert!(passes > 2, "{passes}");
        let (status, made) = context.retry(&failed, "again").await;

        assert_eq!((status, &made["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{made}");
        assert_eq!(context.count_in_org("Account"), before + 1);
        assert_eq!(context.ledger(&failed).await.1["retried_by"], made["write_id"]);
    });
}
