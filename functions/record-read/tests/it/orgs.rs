//! Orgs, connections, health, pipelines and metadata.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use salesforce::{ObjectName, OrgLimit};
use serde_json::{Value, json};
use store::budgets::Observation;
use store::cursors::{Progress, ScanState};
use store::{
    Audit, AuditCounts, AuditState, BackfillMethod, BackfillProgress, CursorName, Edition, Lane, OrgLimits, OrgState,
    Pipeline, Position, RowsHash, ScanKey, SeenCopy, SeenFields,
};

use crate::harness::{REP, TestContext, run};

fn pipeline() -> Pipeline {
    let pipeline = json!({
        "record_type_id": "012000000000001", "developer_name": "New", "name": "New Business", "is_active": true,
        "is_default": true, "stages": [{
            "api_name": "Prospecting", "label": "Prospecting", "sort_order": 1, "probability": 10.0,
            "is_closed": false, "is_won": false, "forecast_category": "Pipeline",
        }],
    });
    serde_json::from_value(pipeline).unwrap()
}

#[test]
fn an_active_org_is_listed_and_shown() {
    run(async {
        let context = TestContext::new().await;

        let (_, listed) = context.fetch("/v1/orgs").await;
        let (status, shown) = context.get("").await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(listed["orgs"], json!([shown]));
        assert_eq!((&shown["state"], &shown["tenant"]), (&json!("active"), &json!("acme")));
    });
}

#[test]
fn an_uninstalled_org_is_shown_and_not_listed() {
    run(async {
        let context = TestContext::new().await;
        context.deps.orgs.set_state(context.org, OrgState::Uninstalled, context.deps.clock.now()).await.unwrap();

        assert_eq!(context.fetch("/v1/orgs").await.1["orgs"], json!([]));
        assert_eq!(context.get("").await.1["state"], "uninstalled");
    });
}

#[test]
fn connections_are_shown_without_their_tokens() {
    run(async {
        let context = TestContext::new().await;

        let (_, listed) = context.get("/connections").await;
        let (status, team) = context.get("/connections/team").await;

        assert_eq!(
            (status, &team["kind"], &team["user_id"]),
            (StatusCode::OK, &json!("team"), &json!(context.admin.id))
        );
        let connections = listed["connections"].as_array().unwrap();
        assert_eq!(connections.len(), 2);
        assert!(connections.contains(&team));
        assert!(connections.iter().any(|connection| connection["platform_user"] == REP));
        assert!(!listed.to_string().contains("token"), "{listed}");
    });
}

#[test]
fn a_connection_shows_its_app_and_its_last_use() {
    run(async {
        let context = TestContext::new().await;
        assert_eq!(context.get("/connections/team").await.1["on_newest_app"], Value::Null, "no app is registered");
        context.register(&["v2"]);
        assert_eq!(context.get("/connections/team").await.1["on_newest_app"], true);
        context.register(&["v2", "v3"]);
        context.pass(SignedDuration::from_mins(6));

        let (_, team) = context.get("/connections/team").await;

        assert_eq!((&team["app"], &team["on_newest_app"]), (&json!("v2"), &json!(false)));
        assert_eq!(team["last_used_at"], "2026-11-22T10:00:00.000Z");
    });
}

