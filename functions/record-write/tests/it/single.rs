//! Deletion, restoration, merge and lead conversion.

use axum::body::Body;
use http::{Request, StatusCode};
use org_simulator::User;
use serde_json::{Value, json};
use store::ChangeHint;
use store::owner_policy::OwnerPolicy;

use crate::harness::{REP, TestContext, run};

/// An id of the right form that no record has.
pub(crate) const UNKNOWN_ACCOUNT: &str = "001000000000001";

impl TestContext {
    /// Requests an operation on a record as the rep: `DELETE`, or `POST` with a body.
    pub(crate) async fn on_record(&self, key: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/{path}?as={REP}", self.org);
        match body {
            Some(body) => self.post(&path, Some(key), body).await,
            None => {
                let method = if path.contains("/undelete") { Request::post(path) } else { Request::delete(path) };
                self.send(method.header("idempotency-key", key).body(Body::empty()).unwrap()).await
            }
        }
    }

    pub(crate) async fn delete_account(&self, key: &str, id: &str) -> (StatusCode, Value) {
        self.on_record(key, &format!("records/Account/{id}"), None).await
    }

    pub(crate) async fn undelete_account(&self, key: &str, id: &str) -> (StatusCode, Value) {
        self.on_record(key, &format!("records/Account/{id}/undelete"), None).await
    }

    pub(crate) async fn merge_accounts(&self, key: &str, id: &str, body: Value) -> (StatusCode, Value) {
        self.on_record(key, &format!("records/Account/{id}/merge"), Some(body)).await
    }

    pub(crate) async fn convert(&self, key: &str, lead: &str, body: Value) -> (StatusCode, Value) {
        self.on_record(key, &format!("leads/{lead}/convert"), Some(body)).await
    }

    /// Creates an account of the rep.
    pub(crate) fn account(&self, name: &str) -> String {
        self.create(&self.rep, "Account", &json!({ "Name": name }))
    }

    /// Creates a lead of the rep.
    pub(crate) fn lead(&self, last_name: &str) -> String {
        self.lead_of(&self.rep, last_name)
    }

    fn lead_of(&self, user: &User, last_name: &str) -> String {
        let fields = json!({ "LastName": last_name, "FirstName": "Ida", "Company": format!("{last_name} AG"), "LeadSource": "Web",
            "City": "Bern" });
        self.create(user, "Lead", &fields)
    }

    /// Returns whether the record is in the recycle bin.
    pub(crate) fn is_deleted(&self, object: &str, id: &str) -> bool {
        self.simulator.record(object, id).unwrap()["IsDeleted"] == true
    }

    /// Receives this number of hints, and returns their records.
    async fn hinted(&self, count: usize) -> Vec<String> {
        let received = self.received(&self.queue_url("RecordUpsertQueue"), count).await;
        let hint = |body: &String| serde_json::from_str::<ChangeHint>(body).unwrap().record.unwrap().record_id;
        let mut ids: Vec<String> = received.iter().map(|body| hint(body).to_string()).collect();
        ids.sort();
        ids
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[test]
fn a_deleted_record_is_in_the_recycle_bin_and_hinted() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Acme");

        let (status, deleted) = context.delete_account("k", &account).await;

        assert_eq!((status, &deleted["already_deleted"]), (StatusCode::OK, &json!(false)), "{deleted}");
        assert_eq!((&deleted["records"][0]["id"], &deleted["records"][0]["success"]), (&json!(account), &json!(true)));
        assert!(context.is_deleted("Account", &account));
        assert_eq!(context.in_org("Account", &json!(account))["LastModifiedById"], context.rep.id);
        assert_eq!(context.hinted(1).await, std::slice::from_ref(&account));
        assert_eq!(context.delete_account("k", &account).await, (status, deleted), "the same request");
        let (status, again) = context.delete_account("another", &account).await;
        assert_eq!((status, &again["already_deleted"]), (StatusCode::OK, &json!(true)), "{again}");
        let (_, ledger) = context.ledger(&again["write_id"]).await;
        assert_eq!((&ledger["kind"], &ledger["object"]), (&json!("delete"), &json!("Account")));
    });
}

#[test]
fn an_unknown_record_is_not_found_after_a_second_look() {
    run(async {
        let context = TestContext::new().await;

        let (status, problem) = context.delete_account("k", UNKNOWN_ACCOUNT).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")),
            "{problem}"
        );
        assert!(context.calls().keys().any(|path| path.starts_with("queryAll")), "{:?}", context.calls());
    });
}

