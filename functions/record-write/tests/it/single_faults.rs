//! Operations on single records under faults: whichever request of an attempt fails, and however, there is one outcome.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule};
use serde_json::{Value, json};

use crate::harness::{TestContext, run};

/// The most requests that an attempt sends.
const MAX_REQUESTS: u32 = 8;

fn effects() -> Vec<Effect> {
    vec![
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Unavailable,
        Effect::ErrorAfter { status: 500, code: "SOMETHING_NEW".to_owned(), message: "no".to_owned() },
        Effect::UnableToLockRow,
        // Later than the attempt that follows, and sooner than Salesforce's limit of 10 minutes.
        Effect::CommitLate { delay_s: 30 },
        Effect::CommitLate { delay_s: 570 },
    ]
}

/// An operation under test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Delete,
    Undelete,
    Merge,
    Convert,
}

impl TestContext {
    /// Applies the fault to the request of this position, if there are as many.
    fn fail_request(&self, position: u32, effect: Effect) {
        let fault = Fault { path_prefix: "/services/".to_owned(), method: None, times: 1, effect };
        self.simulator.fault(FaultRule { skip: position, ..FaultRule::from(fault) });
    }

    /// Returns whether the fault was applied, and removes it.
    fn end_fault(&self) -> bool {
        let used = self.simulator.faults().iter().any(|fault| fault.used > 0);
        self.simulator.clear_faults();
        used
    }

    /// Runs the write until it has ended, and returns it.
    async fn ended(&self, response: (StatusCode, Value)) -> Value {
        let (status, write) = response;
        if status == StatusCode::OK {
            return write;
        }
        assert_eq!(status, StatusCode::ACCEPTED, "{write}");
        for _ in 0..5 {
            self.pass(SignedDuration::from_secs(61));
            assert!(self.resume(&write["write_id"]).await);
            let (_, ledger) = self.ledger(&write["write_id"]).await;
            if ledger["state"] != "queued" {
                return ledger;
            }
        }
        panic!("the write has not ended");
    }

    /// Requests the operation with new records, under a fault of one request. Returns whether the fault was applied.
    async fn attempt(&mut self, operation: Operation, position: u32, effect: &Effect) -> bool {
        let name = format!("{operation:?} {position} {effect:?}").replace(' ', "_");
        let objects = ["Account", "Contact", "Opportunity"];
        let [one, two] = ["One", "Two"].map(|suffix| self.account(&format!("{name} {suffix}")));
        let lead = self.lead("Vogt");
        if operation == Operation::Undelete {
            self.delete("Account", &one);
        }
        let before = objects.map(|object| self.count_in_org(object));
        self.forget();
        self.fail_request(position, effect.clone());
        let response = match operation {
            Operation::Delete => self.delete_account(&name, &one).await,
            Operation::Undelete => self.undelete_account(&name, &one).await,
            Operation::Merge => self.merge_accounts(&name, &one, json!({ "merged_ids": [two] })).await,
            Operation::Convert => self.convert(&name, &lead, json!({})).await,
        };
        let used = self.end_fault();

        let write = self.ended(response).await;

        assert_eq!(write["records"][0]["success"], true, "{name}: {write}");
        // What may still take effect does.
        self.pass(SignedDuration::from_mins(12));
        let after = objects.map(|object| self.count_in_org(object));
        match operation {
            Operation::Delete => assert!(self.is_deleted("Account", &one), "{name}"),
            Operation::Undelete => assert!(!self.is_deleted("Account", &one), "{name}"),
            Operation::Merge => {
                assert_eq!(self.in_org("Account", &json!(two))["MasterRecordId"], json!(one), "{name}");
                assert!(!self.is_deleted("Account", &one), "{name}");
            }
            Operation::Convert => {
                assert_eq!(after, before.map(|count| count + 1), "{name}");
                let converted = self.in_org("Lead", &json!(lead));
                let ids = [
                    ("ConvertedAccountId", "account_id"),
                    ("ConvertedContactId", "contact_id"),
                    ("ConvertedOpportunityId", "opportunity_id"),
                ];
                for (field, member) in ids {
                    assert_eq!(converted[field], write[member], "{name}");
                }
            }
        }
        used
    }
}

/// Walks through the requests of an operation until there is no further one.
fn walk(operation: Operation, requests: u32) {
    run(async {
        let mut context = TestContext::new().await;
        for effect in effects() {
            let mut walked = 0;
            while context.attempt(operation, walked, &effect).await {
                walked += 1;
                assert!(walked <= MAX_REQUESTS, "{operation:?} {effect:?}");
            }
            assert_eq!(walked, requests, "{operation:?} {effect:?}: the requests of an attempt without a fault");
        }
    });
}

#[test]
fn a_deletion_under_any_fault_has_one_outcome() {
    walk(Operation::Delete, 2);
}

#[test]
fn a_restoration_under_any_fault_has_one_outcome() {
    walk(Operation::Undelete, 2);
}

#[test]
fn a_merge_under_any_fault_has_one_outcome() {
    walk(Operation::Merge, 2);
}

#[test]
fn a_conversion_under_any_fault_makes_one_of_each() {
    walk(Operation::Convert, 3);
}

#[test]
fn a_conversion_killed_at_every_point_is_made_once() {
    run(async {
        let context = TestContext::killable().await;
        let lead = context.lead("Vogt");
        let objects = ["Account", "Contact", "Opportunity"];
        let before = objects.map(|object| context.count_in_org(object));
        let mut kills = 0;
        while !context.killed_at(kills, context.convert("k", &lead, json!({}))).await {
            context.pass_a_minute();
            kills += 1;
        }
        assert!(kills >= 8, "killed {kills} times");

        let (status, converted) = context.convert("k", &lead, json!({})).await;

        assert_eq!((status, &converted["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{converted}");
        assert_eq!(objects.map(|object| context.count_in_org(object)), before.map(|count| count + 1));
        let record = context.in_org("Lead", &json!(lead));
        assert_eq!(record["ConvertedAccountId"], converted["account_id"]);
    });
}

/// The session was ended in Salesforce: SOAP says so with a fault, and the call is made with another session.
#[test]
fn a_refused_session_of_the_soap_api_is_replaced() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Acme");
        context.delete("Account", &account);
        let code = "INVALID_SESSION_ID".to_owned();
        let effect = Effect::Error { status: 500, code, message: "Illegal Session".to_owned() };
        context.simulator.fault(Fault { path_prefix: "/services/Soap/".to_owned(), method: None, times: 1, effect });

        let (status, restored) = context.undelete_account("k", &account).await;

        assert_eq!((status, &restored["already_restored"]), (StatusCode::OK, &json!(false)), "{restored}");
    });
}
