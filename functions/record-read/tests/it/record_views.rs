//! Views of accounts, contacts, leads and opportunities.

use http::StatusCode;
use org_simulator::{Effect, Fault};
use runtime::Schemas;
use serde_json::{Value, json};
use store::Pipeline;

use crate::harness::{REP, TestContext, run};
use crate::world::{PROFILES, Profile};

const STAMP: &str = "2026-11-22T09:00:00.000+0000";

fn names<'a>(part: &'a Value, field: &str) -> Vec<&'a str> {
    let records = part["records"].as_array().unwrap_or_else(|| panic!("no records: {part}"));
    records.iter().map(|record| record["fields"][field].as_str().unwrap_or_default()).collect()
}

#[test]
fn an_account_has_its_people_deals_notes_and_interactions() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/accounts/{}", world.account)).await;

        assert_eq!((&view["source"], &view["label"]), (&json!("salesforce"), &json!("Account")));
        assert_eq!(view["owner"]["id"], context.rep.id);
        assert!(view["owner"]["name"].is_string(), "{view}");
        assert!(view["url"].as_str().unwrap().ends_with(&format!("/lightning/r/Account/{}/view", world.account)));
        assert_eq!((&view["fields"]["Phone"], &view["is_person_account"]), (&json!("+47 555 0100"), &json!(false)));
        assert_eq!(view["parent"]["fields"]["Name"], "Fjord Group");
        assert_eq!(names(&view["contacts"], "LastName"), ["Moe"]);
        assert_eq!(names(&view["opportunities"], "Name"), ["Lenses", "Prisms"]);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        // The meetings and calls with the account's contact count, too.
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Meeting", "Offer", "Call", "Call"]);
        assert_eq!(view["interactions"]["next"], Value::Null);
        assert_eq!(view["interactions"]["records"][0]["at"], "2026-11-22T09:00:00.000Z");
    });
}

#[test]
fn a_contact_has_its_account_deals_and_communication() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/contacts/{}", world.contact)).await;

        assert_eq!(view["account"]["fields"]["Name"], "Fjordglass");
        assert_eq!(names(&view["accounts"], "Name"), ["Fjordglass"]);
        assert_eq!(view["accounts"]["records"][0]["is_direct"], true);
        let deal = &view["opportunities"]["records"][0];
        assert_eq!((&deal["fields"]["Name"], &deal["role"]), (&json!("Lenses"), &json!("Decision Maker")));
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        let history = names(&view["interactions"], "Subject");
        assert_eq!(history, ["Meeting", "Meeting", "Offer", "Offer", "Call", "Call"]);
    });
}

#[test]
fn a_lead_has_its_history_notes_and_interactions() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/leads/{}", world.lead)).await;

        assert_eq!((&view["fields"]["Company"], &view["is_converted"]), (&json!("Nordlys"), &json!(false)));
        assert_eq!(view["converted"], Value::Null);
        assert_eq!(names(&view["history"], "Field"), ["created"]);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Offer", "Call"]);
    });
}

#[test]
fn an_opportunity_has_its_stage_people_and_amount() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/opportunities/{}", world.opportunity)).await;

        assert_eq!(view["amount"], json!({"value": 1000.5, "currency": null}));
        assert_eq!((&view["stage"]["api_name"], &view["stage"]["pipeline"]), (&json!("Prospecting"), &Value::Null));
        assert_eq!(view["account"]["fields"]["Name"], "Fjordglass");
        let person = &view["contacts"]["records"][0];
        assert_eq!((&person["fields"]["LastName"], &person["role"]), (&json!("Moe"), &json!("Decision Maker")));
        assert_eq!((&view["products"]["count"], &view["products"]["total"]), (&json!(0), &json!(0.0)));
        assert_eq!(names(&view["history"], "StageName"), ["Prospecting"]);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Offer", "Call"]);
    });
}

