//! Lists of records: of the mirror, of the org as a rep, and of the org as the team for objects that are not mirrored.

use http::StatusCode;
use org_simulator::{Effect, Fault, ObjectPermissions};
use runtime::Schemas;
use salesforce::ObjectName;
use serde_json::{Value, json};
use store::{Change, CursorName, Tombstone};

use crate::harness::{REP, TestContext, run};

const STAMP: &str = "2026-11-22T09:00:00.000+0000";
const ACCOUNT: &str = "001000000000001AAA";

fn names(page: &Value) -> Vec<&str> {
    let rows = page["records"].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter().map(|row| row["fields"]["Name"].as_str().unwrap_or_else(|| panic!("{row}"))).collect()
}

async fn mirror_opportunity(context: &TestContext, number: usize, stage: &str, closed: bool) -> String {
    let id = format!("006000000000{number:03}");
    let account = if number % 2 == 1 { ACCOUNT } else { "001000000000002AAA" };
    let fields = json!({
        "Name": format!("Deal {number}"), "StageName": stage, "IsClosed": closed, "SystemModstamp": STAMP,
        "AccountId": account, "OwnerId": context.rep.id, "Amount": 10.5, "RecordTypeId": null,
    });
    context.mirror("Opportunity", &id, fields).await;
    context.pass(jiff::SignedDuration::from_secs(1));
    id
}

impl TestContext {
    async fn list(&self, path: &str) -> Value {
        let (status, page) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        page
    }

    async fn list_as(&self, path: &str) -> Value {
        let (status, page) = self.get_as(REP, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        page
    }

    /// Restricts the profile of the rep, and requests a list as the rep.
    async fn list_limited(&mut self, object: &str, path: &str, permissions: ObjectPermissions) -> (StatusCode, Value) {
        self.simulator.limit_profile("Standard User", object, &permissions).unwrap();
        self.deps.schemas = Schemas::default();
        self.get_as(REP, path).await
    }

    /// Reads every page, and returns the names in their order. `separator` continues the path's query.
    async fn all_pages(&self, path: &str, user: Option<&str>) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), String::new());
        for _ in 0..50 {
            let path = format!("{path}{after}");
            let page = if user.is_some() { self.list_as(&path).await } else { self.list(&path).await };
            all.extend(names(&page).into_iter().map(str::to_owned));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
        panic!("the pages of {path} do not end: {all:?}");
    }
}