/// Salesforce deletes by the id alone: the path must not open other objects than the listed ones.
#[test]
fn an_id_of_another_object_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let contact = context.create(&context.rep, "Contact", &json!({ "LastName": "Doe" }));

        let (status, problem) = context.delete_account("k", &contact).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(!context.is_deleted("Contact", &contact));
        let (status, problem) = context.on_record("k2", "records/Case/500000000000001", None).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:object_not_writable"))
        );
        let (status, _) = context.on_record("k3", "records/PermissionSetAssignment/0Pa000000000001", None).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn salesforces_refusal_of_a_deletion_says_why() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Acme");
        context.create(&context.rep, "Case", &json!({ "Subject": "Broken", "AccountId": account }));

        let (status, refused) = context.delete_account("k", &account).await;

        assert_eq!(status, StatusCode::OK, "{refused}");
        let row = &refused["records"][0];
        assert_eq!((&row["success"], &row["errors"][0]["code"]), (&json!(false), &json!("DELETE_FAILED")));
        assert!(row["errors"][0]["message"].as_str().unwrap().contains("cases"), "{row}");
        assert_eq!(refused["already_deleted"], Value::Null);
        assert!(!context.is_deleted("Account", &account));
    });
}

#[test]
fn a_record_is_restored_from_the_recycle_bin() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Acme");
        context.delete("Account", &account);

        let (status, restored) = context.undelete_account("k", &account).await;

        assert_eq!((status, &restored["already_restored"]), (StatusCode::OK, &json!(false)), "{restored}");
        assert!(!context.is_deleted("Account", &account));
        assert_eq!(context.hinted(1).await, std::slice::from_ref(&account));
        let (status, again) = context.undelete_account("k2", &account).await;
        assert_eq!((status, &again["already_restored"]), (StatusCode::OK, &json!(true)), "{again}");
    });
}

#[test]
fn what_the_recycle_bin_lost_cannot_be_restored() {
    run(async {
        let context = TestContext::new().await;

        let (status, problem) = context.undelete_account("k", UNKNOWN_ACCOUNT).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::GONE, &json!("urn:ferry:problem:record_deleted")),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains("recycle bin"), "{problem}");
        assert!(problem["next"].as_str().unwrap().starts_with("Create the record again."), "{problem}");
    });
}

#[test]
fn merged_records_name_the_one_that_stays() {
    run(async {
        let context = TestContext::new().await;
        let [stays, first, second] = ["A", "B", "C"].map(|name| context.account(name));
        let contact = context.create(&context.rep, "Contact", &json!({ "LastName": "Doe", "AccountId": first }));

        let body = json!({ "merged_ids": [first, second], "fields": { "Phone": "123", "Website": null } });
        let (status, merged) = context.merge_accounts("k", &stays, body.clone()).await;

        assert_eq!((status, &merged["already_merged"]), (StatusCode::OK, &json!(false)), "{merged}");
        assert_eq!(merged["merged_ids"], json!([first, second]));
        for loser in [&first, &second] {
            let record = context.in_org("Account", &json!(loser));
            assert_eq!((&record["IsDeleted"], &record["MasterRecordId"]), (&json!(true), &json!(stays)));
        }
        assert_eq!(context.in_org("Account", &json!(stays))["Phone"], "123");
        assert_eq!(context.in_org("Contact", &json!(contact))["AccountId"], json!(stays));
        let hinted = context.hinted(4).await;
        assert_eq!(hinted, sorted(vec![stays.clone(), first.clone(), second, contact]), "and what refers to them");
        let (status, again) = context.merge_accounts("k2", &stays, body).await;
        assert_eq!((status, &again["already_merged"]), (StatusCode::OK, &json!(true)), "{again}");
        let (status, problem) = context.merge_accounts("k3", &first, json!({ "merged_ids": [stays] })).await;
        assert_eq!(status, StatusCode::GONE, "{problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with(&format!("was merged into {stays}")), "{problem}");
    });
}

#[test]
fn a_merge_of_unknown_records_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let stays = context.account("A");
        let (status, problem) = context.merge_accounts("k", &stays, json!({ "merged_ids": [UNKNOWN_ACCOUNT] })).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
        let contact = "003000000000001";
        let (status, problem) = context.merge_accounts("k2", &stays, json!({ "merged_ids": [contact] })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        let path = format!("records/Opportunity/{}/merge", "006000000000001");
        let (status, _) = context.on_record("k3", &path, Some(json!({ "merged_ids": ["006000000000002"] }))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn a_lead_becomes_an_account_a_contact_and_a_deal_of_the_rep() {
    run(async {
        let context = TestContext::new().await;
        let lead = context.lead_of(&context.admin, "Vogt");
        let before = ["Account", "Contact", "Opportunity"].map(|object| context.count_in_org(object));

        let body = json!({ "status": "Closed - Converted", "opportunity": { "name": "R&D <pilot>" } });
        let (status, converted) = context.convert("k", &lead, body.clone()).await;

        assert_eq!((status, &converted["already_converted"]), (StatusCode::OK, &json!(false)), "{converted}");
        assert_eq!(
            (&converted["records"][0]["id"], &converted["converted_status"]),
            (&json!(lead), &json!("Closed - Converted"))
        );
        let ids = ["account_id", "contact_id", "opportunity_id"].map(|name| converted[name].clone());
        for (object, id) in ["Account", "Contact", "Opportunity"].into_iter().zip(&ids) {
            assert_eq!(context.in_org(object, id)["OwnerId"], context.rep.id, "{object}");
        }
        assert_eq!(context.in_org("Opportunity", &ids[2])["Name"], "R&D <pilot>");
        assert_eq!(context.in_org("Lead", &json!(lead))["ConvertedAccountId"], ids[0]);
        let all = ids.iter().map(|id| id.as_str().unwrap().to_owned()).chain([lead.clone()]).collect();
        assert_eq!(context.hinted(4).await, sorted(all));
        let (status, again) = context.convert("k2", &lead, json!({ "opportunity": null })).await;
        assert_eq!((status, &again["already_converted"]), (StatusCode::OK, &json!(true)), "{again}");
        assert_eq!(["account_id", "contact_id", "opportunity_id"].map(|name| again[name].clone()), ids);
        let after = ["Account", "Contact", "Opportunity"].map(|object| context.count_in_org(object));
        assert_eq!(after, before.map(|count| count + 1));
        let (_, ledger) = context.ledger(&converted["write_id"]).await;
        assert_eq!((&ledger["kind"], &ledger["account_id"]), (&json!("convert_lead"), &ids[0]));
    });
}

#[test]
fn a_lead_is_converted_to_records_that_exist() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Vogt AG");
        let contact = context.create(&context.rep, "Contact", &json!({ "LastName": "Vogt", "AccountId": account }));
        let lead = context.lead("Vogt");
        let before = ["Account", "Contact", "Opportunity"].map(|object| context.count_in_org(object));

        let body =
            json!({ "account_id": account, "contact_id": contact, "opportunity": null, "overwrite_lead_source": true });
        let (status, converted) = context.convert("k", &lead, body).await;

        assert_eq!((status, &converted["account_id"]), (StatusCode::OK, &json!(account)), "{converted}");
        assert_eq!((&converted["contact_id"], &converted["opportunity_id"]), (&json!(contact), &Value::Null));
        assert_eq!(context.in_org("Contact", &json!(contact))["LeadSource"], "Web");
        let after = ["Account", "Contact", "Opportunity"].map(|object| context.count_in_org(object));
        assert_eq!(after, before);
    });
}