#[test]
fn a_profile_sees_in_a_view_what_it_sees_in_salesforce() {
    run(async {
        for profile in PROFILES {
            let context = TestContext::new().await;
            let world = context.customer();
            context.limit_rep(profile);
            let account = context.view(&format!("/accounts/{}", world.account)).await;
            let contact = context.view(&format!("/contacts/{}", world.contact)).await;
            let opportunity = context.view(&format!("/opportunities/{}", world.opportunity)).await;
            let lead = context.view(&format!("/leads/{}", world.lead)).await;

            let shows = profile != Profile::WithoutTwoFields;
            let has = |fields: &Value, field: &str| fields["fields"].get(field).is_some();
            assert_eq!(has(&account, "Phone"), shows, "{profile:?}");
            assert_eq!(has(&contact["account"], "Phone"), shows, "{profile:?}");
            assert_eq!(has(&opportunity["account"], "Phone"), shows, "{profile:?}");
            assert_eq!(has(&contact, "Email"), shows, "{profile:?}");
            assert_eq!(has(&account["contacts"]["records"][0], "Email"), shows, "{profile:?}");
            assert_eq!(has(&opportunity["contacts"]["records"][0], "Email"), shows, "{profile:?}");
            assert_eq!(account["interactions"]["records"].as_array().unwrap().len(), 5, "{profile:?}");
            assert_eq!(names(&lead["interactions"], "Subject").len(), 3, "{profile:?}");
        }
    });
}

#[test]
fn a_converted_lead_names_what_it_was_converted_to() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let status = "Closed - Converted";
        context.simulator.convert_lead(&context.admin.username, &world.lead, status).unwrap();

        let view = context.view(&format!("/leads/{}", world.lead)).await;

        let converted = &view["converted"];
        assert_eq!((&view["is_converted"], &converted["date"]), (&json!(true), &json!("2026-11-22")));
        assert_eq!(converted["account"]["fields"]["Name"], "Nordlys");
        assert_eq!(converted["contact"]["fields"]["LastName"], "Dahl");
        assert!(converted["opportunity"]["url"].as_str().unwrap().contains("/lightning/r/Opportunity/006"), "{view}");
        let changes: Vec<_> =
            names(&view["history"], "Field").into_iter().zip(names(&view["history"], "NewValue")).collect();
        assert!(changes.contains(&("Status", status)), "{changes:?}");
    });
}

#[test]
fn a_stage_is_shown_inside_its_pipeline() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let path = format!("/opportunities/{}?expand=stage", world.opportunity);
        let record_type = context.view(&path).await["record_type"]["id"].clone();
        let stage = |name: &str, order: u32, closed: bool| {
            json!({"api_name": name, "label": name, "sort_order": order, "probability": 10.0, "is_closed": closed,
                "is_won": closed, "forecast_category": "Pipeline"})
        };
        let stages =
            json!([stage("Qualification", 1, false), stage("Prospecting", 2, false), stage("Closed Won", 3, true)]);
        let pipeline: Pipeline = serde_json::from_value(json!({"record_type_id": record_type, "name": "New Business",
            "developer_name": "New", "is_active": true, "is_default": true, "stages": stages}))
        .unwrap();
        context.deps.pipelines.replace(context.org, &[pipeline], context.deps.clock.now()).await.unwrap();
        let fields =
            json!({"Name": "Lenses", "StageName": "Prospecting", "RecordTypeId": record_type, "SystemModstamp": STAMP});
        context.mirror("Opportunity", &world.opportunity, fields).await;

        for view in [context.view(&path).await, context.get(&path).await.1] {
            let stage = &view["stage"];
            assert_eq!((&stage["position"], &stage["stages"]), (&json!(2), &json!(3)), "{view}");
            assert_eq!(stage["next"][0]["api_name"], "Closed Won");
            assert_eq!(stage["pipeline"]["name"], "New Business");
        }
    });
}

