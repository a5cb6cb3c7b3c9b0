//! Property tests of writes in random order.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::Clock;
use crate::api::call::{Body, Call, Response};
use crate::api::rest::serve;
use crate::data::seed::{self, Seed};
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::people;
use crate::model::schema::FieldKind;

const KEY: &str = "Ferry_External_Id__c";

fn org() -> (Org, Actor) {
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let mut org = Org::production("http://127.0.0.1:1".to_owned(), clock);
    seed::fill(&mut org, Seed::Default).unwrap();
    let actor = people::admin(&org);
    (org, actor)
}

/// Returns every record of the org, deleted or not, with all its fields.
fn everything(org: &Org) -> Vec<(String, Map<String, Json>)> {
    let of = |name: &str| org.store.table(name).into_iter().flat_map(|table| table.rows());
    org.schema
        .objects()
        .flat_map(|object| of(&object.name).map(|row| (object.name.clone(), org.render_all(object, row, "66.0"))))
        .collect()
}

fn post(org: &mut Org, actor: &Actor, path: &str, body: Json) -> Response {
    serve(org, actor, &Call::new("POST", &format!("/services/data/v66.0/{path}"), Some(body)).unwrap())
}

fn patch(org: &mut Org, actor: &Actor, path: &str, body: Json) -> Response {
    serve(org, actor, &Call::new("PATCH", &format!("/services/data/v66.0/{path}"), Some(body)).unwrap())
}

fn json_of(answer: Response) -> Json {
    match answer.body {
        Body::Json(json) => json,
        _ => Json::Null,
    }
}

/// Returns dangling references: of any record to a missing record, or of a live record to a deleted one.
fn dangling(org: &Org) -> Vec<(RecordId, String)> {
    let mut found = Vec::new();
    for object in org.schema.objects() {
        let fields = object.fields.iter().enumerate();
        let references: Vec<_> = fields.filter(|(_, f)| f.kind == FieldKind::Reference).collect();
        for row in org.store.table(&object.name).into_iter().flat_map(|table| table.rows()) {
            for (at, field) in &references {
                let Some(to) = row.get(*at).as_id() else { continue };
                let target = org.schema.by_prefix(to.key_prefix()).and_then(|o| org.store.get(&o.name, to));
                let whole = target.is_some_and(|target| row.is_deleted() || !target.is_deleted());
                if !whole {
                    found.push((row.id().unwrap(), field.name.clone()));
                }
            }
        }
    }
    found
}

/// Generates a record of a collection: valid, without its required field, with a taken key, or with a bad value.
fn record() -> impl Strategy<Value = Json> {
    (0..5_u8, 0..4_u8).prop_map(|(kind, n)| match kind {
        0 => json!({"attributes": {"type": "Account"}, "Name": format!("N{n}"), KEY: format!("K{n}")}),
        1 => json!({"attributes": {"type": "Account"}, "Phone": "1"}),
        2 => json!({"attributes": {"type": "Account"}, "Name": "x", KEY: "ACC-1001"}),
        3 => json!({"attributes": {"type": "Contact"}, "LastName": "x", "Email": "bad"}),
        _ => json!({"attributes": {"type": "Contact"}, "LastName": format!("L{n}")}),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_rolled_back_collection_leaves_the_store_unchanged(records in prop::collection::vec(record(), 1..12)) {
        let (mut org, actor) = org();
        let before = everything(&org);
        let body = json!({"allOrNone": true, "records": records});
        let answer = json_of(post(&mut org, &actor, "composite/sobjects", body));
        let results = answer.as_array().unwrap();
        let all_good = results.iter().all(|result| result["success"] == true);
        if all_good {
            prop_assert_eq!(everything(&org).len(), before.len() + results.len());
        } else {
            prop_assert!(results.iter().all(|result| result["success"] == false));
            prop_assert_eq!(everything(&org), before);
        }
    }

    #[test]
    fn a_rolled_back_composite_leaves_the_store_unchanged(records in prop::collection::vec(record(), 1..12)) {
        let (mut org, actor) = org();
        let before = everything(&org);
        let part = |(n, record): (usize, &Json)| {
            let object = record["attributes"]["type"].as_str().unwrap();
            json!({"method": "POST", "url": format!("/services/data/v66.0/sobjects/{object}"), "referenceId": format!("r{n}"), "body": record})
        };
        let parts: Vec<Json> = records.iter().enumerate().map(part).collect();
        let body = json!({"allOrNone": true, "compositeRequest": parts});
        let answer = json_of(post(&mut org, &actor, "composite", body));
        let statuses: Vec<u64> = answer["compositeResponse"].as_array().unwrap().iter().map(|p| p["httpStatusCode"].as_u64().unwrap()).collect();
        if statuses.iter().all(|status| *status == 201) {
            prop_assert_eq!(everything(&org).len(), before.len() + records.len());
        } else {
            prop_assert!(statuses.iter().all(|status| *status == 400));
            prop_assert_eq!(everything(&org), before);
        }
    }

    #[test]
    fn an_upsert_never_creates_a_key_twice(calls in prop::collection::vec((0..3_u8, any::<bool>(), any::<bool>()), 1..20)) {
        let (mut org, actor) = org();
        for (n, upper, many) in calls {
            let key = if upper { format!("KEY-{n}") } else { format!("key-{n}") };
            if many {
                let record = json!({"attributes": {"type": "Account"}, "Name": "many", KEY: key});
                patch(&mut org, &actor, &format!("composite/sobjects/Account/{KEY}"), json!({"records": [record]}));
            } else {
                patch(&mut org, &actor, &format!("sobjects/Account/{KEY}/{key}"), json!({"Name": "one"}));
            }
        }
        let object = org.object("Account").unwrap();
        let at = object.position(KEY).unwrap();
        let mut keys: Vec<String> = org.store.table("Account").unwrap().rows().map(|row| row.get(at).as_text().to_lowercase()).filter(|key| key.starts_with("key-")).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), all);
    }

    #[test]
    fn merges_and_deletes_leave_no_dangling_reference(steps in prop::collection::vec((0..3_u8, 0..6_usize, 0..6_usize), 1..16)) {
        let (mut org, actor) = org();
        let make = |org: &mut Org, object: &str, body: Json| org.create(&actor, object, body.as_object().unwrap()).unwrap();
        let accounts: Vec<RecordId> = (0..6).map(|n| make(&mut org, "Account", json!({"Name": format!("A{n}")}))).collect();
        for account in &accounts {
            let contact = make(&mut org, "Contact", json!({"LastName": "C", "AccountId": account.as_str()}));
            make(&mut org, "Opportunity", json!({"Name": "O", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": account.as_str(), "ContactId": contact.as_str()}));
        }
        for (kind, a, b) in steps {
            let before = org.savepoint();
            let done = match kind {
                0 => org.delete(&actor, "Account", accounts[a]),
                1 => org.undelete(&actor, "Account", accounts[a]),
                _ => org.merge(&actor, "Account", (accounts[a], &[accounts[b]]), &Map::new()).map(|_| ()),
            };
            if done.is_err() {
                org.rollback(&before);
            }
            prop_assert_eq!(dangling(&org), Vec::new());
        }
    }
}