#[test]
fn another_status_than_a_converted_one_is_refused_with_the_valid_ones() {
    run(async {
        let context = TestContext::new().await;
        let lead = context.lead("Vogt");

        let (status, problem) = context.convert("k", &lead, json!({ "status": "Open - Not Contacted" })).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["detail"], "status: must be one of Closed - Converted");
        assert_eq!(context.in_org("Lead", &json!(lead))["IsConverted"], false);
        let (status, converted) = context.convert("k2", &lead, json!({})).await;
        assert_eq!(
            (status, &converted["converted_status"]),
            (StatusCode::OK, &json!("Closed - Converted")),
            "{converted}"
        );
    });
}

#[test]
fn a_lead_that_is_gone_is_not_converted() {
    run(async {
        let context = TestContext::new().await;
        let (status, problem) = context.convert("k", "00Q000000000001", json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
        let lead = context.lead("Vogt");
        context.delete("Lead", &lead);
        let (status, problem) = context.convert("k2", &lead, json!({})).await;
        assert_eq!(
            (status, &problem["detail"]),
            (StatusCode::GONE, &json!("the lead is in the recycle bin")),
            "{problem}"
        );
        let (status, problem) = context.convert("k3", UNKNOWN_ACCOUNT, json!({})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    });
}

#[test]
fn the_team_converts_for_a_rep_who_owns_the_result() {
    run(async {
        let context = TestContext::with(OwnerPolicy::TeamOnly).await;
        let lead = context.lead_of(&context.admin, "Vogt");

        let (status, converted) = context.convert("k", &lead, json!({})).await;

        assert_eq!((status, &converted["connection"]), (StatusCode::OK, &json!("team")), "{converted}");
        assert_eq!(converted["owner_choice"], "team_with_owner");
        assert_eq!(context.in_org("Account", &converted["account_id"])["OwnerId"], context.rep.id);
        let lead = context.lead_of(&context.admin, "Brun");
        let (_, converted) = context.convert("k2", &lead, json!({ "owner_id": context.admin.id })).await;
        assert_eq!(context.in_org("Account", &converted["account_id"])["OwnerId"], context.admin.id, "{converted}");
    });
}

#[test]
fn the_fewest_calls_are_made() {
    run(async {
        let context = TestContext::new().await;
        let [one, two, three] = ["A", "B", "C"].map(|name| context.account(name));
        let leads = ["D", "E"].map(|name| context.lead(name));
        let mut calls = Vec::new();
        let mut before = context.simulator.api_calls();
        let mut count = || {
            let now = context.simulator.api_calls();
            calls.push(now - std::mem::replace(&mut before, now));
        };
        for (key, lead) in leads.iter().enumerate() {
            context.convert(&format!("c{key}"), lead, json!({})).await;
            count();
        }
        context.merge_accounts("m", &one, json!({ "merged_ids": [two] })).await;
        count();
        context.delete_account("d", &three).await;
        count();
        context.undelete_account("u", &three).await;
        count();
        // The first conversion describes the objects, in one call. Each reads lead and statuses, and converts.
        assert_eq!(calls, [3, 2, 1, 1, 1]);
    });
}