#[test]
fn the_prices_of_products_are_added_up() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let create = |object: &str, fields: Value| context.create(&context.admin, object, &fields);
        let product = create("Product2", json!({"Name": "Lens", "IsActive": true}));
        let team = context.salesforce.client(context.org, &store::ConnectionId::team());
        let standard = salesforce::Soql::select(&[salesforce::FieldName::ID]).from(&"Pricebook2".parse().unwrap());
        let standard = team.query(&standard).await.unwrap().records[0].id;
        let price = json!({"Product2Id": product, "Pricebook2Id": standard, "UnitPrice": 0.1, "IsActive": true});
        let entry = create("PricebookEntry", price);
        for quantity in [1, 2] {
            let item = json!({"OpportunityId": world.opportunity, "PricebookEntryId": entry, "Quantity": quantity, "UnitPrice": 0.1});
            create("OpportunityLineItem", item);
        }

        let view = context.view(&format!("/opportunities/{}?expand=products", world.opportunity)).await;

        assert_eq!((&view["products"]["count"], &view["products"]["total"]), (&json!(2), &json!(0.3)));
    });
}

fn paths(world: &crate::world::World) -> [String; 4] {
    [
        format!("/accounts/{}", world.account),
        format!("/contacts/{}", world.contact),
        format!("/leads/{}", world.lead),
        format!("/opportunities/{}", world.opportunity),
    ]
}

#[test]
fn a_view_costs_two_calls_and_one_once_the_schema_is_known() {
    run(async {
        let mut context = TestContext::new().await;
        let world = context.customer();
        for path in paths(&world) {
            context.deps.schemas = Schemas::default();
            let before = context.simulator.api_calls();
            context.view(&path).await;
            assert_eq!(context.simulator.api_calls() - before, 2, "{path}");
            context.view(&path).await;
            assert_eq!(context.simulator.api_calls() - before, 3, "{path}");
        }
        for object in ["EmailMessage", "ContentNote"] {
            context.hide(object);
        }
        for path in paths(&world) {
            context.deps.schemas = Schemas::default();
            let before = context.simulator.api_calls();
            context.view(&path).await;
            assert_eq!(context.simulator.api_calls() - before, 3, "{path} with hidden objects");
        }
    });
}

#[test]
fn a_part_of_a_hidden_object_says_so() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        for object in ["EmailMessage", "ContentNote", "Opportunity", "AccountContactRelation"] {
            context.hide(object);
        }

        let account = context.view(&format!("/accounts/{}", world.account)).await;
        let contact = context.view(&format!("/contacts/{}", world.contact)).await;
        let (hidden, problem) = context.get_as(REP, &format!("/opportunities/{}", world.opportunity)).await;

        let missing = |object: &str| json!([{"object": object, "reason": "hidden"}]);
        assert_eq!(account["opportunities"]["unavailable"], missing("Opportunity"));
        assert_eq!(account["notes"]["unavailable"], missing("ContentNote"));
        assert_eq!(account["interactions"]["unavailable"], missing("EmailMessage"));
        assert_eq!(names(&account["interactions"], "Subject"), ["Meeting", "Meeting", "Call", "Call"]);
        assert_eq!(names(&account["contacts"], "LastName"), ["Moe"]);
        assert_eq!(contact["opportunities"]["unavailable"], missing("Opportunity"));
        assert_eq!(contact["accounts"]["unavailable"], missing("AccountContactRelation"));
        assert_eq!((hidden, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:object_not_visible")));
    });
}

#[test]
fn a_record_that_the_rep_does_not_see_is_missing() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        context.simulator.set_private("Account", true).unwrap();
        let other = context.create(&context.admin, "Account", &json!({"Name": "Other"}));
        context.simulator.delete_record(&context.admin.username, "Lead", &world.lead).unwrap();

        for path in
            [format!("/accounts/{other}"), format!("/leads/{}", world.lead), "/contacts/003000000000009".to_owned()]
        {
            let (status, problem) = context.get_as(REP, &path).await;
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")),
                "{path}"
            );
        }
        assert_eq!(context.view(&format!("/accounts/{}", world.account)).await["fields"]["Name"], "Fjordglass");
    });
}

