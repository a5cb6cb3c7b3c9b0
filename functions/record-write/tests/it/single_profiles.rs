//! Operations on single records as users of four profiles: an administrator, one who sees all fields, one from whom two fields
//! are hidden, and one who only reads.

use http::StatusCode;
use org_simulator::{Effect, Fault, ObjectPermissions};
use serde_json::{Value, json};

use crate::harness::{TestContext, run};

const OBJECTS: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];

impl TestContext {
    /// Sets what the rep's profile permits on the objects, and forgets what is known of them.
    fn permit_all(&mut self, permissions: &ObjectPermissions) {
        for object in OBJECTS {
            self.permit(object, permissions);
        }
        self.forget();
    }

    /// Carries out the four operations with new records, and returns their responses.
    async fn all_four(&self, run: &str) -> Vec<(StatusCode, Value)> {
        let create = |name: &str| self.create(&self.admin, "Account", &json!({ "Name": name, "OwnerId": self.rep.id }));
        let [deleted, stays, merged, restored] = ["A", "B", "C", "D"].map(create);
        self.delete("Account", &restored);
        let fields = json!({ "LastName": "Vogt", "Company": "Vogt AG", "OwnerId": self.rep.id });
        let lead = self.create(&self.admin, "Lead", &fields);
        vec![
            self.delete_account(&format!("{run}-d"), &deleted).await,
            self.undelete_account(&format!("{run}-u"), &restored).await,
            self.merge_accounts(&format!("{run}-m"), &stays, json!({ "merged_ids": [merged] })).await,
            self.convert(&format!("{run}-c"), &lead, json!({})).await,
        ]
    }
}

fn assert_written(responses: &[(StatusCode, Value)], profile: &str) {
    for (status, response) in responses {
        let success = &response["records"][0]["success"];
        assert_eq!((status, success), (&StatusCode::OK, &json!(true)), "{profile}: {response}");
    }
}

#[test]
fn who_may_write_the_records_does() {
    run(async {
        let mut context = TestContext::new().await;
        assert_written(&context.all_four("all").await, "all fields");

        for (object, fields) in [
            ("Account", ["Phone", "Website"]),
            ("Contact", ["Phone", "Title"]),
            ("Lead", ["Phone", "ConvertedOpportunityId"]),
        ] {
            let hidden = ObjectPermissions { hidden_fields: fields.map(str::to_owned).to_vec(), ..Default::default() };
            context.permit(object, &hidden);
        }
        context.forget();
        assert_written(&context.all_four("hidden").await, "two fields hidden");

        let admin = context.admin.clone();
        context.connect_rep_as(&admin);
        context.permit_all(&ObjectPermissions::default());
        assert_written(&context.all_four("admin").await, "administrator");
    });
}

#[test]
fn who_only_reads_is_refused_before_a_writing_call() {
    run(async {
        let mut context = TestContext::new().await;
        let read_only = ObjectPermissions { no_create: true, no_edit: true, no_delete: true, ..Default::default() };
        context.permit_all(&read_only);

        let responses = context.all_four("k").await;

        let missing = ["Delete on Account", "Delete on Account", "Edit on Account", "Edit on Lead"];
        for ((status, problem), missing) in responses.iter().zip(missing) {
            assert_eq!(
                (status, &problem["type"]),
                (&StatusCode::FORBIDDEN, &json!("urn:ferry:problem:salesforce_forbidden")),
                "{problem}"
            );
            assert!(problem["next"].as_str().unwrap().contains(missing), "{missing} in {problem}");
        }
        let writing = |request: &&String| request.contains("/services/Soap/") || request.starts_with("DELETE");
        let requests = context.simulator.requests_of(&context.rep.username).unwrap();
        assert_eq!(requests.iter().find(writing), None, "{requests:?}");
    });
}

/// The write was not recorded, so the same request works with the same key, although the describe is remembered.
#[test]
fn a_permission_that_is_granted_meanwhile_counts() {
    run(async {
        let mut context = TestContext::new().await;
        let account = context.account("Acme");
        context.permit_all(&ObjectPermissions { no_delete: true, ..ObjectPermissions::default() });
        assert_eq!(context.delete_account("k", &account).await.0, StatusCode::FORBIDDEN);
        context.permit("Account", &ObjectPermissions::default());

        let (status, deleted) = context.delete_account("k", &account).await;

        assert_eq!((status, &deleted["already_deleted"]), (StatusCode::OK, &json!(false)), "{deleted}");
    });
}

#[test]
fn a_hidden_object_is_named() {
    run(async {
        let mut context = TestContext::new().await;
        let account = context.account("Acme");
        context.permit_all(&ObjectPermissions { hidden: true, ..ObjectPermissions::default() });

        let (status, problem) = context.delete_account("k", &account).await;

        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:object_not_visible")));
    });
}

/// No describe shows the permission Convert Leads. The reply is one of Salesforce's form.
#[test]
fn a_user_without_convert_leads_learns_what_to_ask_for() {
    run(async {
        let context = TestContext::new().await;
        let lead = context.lead("Vogt");
        let body = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                    xmlns=\"urn:partner.soap.sforce.com\"><soapenv:Body><convertLeadResponse><result><errors>\
                    <message>insufficient access rights</message><statusCode>INSUFFICIENT_ACCESS_OR_READONLY</statusCode>\
                    </errors><success>false</success></result></convertLeadResponse></soapenv:Body></soapenv:Envelope>";
        let effect = Effect::Answer { status: 200, content_type: "text/xml".to_owned(), body: body.to_owned() };
        context.simulator.fault(Fault { path_prefix: "/services/Soap/".to_owned(), method: None, times: 1, effect });

        let (status, refused) = context.convert("k", &lead, json!({})).await;

        assert_eq!((status, &refused["records"][0]["success"]), (StatusCode::OK, &json!(false)), "{refused}");
        assert!(refused["records"][0]["next"].as_str().unwrap().contains("Convert Leads"), "{refused}");
        assert_eq!(refused["account_id"], Value::Null);
    });
}