#[test]
fn mirrored_records_are_filtered_and_paged() {
    run(async {
        let context = TestContext::new().await;
        for (number, stage, closed) in [(1, "Prospecting", false), (2, "Closed Won", true), (3, "Prospecting", false)] {
            mirror_opportunity(&context, number, stage, closed).await;
        }
        let owner = format!("owner={}", context.rep.id);
        for (query, expected) in [
            ("open=true&account=001000000000001&sort=id", &["Deal 1", "Deal 3"][..]),
            ("account=001000000000001", &["Deal 3", "Deal 1"]),
            ("stage=closed%20WON", &["Deal 2"]),
            ("field.amount=10.50&field.name=deal%201", &["Deal 1"]),
            ("field.RecordTypeId=&open=false", &["Deal 2"]),
            ("sort=-modified", &["Deal 3", "Deal 2", "Deal 1"]),
            ("modified_since=2026-11-22T09:00:00Z", &["Deal 1", "Deal 2", "Deal 3"]),
            ("modified_since=2026-11-22T09:00:00.001Z", &[]),
            (&owner, &["Deal 1", "Deal 2", "Deal 3"]),
        ] {
            let page = context.list(&format!("/records/opportunity?{query}")).await;
            assert_eq!((names(&page).as_slice(), &page["source"]), (expected, &json!("mirror")), "{query}");
        }
        for sort in ["id", "modified", "-modified"] {
            let mut all = context.all_pages(&format!("/opportunities?limit=1&sort={sort}"), None).await;
            all.sort_unstable();
            assert_eq!(all, ["Deal 1", "Deal 2", "Deal 3"], "{sort}");
        }
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn a_list_of_the_mirror_says_how_old_it_is() {
    run(async {
        let context = TestContext::new().await;
        mirror_opportunity(&context, 1, "Prospecting", false).await;
        let first = context.list("/records/Opportunity").await;
        assert_eq!(first["freshness"], json!({"synced_to": null, "finished_at": null, "complete": false}));

        let name = CursorName::incremental(&ObjectName::from_static("Opportunity"));
        context.deps.cursors.finish(context.org, &name, context.clock.now()).await.unwrap();
        assert_eq!(context.list("/records/Opportunity").await["freshness"]["complete"], json!(true));
    });
}

#[test]
fn a_page_of_selected_fields_has_no_others() {
    run(async {
        let context = TestContext::new().await;
        let id = context.opportunity(&context.rep, "Live", "Prospecting");
        context.mirror("Opportunity", &id, json!({"Name": "Live", "Amount": 1, "SystemModstamp": STAMP})).await;
        for page in [
            context.list("/records/Opportunity?fields=name").await,
            context.list_as("/records/Opportunity?fields=name&sort=CloseDate&field.Name=live").await,
        ] {
            assert_eq!(page["records"][0]["fields"], json!({"Name": "Live"}), "{page}");
            assert!(page["records"][0]["system_modstamp"].is_string(), "{page}");
        }
    });
}

#[test]
fn a_rep_s_list_costs_one_call_a_page() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_private("Opportunity", true).unwrap();
        for name in ["A", "B", "C"] {
            context.opportunity(&context.rep, name, "Needs Analysis");
        }
        context.opportunity(&context.rep, "D", "Closed Won");
        context.opportunity(&context.admin, "Hidden", "Needs Analysis");

        let own = format!("/opportunities?owner={}&stage=needs%20ANALYSIS&limit=2", context.rep.id);
        let first = context.list_as(&own).await;
        assert_eq!(context.simulator.api_calls(), 2, "the object and the page");
        let next = first["next"].as_str().unwrap();
        let second = context.list_as(&format!("{own}&after={next}")).await;

        assert_eq!(context.simulator.api_calls(), 3, "the page");
        assert_eq!((names(&first).len(), names(&second).len()), (2, 1));
        assert_eq!((&second["source"], &second["next"]), (&json!("salesforce"), &json!(null)));
        let all = context.all_pages("/opportunities?limit=2", Some(REP)).await;
        assert_eq!(all.len(), 4, "{all:?}");
    });
}

#[test]
fn live_lists_are_sorted_and_paged_with_equal_and_empty_values() {
    run(async {
        let context = TestContext::new().await;
        let mut expected = Vec::new();
        for (name, amount) in
            [("A", json!(5)), ("B", json!(null)), ("C", json!(5)), ("D", json!(1)), ("E", json!(null)), ("F", json!(5))]
        {
            let fields = json!({"Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": amount,
                "Description": "own"});
            context.create(&context.rep, "Opportunity", &fields);
            expected.push(name);
        }
        let owner = format!("owner={}&limit=2", context.rep.id);
        let sorted = async |sort: &str| {
            context.all_pages(&format!("/opportunities?{owner}&sort={sort}"), Some(REP)).await.concat()
        };
        assert_eq!(sorted("Amount").await, "BEDACF");
        assert_eq!(sorted("-Amount").await, "ACFDBE");
        assert_eq!(sorted("-Name").await, "FEDCBA");
        assert_eq!(sorted("-id").await, "FEDCBA");
        assert_eq!(sorted("modified").await.len(), 6);
    });
}