#[test]
fn a_contact_s_communication_is_read_page_by_page() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let todo = json!({"Subject": "No day", "WhoId": world.contact});
        context.create(&context.rep, "Task", &todo);
        let path = format!("/contacts/{}?expand=interactions", world.contact);
        let all = context.view(&path).await;
        let all = all["interactions"]["records"].as_array().unwrap().clone();
        assert_eq!((all.len(), &all[6]["fields"]["Subject"], &all[6]["at"]), (7, &json!("No day"), &Value::Null));

        for limit in 1..=7 {
            let (mut read, mut next) = (Vec::new(), Some(String::new()));
            while let Some(cursor) = next {
                let after = if cursor.is_empty() { cursor } else { format!("&interactions_after={cursor}") };
                let page = context.view(&format!("{path}&limit={limit}{after}")).await["interactions"].clone();
                let records = page["records"].as_array().unwrap();
                assert!(records.len() <= limit && !records.is_empty(), "{page}");
                read.extend(records.clone());
                next = page["next"].as_str().map(str::to_owned);
            }
            assert_eq!(read, all, "pages of {limit}");
        }
    });
}

#[test]
fn only_the_chosen_parts_and_fields_are_read() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/accounts/{}?expand=contacts&fields=name,Nowhere__c", world.account)).await;
        let bare = context.view(&format!("/accounts/{}?expand=none", world.account)).await;
        let (status, problem) = context.get_as(REP, &format!("/accounts/{}?expand=stage", world.account)).await;

        assert_eq!(view["fields"]["Name"], "Fjordglass");
        assert!(view["fields"].get("Phone").is_none() && view["contacts"].is_object());
        assert!(view.get("notes").is_none() && bare.get("contacts").is_none(), "{bare}");
        assert!(bare["owner"]["name"].is_string() && bare["fields"]["Phone"].is_string());
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().unwrap().contains("parts of an account"), "{problem}");
    });
}

#[test]
fn a_record_of_any_object_has_its_label_page_and_owner() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let before = context.simulator.api_calls();

        let record = context.view(&format!("/records/Lead/{}", world.lead)).await;

        assert_eq!(context.simulator.api_calls() - before, 2);
        assert_eq!((&record["label"], &record["owner"]["id"]), (&json!("Lead"), &json!(context.rep.id)));
        assert!(record["owner"]["name"].is_string() && record["fields"].get("Owner").is_none(), "{record}");
        assert!(record["url"].as_str().unwrap().ends_with(&format!("/lightning/r/Lead/{}/view", world.lead)));
    });
}

async fn mirrored_customer(context: &TestContext, world: &crate::world::World) {
    let account = json!({"Name": "Fjordglass", "OwnerId": context.rep.id, "SystemModstamp": STAMP});
    context.mirror("Account", &world.account, account).await;
    let contact = json!({"LastName": "Moe", "AccountId": world.account, "SystemModstamp": STAMP});
    context.mirror("Contact", &world.contact, contact).await;
    for (number, name, is_closed, is_won) in
        [(1, "Open", false, false), (2, "Won", true, true), (3, "Lost", true, false)]
    {
        let deal = json!({"Name": name, "IsClosed": is_closed, "IsWon": is_won, "AccountId": world.account, "SystemModstamp": STAMP});
        context.mirror("Opportunity", &format!("00600000000000{number}"), deal).await;
    }
}

#[test]
fn without_a_rep_a_view_has_the_mirror_s_and_the_team_s_parts() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        mirrored_customer(&context, &world).await;
        let path = format!("/accounts/{}", world.account);

        let (status, view) = context.get(&path).await;

        assert_eq!(
            (status, &view["source"], &view["freshness"]["complete"]),
            (StatusCode::OK, &json!("mirror"), &json!(false))
        );
        assert_eq!(
            (&view["contacts"]["source"], names(&view["contacts"], "LastName")),
            (&json!("mirror"), vec!["Moe"])
        );
        assert_eq!(view["contacts"]["freshness"]["synced_to"], Value::Null);
        assert_eq!(names(&view["opportunities"], "Name").len(), 2);
        assert!(!names(&view["opportunities"], "Name").contains(&"Lost"));
        assert_eq!((&view["notes"]["source"], names(&view["notes"], "Title")), (&json!("team"), vec!["Minutes"]));
        assert_eq!(
            (&view["interactions"]["source"], names(&view["interactions"], "Subject").len()),
            (&json!("team"), 5)
        );
        assert!(view["owner"]["name"].is_string() && view["label"] == "Account", "{view}");
        // The schema, and the queries.
        assert_eq!(context.simulator.api_calls(), 2);
        let (_, contacts) = context.get(&format!("{path}?expand=contacts")).await;
        assert_eq!(names(&contacts["contacts"], "LastName"), ["Moe"]);
        assert_eq!(context.simulator.api_calls(), 2);
    });
}