#[test]
fn a_rep_is_found_by_name_or_has_to_connect() {
    run(async {
        let context = TestContext::new().await;

        let (status, found) = context.get(&format!("/connections?platform_user={REP}")).await;
        assert_eq!((status, found["connections"].as_array().unwrap().len()), (StatusCode::OK, 1), "{found}");
        assert_eq!(found["connections"][0]["platform_user"], REP);
        context.disconnect(&context.reps().connection_id()).await;
        for unconnected in [REP, "rep-2"] {
            let (status, problem) = context.get(&format!("/connections?platform_user={unconnected}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
            assert!(problem["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{problem}");
        }

        let (status, problem) = context.get_as(REP, "/objects").await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(problem["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{problem}");
    });
}

/// The profile of the team's user hides the object, which the rep's profile shows.
#[test]
fn the_team_sees_nothing_through_a_personal_connection() {
    run(async {
        let context = TestContext::new().await;
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Opportunity", &hidden).unwrap();
        let requests_of_rep = || context.simulator.requests_of(&context.rep.username).unwrap().len();

        let as_team = context.get("/objects/Opportunity").await;
        let (_, objects) = context.get("/objects").await;

        assert_eq!(as_team.0, StatusCode::NOT_FOUND, "{}", as_team.1);
        assert!(!objects.to_string().contains("\"Opportunity\""), "{objects}");
        assert_eq!(requests_of_rep(), 0, "no request used a session of the rep");
        assert_eq!(context.get_as(REP, "/objects/Opportunity").await.0, StatusCode::OK);
        assert!(requests_of_rep() > 0, "the rep's own reads use the rep's session");
    });
}

#[test]
fn health_shows_connections_scans_pipelines_and_budget() {
    run(async {
        let context = TestContext::new().await;
        let (deps, now) = (&context.deps, context.deps.clock.now());
        context.disconnect(&context.reps().connection_id()).await;
        let scan = CursorName::incremental(&ObjectName::from_static("Account"));
        let last_row = Some(Position { system_modstamp: now, record_id: "001000000000001".parse().unwrap() });
        let page = Progress { seen: None, last_row, state: ScanState::Running("page 2".to_owned()) };
        deps.cursors.advance(context.org, &scan, &page, now).await.unwrap();
        deps.pipelines.replace(context.org, &[pipeline()], now).await.unwrap();
        deps.cursors.finish(context.org, &CursorName::pipelines(), now).await.unwrap();
        let seen = Observation { used: 17, max: 15_000, lane: Lane::Interactive, calls: 2 };
        deps.budgets.observe(context.org, seen, now).await.unwrap();
        let jobs = OrgLimit { max: 10_000, remaining: 9_999 };
        let limits = [("DailyBulkV2QueryJobs".to_owned(), jobs), ("Unknown".to_owned(), jobs)].into();
        deps.budgets.store_limits(&OrgLimits::new(context.org, limits, now)).await.unwrap();

        let (status, health) = context.get("/health").await;

        assert_eq!(status, StatusCode::OK);
        let jobs = json!({ "max": 10_000, "remaining": 9_999 });
        let limits = json!({ "read_at": "2026-11-22T10:00:00.000Z", "DailyBulkV2QueryJobs": jobs });
        assert_eq!(health["budget"]["limits"], limits);
        let states: Vec<&Value> = health["connections"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
        assert!(states.contains(&&json!("active")) && states.contains(&&json!("revoked")), "{health}");
        assert_eq!(health["sync"][0]["scan"], "incremental/Account");
        assert_eq!(health["sync"][0]["synced_to"], "2026-11-22T10:00:00.000Z");
        assert_eq!(health["sync"].as_array().unwrap().len(), 1, "{health}");
        assert_eq!(health["pipelines"], json!({ "count": 1, "refreshed_at": "2026-11-22T10:00:00.000Z", "stale": 0 }));
        assert_eq!((&health["budget"]["used"], &health["budget"]["max"]), (&json!(17), &json!(15_000)));
        assert_eq!(health["budget"]["calls"]["interactive"], 2);
    });
}

#[test]
fn health_names_hidden_fields_and_other_keys_of_scans() {
    run(async {
        let context = TestContext::new().await;
        let now = context.deps.clock.now();
        let types = |fields: &[&str]| fields.iter().map(|name| (name.parse().unwrap(), "string".to_owned())).collect();
        let store = async |known: Option<&SeenFields>, fields: &SeenFields| {
            context.deps.cursors.store_fields(known, fields).await.unwrap();
        };
        let account = SeenFields::first(context.org, &"Account".parse().unwrap(), types(&["Id", "Phone"]), now);
        store(None, &account).await;
        assert_eq!(context.get("/health").await.1.get("fields"), None, "nothing has changed");
        let log = SeenFields::first(context.org, &"Log__c".parse().unwrap(), types(&["Id"]), now);
        store(None, &log.scanned_by(ScanKey::CreatedDate)).await;
        let later = now + SignedDuration::from_hours(1);
        store(Some(&account), &account.after(types(&["Id", "New__c"]), later).unwrap()).await;

        let (_, health) = context.get("/health").await;

        let at = "2026-11-22T11:00:00.000Z";
        let change = json!({ "at": at, "added": ["New__c"], "hidden": ["Phone"], "shown": [], "retyped": [] });
        let hidden = json!([{ "field": "Phone", "type": "string", "since": at }]);
        let of_account =
            json!({ "object": "Account", "scanned_by": "SystemModstamp", "hidden": hidden, "last_change": change });
        let of_log = json!({ "object": "Log__c", "scanned_by": "CreatedDate", "hidden": [], "last_change": null });
        assert_eq!(health["fields"], json!([of_account, of_log]));
    });
}

#[test]
fn health_names_the_records_that_were_left_out() {
    run(async {
        let context = TestContext::new().await;
        assert_eq!(context.get("/health").await.1.get("left_out"), None);
        let (object, now) = ("Account".parse().unwrap(), context.deps.clock.now());
        for n in 0..60 {
            let id = format!("0015e00000{n:05}").parse().unwrap();
            context.deps.cursors.leave_out(context.org, (&object, id), "QUERY_TIMEOUT", now).await.unwrap();
        }

        let (_, health) = context.get("/health").await;

        let left_out = &health["left_out"];
        assert_eq!((&left_out["count"], left_out["records"].as_array().unwrap().len()), (&json!(60), 50));
        let first = &left_out["records"][0];
        assert_eq!((&first["object"], &first["reason"]), (&json!("Account"), &json!("QUERY_TIMEOUT")));
        assert!(first["id"].is_string() && first["since"].is_string(), "{first}");
    });
}

#[test]
fn health_shows_the_last_audit_of_each_object() {
    run(async {
        let context = TestContext::new().await;
        let now = context.deps.clock.now();
        let audit = |object: &str, hours, state, reason: Option<&str>| Audit {
            org_id: context.org,
            object: object.parse().unwrap(),
            started_at: now + SignedDuration::from_hours(hours),
            state,
            reason: reason.map(str::to_owned),
            counts: AuditCounts {
                checked: 12,
                mirrored: 11,
                missing: 1,
                repaired: 1,
                calls: 2,
                ..AuditCounts::default()
            },
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: now + SignedDuration::from_hours(hours),
        };
        let audits = [
            audit("Account", -24, AuditState::Unfinished, Some("over_budget")),
            audit("Account", 0, AuditState::Finished, None),
            audit("Contact", -24, AuditState::Unfinished, Some("records_vanished")),
        ];
        for audit in &audits {
            context.deps.audits.store(audit).await.unwrap();
        }
        context.deps.cursors.finish(context.org, &CursorName::audit(&"Account".parse().unwrap()), now).await.unwrap();

        let (_, health) = context.get("/health").await;

        let shown = |n: usize, member: &str| health["audits"][n][member].clone();
        assert_eq!(health["audits"].as_array().unwrap().len(), 2, "{health}");
        assert_eq!(
            [shown(0, "object"), shown(0, "green"), shown(0, "missing")],
            [json!("Account"), json!(true), json!(1)]
        );
        assert_eq!([shown(1, "green"), shown(1, "reason")], [json!(false), json!("records_vanished")]);
        assert_eq!(health["sync"], json!([]), "an audit is no scan");
    });
}

#[test]
fn health_shows_the_progress_of_backfills() {
    run(async {
        let context = TestContext::new().await;
        let (contact, now) = (CursorName::backfill(&"Contact".parse().unwrap()), context.deps.clock.now());
        let begun = BackfillProgress::new(BackfillMethod::Bulk, now - SignedDuration::from_mins(10));
        let begun = BackfillProgress { total: Some(90_000), ..begun };
        let show = async || context.get("/health").await.1["backfills"].clone();
        context.deps.cursors.record_progress(context.org, &contact, &begun, now).await.unwrap();
        assert_eq!(
            (&show().await[0]["state"], &show().await[0]["waits_for"]),
            (&json!("waiting"), &json!("query_job"))
        );

        let reading_since = Some(now - SignedDuration::from_mins(1));
        let read = BackfillProgress { reading_since, ..begun.after_page(30_000, 9_000_000) };
        context.deps.cursors.record_progress(context.org, &contact, &read, now).await.unwrap();
        context.deps.cursors.finish(context.org, &CursorName::poll(), now).await.unwrap();

        let shown = show().await;
        assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
        assert_eq!((&shown[0]["object"], &shown[0]["state"]), (&json!("Contact"), &json!("running")));
        assert_eq!((&shown[0]["rows_per_second"], &shown[0]["seconds_left"]), (&json!(500.0), &json!(120)));
    });
}

#[test]
fn health_shows_the_copies_of_an_org() {
    run(async {
        let context = TestContext::new().await;
        assert_eq!(context.get("/health").await.1.get("copies"), None);
        let copy = SeenCopy { org_id: "00D79000000exLEEAY".parse().unwrap(), seen_at: context.deps.clock.now() };
        context.deps.orgs.note_copy(context.org, &copy).await.unwrap();

        let (_, health) = context.get("/health").await;

        let copies = json!([{ "org_id": "00D79000000exLEEAY", "seen_at": "2026-11-22T10:00:00.000Z" }]);
        assert_eq!((&health["state"], &health["copies"]), (&json!("active"), &copies));
    });
}

#[test]
fn health_shows_the_source_of_changes_and_overdue_polls() {
    run(async {
        let context = TestContext::new().await;
        let now = context.deps.clock.now();
        let unknown = json!({ "by": "outbound_messages", "because": "edition_unknown", "edition": null });
        assert_eq!(context.get("/health").await.1["changes"], unknown);
        let organization_type = "Professional Edition".to_owned();
        let edition = Edition { organization_type, outbound_messages_unsupported: false, proven_at: now };
        context.deps.orgs.record_edition(context.org, &edition).await.unwrap();
        let polled = |last_completed: Value, overdue: bool| {
            json!({
                "by": "polling", "because": "edition", "edition": "Professional Edition",
                "polls": { "last_completed": last_completed, "overdue": overdue },
            })
        };

        assert_eq!(context.get("/health").await.1["changes"], polled(json!(null), false));
        context.pass(SignedDuration::from_mins(50));
        assert_eq!(context.get("/health").await.1["changes"], polled(json!(null), true));
        let started_at = context.deps.clock.now();
        context.deps.cursors.finish(context.org, &CursorName::poll(), started_at).await.unwrap();
        let (_, health) = context.get("/health").await;
        assert_eq!(health["changes"], polled(json!("2026-11-22T10:50:00.000Z"), false));
        assert_eq!(health["sync"], json!([]), "a poll is not a scan");

        context.deps.orgs.set_polling(context.org, Some(false), started_at).await.unwrap();
        assert_eq!(context.get("/health").await.1["changes"]["because"], "operator");
    });
}

#[test]
fn health_of_a_new_org_has_no_budget_and_no_scans() {
    run(async {
        let context = TestContext::new().await;
        let (_, health) = context.get("/health").await;
        assert_eq!((&health["budget"], &health["sync"]), (&json!(null), &json!([])));
    });
}

#[test]
fn pipelines_are_shown_with_their_stages() {
    run(async {
        let context = TestContext::new().await;
        context.deps.pipelines.replace(context.org, &[pipeline()], context.deps.clock.now()).await.unwrap();

        let (status, shown) = context.get("/pipelines").await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(shown["pipelines"][0]["stages"][0]["api_name"], "Prospecting");
        assert_eq!(shown["pipelines"][0]["fingerprint"].as_str().map(str::len), Some(64));
        assert_eq!(shown.get("known_since"), None);
    });
}

#[test]
fn pipelines_are_shown_as_they_were_at_a_time() {
    run(async {
        let context = TestContext::new().await;
        let now = context.deps.clock.now();
        let day = |days: i64| now + jiff::SignedDuration::from_hours(24 * days);
        let renamed = Pipeline { name: "Deals".to_owned(), ..pipeline() };
        context.deps.pipelines.replace(context.org, &[pipeline()], day(-2)).await.unwrap();
        context.deps.pipelines.replace(context.org, &[renamed], day(-1)).await.unwrap();

        let at = async |time: jiff::Timestamp| context.get(&format!("/pipelines?at={time}")).await.1;
        let before = at(day(-3)).await;
        assert_eq!((&before["pipelines"], &before["known_since"]), (&json!([]), &json!(store::time::format(day(-2)))));
        let old = at(day(-2)).await;
        assert_eq!(old["pipelines"][0]["name"], pipeline().name);
        assert_eq!(old["pipelines"][0]["valid_until"], json!(store::time::format(day(-1))));
        let new = at(now).await;
        assert_eq!(new["pipelines"][0]["name"], "Deals");
        assert_eq!(new["pipelines"][0].get("valid_until"), None);
        assert_eq!(context.get("/pipelines").await.1["pipelines"], new["pipelines"]);
        assert_eq!(context.get("/pipelines?at=yesterday").await.0, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn objects_and_fields_are_those_that_the_connection_sees() {
    run(async {
        let context = TestContext::new().await;

        let (_, objects) = context.get("/objects").await;
        let (status, account) = context.get_as(REP, "/objects/Account").await;
        let (missing, _) = context.get("/objects/Nothing__c").await;

        let mirrored = |name: &str| {
            let object = objects["objects"].as_array().unwrap().iter().find(|object| object["name"] == name);
            object.unwrap()["mirrored"].as_bool().unwrap()
        };
        assert!(mirrored("Opportunity") && !mirrored("Task"));
        assert_eq!((status, &account["mirrored"]), (StatusCode::OK, &json!(true)));
        let required = account["fields"].as_array().unwrap().iter().filter(|field| field["required_on_create"] == true);
        assert_eq!(required.map(|field| &field["name"]).collect::<Vec<_>>(), ["Name"]);
        assert!(account["fields"].as_array().unwrap().iter().any(|field| field["name"] == "OwnerId"));
        assert_eq!(missing, StatusCode::NOT_FOUND);
    });
}

#[test]
fn unknown_ids_are_not_found_and_malformed_ids_are_refused() {
    run(async {
        let context = TestContext::new().await;
        for path in
            ["", "/health", "/connections", "/pipelines", "/objects", "/opportunities", "/accounts/001000000000001"]
        {
            let unknown = format!("/v1/orgs/00D000000000001{path}");
            assert_eq!(context.fetch(&unknown).await.0, StatusCode::NOT_FOUND, "{unknown}");
            let malformed = format!("/v1/orgs/acme{path}");
            assert_eq!(context.fetch(&malformed).await.0, StatusCode::BAD_REQUEST, "{malformed}");
        }
        let unknown = format!("/connections/personal-{}", "0".repeat(32));
        assert_eq!(context.get(&unknown).await.0, StatusCode::NOT_FOUND);
    });
}