/// Salesforce ends a page early when its rows are large.
#[test]
fn a_page_that_salesforce_ends_early_drops_no_record() {
    run(async {
        let context = TestContext::new().await;
        for name in ["A", "B", "C"] {
            context.opportunity(&context.rep, name, "Prospecting");
        }
        let path = format!("/opportunities?owner={}&fields=Name", context.rep.id);
        let whole = context.list_as(&path).await;
        let cut = json!({"compositeResponse": [{"httpStatusCode": 200, "httpHeaders": {}, "referenceId": "query0", "body": {
            "totalSize": 3, "done": false, "nextRecordsUrl": "/services/data/v66.0/query/01gD0000002HU6KIAW-1",
            "records": [{"attributes": {"type": "Opportunity"}, "Id": whole["records"][0]["id"], "Name": "A"}],
        }}]});
        let effect = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body: cut.to_string() };
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect });

        assert_eq!(context.all_pages(&path, Some(REP)).await, ["A", "B", "C"]);
    });
}

#[test]
fn four_profiles_list_what_they_may_see() {
    run(async {
        let mut context = TestContext::new().await;
        let lead = |name: &str| json!({"FirstName": "Ann", "LastName": name, "Company": "Acme", "Phone": "1", "Email": "a@acme.example"});
        for name in ["Able", "Baker"] {
            context.create(&context.rep, "Lead", &lead(name));
        }
        let path = format!("/records/Lead?owner={}", context.rep.id);
        let fields = |page: &Value| {
            let row = page["records"][0]["fields"].as_object().unwrap();
            ["LastName", "Phone", "Email"].map(|name| row.contains_key(name))
        };
        let admin = context.list(&path).await;
        assert_eq!((&admin["source"], &admin["object"], fields(&admin)), (&json!("team"), &json!("Lead"), [true; 3]));

        let (_, all) = context.list_limited("Lead", &path, ObjectPermissions::default()).await;
        assert_eq!((all["records"].as_array().unwrap().len(), fields(&all)), (2, [true; 3]));
        let hidden_fields = vec!["Phone".to_owned(), "Email".to_owned()];
        let (_, without) = context
            .list_limited("Lead", &path, ObjectPermissions { hidden_fields, ..ObjectPermissions::default() })
            .await;
        assert_eq!((without["records"].as_array().unwrap().len(), fields(&without)), (2, [true, false, false]));
        let read_only =
            ObjectPermissions { no_create: true, no_edit: true, no_delete: true, ..ObjectPermissions::default() };
        let (_, read_only) = context.list_limited("Lead", &path, read_only).await;
        assert_eq!(read_only["records"].as_array().unwrap().len(), 2);
        let (status, problem) = context
            .list_limited("Lead", &path, ObjectPermissions { hidden: true, ..ObjectPermissions::default() })
            .await;
        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:object_not_visible")));
    });
}

/// One with a master-detail relationship, one without an external id, and one with neither.
#[test]
fn every_custom_object_is_found_described_listed_and_read() {
    run(async {
        let context = TestContext::new().await;
        let key = json!({"name": "Key__c", "type": "string", "external_id": true, "unique": true});
        let master = json!({"name": "Account__c", "type": "reference", "reference_to": ["Account"], "master_detail": true, "child_relationship": "Projects"});
        for (name, fields) in [
            ("Project__c", vec![key.clone(), master]),
            ("Visit__c", vec![json!({"name": "Day__c", "type": "date"})]),
            ("Plain__c", vec![]),
        ] {
            context.simulator.define_object(json!({"name": name, "fields": fields})).unwrap();
        }
        let account = context.create(&context.rep, "Account", &json!({"Name": "Acme"}));
        for (name, fields) in [
            ("Project__c", json!({"Name": "P", "Key__c": "p-1", "Account__c": account})),
            ("Visit__c", json!({"Name": "V", "Day__c": "2026-11-22"})),
            ("Plain__c", json!({"Name": "X"})),
        ] {
            let id = context.create(&context.rep, name, &fields);
            let (_, objects) = context.get("/objects").await;
            assert!(objects["objects"].as_array().unwrap().iter().any(|object| object["name"] == name), "{name}");
            let described = context.get(&format!("/objects/{name}")).await;
            assert_eq!(described.0, StatusCode::OK, "{}", described.1);

            let list = context.list(&format!("/records/{}", name.to_lowercase())).await;
            assert_eq!((&list["object"], &list["source"]), (&json!(name), &json!("team")));
            assert_eq!((names(&list), &list["records"][0]["id"]), (vec![fields["Name"].as_str().unwrap()], &json!(id)));
            let (_, read) = context.get(&format!("/records/{}/{id}", name.to_lowercase())).await;
            assert_eq!(
                (&read["object"], &read["source"], &read["fields"]["Name"]),
                (&json!(name), &json!("team"), &fields["Name"])
            );
            assert_eq!(context.list_as(&format!("/records/{name}")).await["source"], "salesforce");
        }
        let below = context.list(&format!("/records/Project__c?field.Account__c={account}")).await;
        assert_eq!(names(&below), ["P"]);
        assert!(
            context.list("/records/Visit__c?field.Day__c=2026-11-23").await["records"].as_array().unwrap().is_empty()
        );
    });
}