#[test]
fn a_view_from_the_mirror_outlives_the_team_s_connection() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        mirrored_customer(&context, &world).await;
        context.disconnect(&store::ConnectionId::team()).await;

        let (status, view) = context.get(&format!("/accounts/{}", world.account)).await;

        assert_eq!((status, names(&view["contacts"], "LastName")), (StatusCode::OK, vec!["Moe"]));
        assert_eq!(view["notes"]["unavailable"][0]["reason"], "team_not_connected");
        assert_eq!(view["interactions"]["records"], json!([]));
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn mirrored_roles_lead_to_contacts_and_opportunities() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects.push(salesforce::ObjectName::from_static("OpportunityContactRole"));
        let world = context.customer();
        mirrored_customer(&context, &world).await;
        let deal = json!({"Name": "Lenses", "AccountId": world.account, "SystemModstamp": STAMP});
        context.mirror("Opportunity", &world.opportunity, deal).await;
        let role = json!({"OpportunityId": world.opportunity, "ContactId": world.contact, "Role": "Decision Maker", "SystemModstamp": STAMP});
        context.mirror("OpportunityContactRole", "00K000000000001", role).await;
        let astray =
            json!({"OpportunityId": world.opportunity, "ContactId": "003000000000009", "SystemModstamp": STAMP});
        context.mirror("OpportunityContactRole", "00K000000000002", astray).await;

        let (_, deal) = context.get(&format!("/opportunities/{}?expand=contacts,account", world.opportunity)).await;
        let (_, contact) = context.get(&format!("/contacts/{}?expand=opportunities,account", world.contact)).await;
        let (_, first) = context.get(&format!("/opportunities/{}?expand=contacts&limit=1", world.opportunity)).await;

        assert_eq!(
            (names(&deal["contacts"], "LastName").len(), &deal["contacts"]["records"][0]["role"]),
            (1, &json!("Decision Maker"))
        );
        assert_eq!(names(&contact["opportunities"], "Name"), ["Lenses"]);
        // Of the two roles that were found one is shown.
        assert_eq!((&deal["contacts"]["more"], &first["contacts"]["more"]), (&json!(false), &json!(true)));
        for view in [&deal, &contact] {
            assert_eq!(view["account"]["fields"]["Name"], "Fjordglass");
        }
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn the_team_reads_a_view_of_an_object_that_is_not_mirrored() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let (status, view) = context.get(&format!("/leads/{}", world.lead)).await;

        assert_eq!((status, &view["source"]), (StatusCode::OK, &json!("team")), "{view}");
        assert_eq!((&view["fields"]["Company"], view.get("freshness")), (&json!("Nordlys"), None));
        assert_eq!(view["interactions"]["source"], "team");
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Offer", "Call"]);
    });
}

/// Answers the next composite request with these bodies of subresponses.
fn answer_composite(context: &TestContext, parts: &[(&str, u16, Value)]) {
    let part = |(name, status, body): &(&str, u16, Value)| json!({"httpStatusCode": status, "httpHeaders": {}, "referenceId": name, "body": body});
    let body = json!({"compositeResponse": parts.iter().map(part).collect::<Vec<_>>()}).to_string();
    let effect = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body };
    let path_prefix = "/services/data/v66.0/composite".to_owned();
    context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect });
}

fn problem(code: &str) -> Value {
    json!([{"errorCode": code, "message": "x"}])
}

