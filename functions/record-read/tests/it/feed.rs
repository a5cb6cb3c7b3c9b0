//! The change feed.

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use record_read::router;
use salesforce::{Clock, ObjectName, Record};
use serde_json::{Value, json};
use store::records::SETTLING_TIME;
use store::{Change, OrgState, Records, Tombstone};

use crate::harness::{REP, TestContext, run};

const OBJECTS: [&str; 3] = ["Account", "Contact", "Opportunity"];

/// A reader of the feed: what it knows of each record, and its cursor.
#[derive(Default)]
struct Reader {
    known: BTreeMap<String, Value>,
    query: String,
    pages: usize,
}

impl Reader {
    fn since(at: Timestamp) -> Self {
        Self { query: format!("since={at}"), ..Self::default() }
    }

    /// Reads a page, and returns whether more follow.
    async fn read(&mut self, context: &TestContext, limit: usize) -> bool {
        let page = changes(context, &format!("{}&limit={limit}", self.query)).await;
        for change in page["changes"].as_array().unwrap() {
            let state = if change["deleted"] == true { json!("deleted") } else { change["fields"]["Name"].clone() };
            self.known.insert(change["id"].as_str().unwrap().to_owned(), state);
        }
        self.query = format!("after={}", page["next"].as_str().unwrap());
        self.pages += 1;
        page["more"] == true
    }
}