#[test]
fn a_request_that_cannot_be_answered_says_what_is_possible() {
    run(async {
        let context = TestContext::new().await;
        mirror_opportunity(&context, 1, "Prospecting", false).await;
        context.opportunity(&context.rep, "Live", "Prospecting");
        context.opportunity(&context.rep, "Live 2", "Prospecting");
        for (query, detail) in [
            ("limit=0", "limit must be a number from 1 to 200"),
            ("colour=red", "there is no query parameter `colour`"),
            ("sort=Amount", "the mirror is sorted by id, modified or -modified"),
            ("after=006000000000001", "after must be the value of next"),
            ("field.Color__c=red", "no mirrored record of Opportunity has the field Color__c"),
        ] {
            let (status, problem) = context.get(&format!("/opportunities?{query}")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{query}: {problem}");
        }
        for (query, status, detail) in [
            ("sort=StageName", StatusCode::BAD_REQUEST, "a list cannot be sorted by StageName"),
            ("field.Amount=much", StatusCode::BAD_REQUEST, "the value of Amount must be a number"),
            ("field.Color__c=red", StatusCode::UNPROCESSABLE_ENTITY, "Opportunity has no field Color__c"),
        ] {
            let (found, problem) = context.get_as(REP, &format!("/opportunities?{query}")).await;
            assert_eq!(found, status, "{query}");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{query}: {problem}");
        }
        let next = context.list_as("/opportunities?limit=1").await["next"].as_str().unwrap().to_owned();
        for other in ["/opportunities?limit=1&sort=-id", "/opportunities?open=true", "/records/Account?limit=1"] {
            let separator = if other.contains('?') { '&' } else { '?' };
            let (status, problem) = context.get_as(REP, &format!("{other}{separator}after={next}")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{other}");
            assert!(problem["detail"].as_str().unwrap().contains("cursor of another list"), "{problem}");
        }
    });
}

#[test]
fn a_deleted_record_is_in_no_list() {
    run(async {
        let context = TestContext::new().await;
        let id = mirror_opportunity(&context, 1, "Prospecting", false).await;
        mirror_opportunity(&context, 3, "Prospecting", false).await;
        let deleted = Tombstone {
            record_id: id.parse().unwrap(),
            system_modstamp: context.clock.now(),
            read_at: context.clock.now(),
            master_record_id: None,
            reason: None,
        };
        let object = ObjectName::from_static("Opportunity");
        context.deps.records.apply(context.org, &object, Change::Tombstone(deleted)).await.unwrap();
        for query in ["", "?sort=modified", "?account=001000000000001"] {
            assert_eq!(names(&context.list(&format!("/opportunities{query}")).await), ["Deal 3"], "{query}");
        }
    });
}