#[test]
fn a_describe_that_fails_makes_only_its_lists_unavailable() {
    run(async {
        let mut context = TestContext::new().await;
        let world = context.customer();
        let path = format!("/opportunities/{}?expand=notes", world.opportunity);
        let field = json!({"name": "Name", "label": "Name", "type": "string", "nillable": true, "createable": true, "updateable": true});
        let describe = |object: &str| {
            json!({"name": object, "label": object, "keyPrefix": "006", "custom": false, "queryable": true,
                "createable": true, "updateable": true, "replicateable": true, "fields": [field]})
        };
        let failure = || (500, problem("UNKNOWN_EXCEPTION"));
        let answer = |failed: usize| {
            let objects = [("object0", "Opportunity"), ("object1", "ContentDocumentLink"), ("object2", "ContentNote")];
            let parts = objects.into_iter().enumerate().map(|(position, (name, object))| {
                let (status, body) = if position == failed { failure() } else { (200, describe(object)) };
                (name, status, body)
            });
            answer_composite(&context, &parts.collect::<Vec<_>>());
        };

        answer(1);
        let view = context.view(&path).await;
        assert_eq!(view["notes"]["unavailable"], json!([{"object": "ContentDocumentLink", "reason": "not_answered"}]));
        assert_eq!(view["fields"]["Name"], "Lenses");
        // The team's parts of a mirrored record are treated alike.
        let fields = json!({"Name": "Lenses", "SystemModstamp": STAMP});
        context.mirror("Opportunity", &world.opportunity, fields).await;
        answer(1);
        let (_, view) = context.get(&format!("/opportunities/{}?expand=notes", world.opportunity)).await;
        assert_eq!(view["notes"]["unavailable"], json!([{"object": "ContentDocumentLink", "reason": "not_answered"}]));

        context.deps.schemas = Schemas::default();
        assert_eq!(names(&context.view(&path).await["notes"], "Title"), ["Minutes"]);
        context.deps.schemas = Schemas::default();
        let answer = |parts: &[(&str, u16, Value)]| answer_composite(&context, parts);
        let (status, body) = failure();
        answer(&[
            ("object0", status, body),
            ("object1", 200, describe("ContentDocumentLink")),
            ("object2", 200, describe("ContentNote")),
        ]);
        assert_eq!(context.get_as(REP, &path).await.0, StatusCode::SERVICE_UNAVAILABLE);
    });
}

#[test]
fn queries_that_stay_the_same_are_not_sent_again() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        let path = format!("/opportunities/{}?expand=notes", world.opportunity);
        context.view(&path).await;
        let before = context.simulator.api_calls();
        let record = json!({"attributes": {"type": "Opportunity"}, "Id": world.opportunity, "Name": "Lenses"});
        let row = json!({"totalSize": 1, "done": true, "records": [record]});
        answer_composite(
            &context,
            &[("record", 200, record), ("query0", 200, row.clone()), ("query1", 400, problem("INVALID_FIELD"))],
        );

        let view = context.view(&path).await;

        assert_eq!(view["notes"]["unavailable"][0]["reason"], "hidden");
        // Only the objects are described again.
        assert_eq!(context.simulator.api_calls() - before, 1);
        assert_eq!(names(&context.view(&path).await["notes"], "Title"), ["Minutes"]);

        let fields = json!({"Name": "Lenses", "SystemModstamp": STAMP});
        context.mirror("Opportunity", &world.opportunity, fields).await;
        context.get(&path).await;
        let before = context.simulator.api_calls();
        answer_composite(&context, &[("query0", 200, row), ("query1", 400, problem("INVALID_FIELD"))]);
        let (_, view) = context.get(&path).await;
        assert_eq!(view["notes"]["unavailable"][0]["reason"], "hidden");
        assert_eq!(context.simulator.api_calls() - before, 1);
    });
}

#[test]
fn a_mirrored_list_that_ends_early_has_more() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();
        mirrored_customer(&context, &world).await;
        let newer = "2026-11-22T10:00:00.000+0000";
        let lost = (0..500).map(|number| {
            let deal = json!({"Name": "Lost", "IsClosed": true, "IsWon": false, "AccountId": world.account, "SystemModstamp": newer});
            let context = &context;
            async move { context.mirror("Opportunity", &format!("006000000001{number:03}"), deal).await }
        });
        futures::future::join_all(lost).await;

        let (_, view) = context.get(&format!("/accounts/{}?expand=opportunities", world.account)).await;

        assert_eq!((&view["opportunities"]["records"], &view["opportunities"]["more"]), (&json!([]), &json!(true)));
    });
}