async fn changes(context: &TestContext, query: &str) -> Value {
    let (status, page) = context.fetch(&format!("/v1/changes?{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

fn id(object: &str, n: usize) -> String {
    let prefix = match object {
        "Account" => "001",
        "Contact" => "003",
        _ => "006",
    };
    let id: salesforce::RecordId = format!("{prefix}000000000{n:03}").parse().unwrap();
    id.to_string()
}

/// Every reader ends with the last state of each record that changed after its start, whenever it reads, in pages of any
/// size, and although some writers' clocks are behind.
#[test]
fn a_reader_sees_the_last_state_of_every_record_that_changed() {
    run(async {
        for seed in 0..4 {
            let context = TestContext::new().await;
            let mut rng = StdRng::seed_from_u64(seed);
            let behind = Clock::manual(context.clock.now() - SETTLING_TIME + SignedDuration::from_secs(1));
            let slow = Records::new(context.dynamodb(), context.table("records")).with_clock(behind.clone());
            let writers = [&context.deps.records, &slow];
            let mut readers = vec![(context.clock.now(), Reader::default())];
            let mut last: BTreeMap<String, (Timestamp, Value)> = BTreeMap::new();
            for step in 0..120 {
                let millis = SignedDuration::from_millis(rng.random_range(0..4_000));
                context.pass(millis);
                behind.advance(millis);
                let (object, n) = (OBJECTS[rng.random_range(0..3)], rng.random_range(0..6));
                let key = id(object, n);
                let at = context.clock.now();
                let name = ObjectName::from_static(object);
                let (change, state) = if rng.random_bool(0.2) {
                    let record_id = key.parse().unwrap();
                    let gone =
                        Tombstone { record_id, system_modstamp: at, read_at: at, master_record_id: None, reason: None };
                    (Change::Tombstone(gone), json!("deleted"))
                } else {
                    let state = json!(format!("{}", rng.random_range(0..3)));
                    let fields = json!({"Name": state, "SystemModstamp": at});
                    let fields = fields.as_object().unwrap().clone();
                    let record = Record { object: name.clone(), id: key.parse().unwrap(), fields };
                    (Change::Upsert { record, read_at: at }, state)
                };
                writers[rng.random_range(0..2)].apply(context.org, &name, change).await.unwrap();
                last.insert(key, (at, state));
                if step % 40 == 20 {
                    readers.push((at, Reader::since(at)));
                }
                for (_, reader) in &mut readers {
                    if rng.random_bool(0.3) {
                        reader.read(&context, rng.random_range(1..6)).await;
                    }
                }
            }
            context.pass(SETTLING_TIME + SignedDuration::from_secs(1));
            for (start, reader) in &mut readers {
                while reader.read(&context, 3).await {
                    assert!(reader.pages < 500, "the feed does not end");
                }
                let (start, reader) = (*start, &*reader);
                for (key, (at, state)) in last.iter().filter(|(_, (at, _))| *at > start + SETTLING_TIME) {
                    assert_eq!(reader.known.get(key), Some(state), "seed {seed}: {key} changed at {at}");
                }
            }
        }
    });
}

#[test]
fn a_change_has_its_fields_or_its_deletion() {
    run(async {
        let context = TestContext::new().await;
        let stamp = "2026-11-22T09:00:00.000+0000";
        context.mirror("Account", &id("Account", 1), json!({"Name": "Acme", "SystemModstamp": stamp})).await;
        context.pass(SignedDuration::from_secs(1));
        let merged = Tombstone {
            record_id: id("Account", 2).parse().unwrap(),
            system_modstamp: context.clock.now(),
            read_at: context.clock.now(),
            master_record_id: Some(id("Account", 1).parse().unwrap()),
            reason: None,
        };
        let account = ObjectName::from_static("Account");
        context.deps.records.apply(context.org, &account, Change::Tombstone(merged)).await.unwrap();
        assert_eq!(changes(&context, "").await["changes"], json!([]), "they are not settled");

        context.pass(SETTLING_TIME);
        let page = changes(&context, "").await;
        let [first, second] = page["changes"].as_array().unwrap().as_slice() else { panic!("{page}") };
        assert_eq!((&first["object"], &first["org_id"]), (&json!("Account"), &json!(context.org)));
        assert_eq!((&first["fields"]["Name"], &first["deleted"]), (&json!("Acme"), &json!(false)));
        assert_eq!((&second["deleted"], &second["merged_into"]), (&json!(true), &json!(id("Account", 1))));
        assert_eq!((second.get("fields"), &page["more"]), (None, &json!(false)));

        let bare = changes(&context, "fields=none&limit=1").await;
        assert_eq!((bare["changes"][0].get("fields"), &bare["more"]), (None, &json!(true)));
        let rest = changes(&context, &format!("after={}", bare["next"].as_str().unwrap())).await;
        assert_eq!(rest["changes"].as_array().unwrap().len(), 1);
        assert_eq!(changes(&context, &format!("after={}", rest["next"].as_str().unwrap())).await["changes"], json!([]));
    });
}

#[test]
fn a_cursor_older_than_deletions_are_kept_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let next = changes(&context, "").await["next"].as_str().unwrap().to_owned();
        context.pass(SignedDuration::from_hours(90 * 24));
        for query in [format!("after={next}"), "since=2026-11-22T10:00:00Z".to_owned()] {
            let (status, problem) = context.fetch(&format!("/v1/changes?{query}")).await;
            assert_eq!((status, &problem["type"]), (StatusCode::GONE, &json!("urn:ferry:problem:cursor_expired")));
            assert!(problem["detail"].as_str().unwrap().contains("the feed begins at 2026-11-2"), "{problem}");
        }
        for query in ["after=x", "since=yesterday", "limit=201", "fields=some", "org=1"] {
            assert_eq!(context.fetch(&format!("/v1/changes?{query}")).await.0, StatusCode::BAD_REQUEST, "{query}");
        }
    });
}

#[test]
fn orgs_that_are_not_active_are_left_out_and_named() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!({"Name": "Acme", "SystemModstamp": "2026-11-22T09:00:00.000+0000"});
        context.mirror("Account", &id("Account", 1), fields).await;
        context.pass(SETTLING_TIME + SignedDuration::from_secs(1));
        assert_eq!(changes(&context, "").await["not_served"], json!([]));
        context.deps.orgs.set_state(context.org, OrgState::Disconnected, context.clock.now()).await.unwrap();
        let page = changes(&context, "").await;
        assert_eq!((&page["changes"], &page["not_served"]), (&json!([]), &json!([context.org])));
    });
}

#[test]
fn a_user_s_token_reads_no_feed_and_refreshes_nothing() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/records/Account/001000000000001/refresh", context.org);
        for request in [Request::get("/v1/changes"), Request::post(path)] {
            let token = harness::token("acme", Some(REP), harness::ALL_SCOPES);
            let request = request.extension(token).body(axum::body::Body::empty()).unwrap();
            let (status, problem) = context.send(router(context.deps.clone()), request).await;
            assert_eq!((status, &problem["type"]), (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:other_user")));
        }
    });
}
