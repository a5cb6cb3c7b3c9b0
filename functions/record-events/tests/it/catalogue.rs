//! Every event that the function builds, against the event catalogue.

use std::collections::BTreeSet;

use connecting::connect_links::ConnectLink;
use local::EventCatalogue;
use record_events::change::{Change, EventValues};
use record_events::pipeline::ChangedPipeline;
use record_events::{audit, budget, change, connection, object_fields, org, pipeline, write};
use salesforce::Condition;
use serde_json::{Value, json};
use store::origins::Origin;
use store::{
    Audit, BudgetWarning, BusEvent, Connection, EventKind, License, MirrorRecord, Org, OrgState, Pipeline, SeenFields,
    Tenant, Write, WriteKind,
};

use crate::{ORG, REP};

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

/// Parses a row that has what rows of its table have, and these members.
fn row<T: serde::de::DeserializeOwned>(mut base: Value, members: &Value) -> T {
    base.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    serde_json::from_value(base).unwrap()
}

fn record(members: &Value) -> MirrorRecord {
    let mut base = json!({
        "org_id": ORG, "object": "Opportunity", "record_id": "0065e00000AbCdEAAV", "fields": { "Name": "Deal", "Amount": 5 },
        "system_modstamp": "2026-11-22T10:15:30.000Z", "read_at": "2026-11-22T10:16:00.000Z", "deleted": false,
    });
    base.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    base["fields"] = base["fields"].to_string().into();
    serde_json::from_value(base).unwrap()
}

fn events_of_records() -> Vec<BusEvent> {
    let (live, gone) = (record(&json!({})), record(&json!({ "deleted": true, "fields": {} })));
    let hidden = record(&json!({ "deleted": true, "fields": {}, "deletion_reason": "purged_or_hidden" }));
    let saved_later = "2026-11-22T11:00:00.000Z";
    let large = record(&json!({ "fields": { "Description": "x".repeat(300_000) }, "system_modstamp": saved_later }));
    let merged = MirrorRecord { master_record_id: Some("0065e00000AbCdFAAV".parse().unwrap()), ..gone.clone() };
    let changes = [
        (None, live.clone()),
        (Some(live.clone()), large),
        (Some(live.clone()), gone.clone()),
        (Some(live.clone()), hidden),
        (Some(gone.clone()), merged),
        (Some(gone), live.clone()),
    ];
    let mut changes: Vec<_> =
        changes.into_iter().map(|(old, new)| Change::between(old, new, "change".to_owned()).unwrap()).collect();
    changes.push(Change::replay(live).unwrap());
    let at = "2026-11-22T10:15:30Z".parse().unwrap();
    let write_id = "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap();
    let origin = Origin { write_id, user_id: REP.parse().unwrap(), from: at, to: at, fields: vec!["Name".to_owned()] };
    let mut events = vec![change::event(&changes[0], &acme(), Some(&origin), EventValues::Names)];
    for values in [EventValues::Names, EventValues::Values] {
        events.extend(changes.iter().map(|change| change::event(change, &acme(), None, values)));
    }
    events
}

fn events_of_connections() -> Vec<BusEvent> {
    use connection::Kind;
    let base = json!({
        "org_id": ORG, "connection_id": "team", "kind": "team", "tenant": "acme",
        "user_id": REP, "app": "v1", "login_url": "https://login.salesforce.com",
        "instance_url": "https://acme.my.salesforce.com", "state": "active", "token_version": "2".repeat(32),
        "created_at": "2026-11-01T00:00:00.000Z", "connected_at": "2026-11-01T00:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z",
    });
    let connection = |members: Value| row::<Connection>(base.clone(), &members);
    let link = ConnectLink {
        url: "https://ferry.example.com/connect/one-time".to_owned().into(),
        expires_at: "2026-11-23T10:00:00Z".parse().unwrap(),
    };
    let condition = |condition: &Condition| {
        json!({
            "condition": condition, "condition_since": "2026-11-22T09:00:00.000Z", "condition_reported": true,
            "sessions_replaced": 0,
        })
    };
    let rights = |limited: &[&str]| json!({ "administrator": true, "limited_objects": limited });
    let mut events = Vec::new();
    let mut publish = |kind: Kind, members: Value| {
        let link = kind.has_link().then_some(&link);
        events.push(connection::event(&connection(members), kind, link, "change"));
    };
    publish(Kind::Connected, json!({ "rights": rights(&[]) }));
    publish(Kind::Connected, json!({ "rights": rights(&["Lead"]) }));
    publish(Kind::Connected, json!({ "kind": "personal", "platform_user": "rep-1" }));
    publish(Kind::ReauthRequired, json!({ "state": "reauth_required", "reason": "grant_ended" }));
    publish(Kind::Disconnected, json!({ "state": "revoked" }));
    publish(Kind::Unblocked, json!({}));
    publish(Kind::UpgradeRequired, json!({ "sunset_on": "2027-03-01", "sunset_warned_days": 30 }));
    Condition::ALL.iter().for_each(|code| publish(Kind::Blocked, condition(code)));
    assert!(events.iter().any(|event| event.data["access"] == "limited"), "rows with rights");
    events
}

fn events_of_orgs() -> Vec<BusEvent> {
    use org::Kind;
    let org_in = |state| Org {
        state,
        ..Org::claimed(ORG.parse().unwrap(), store::Environment::Sandbox, "2026-11-22T10:00:00Z".parse().unwrap())
    };
    let license: License = serde_json::from_value(json!({
        "modified_at": "2026-11-22T10:00:00.000Z", "status": "Active", "license_id": "a0a5e00000AbCdEAAV",
        "package_version": "1.4", "expires_on": "2027-01-01", "is_sandbox": true,
    }))
    .unwrap();
    let licensed = Org { license: Some(license), tenant: Some(acme()), ..org_in(OrgState::Active) };
    let copies = vec![
        serde_json::from_value(json!({ "org_id": "00D79000000exLEEAY", "seen_at": "2026-11-22T10:00:00.000Z" }))
            .unwrap(),
    ];
    let states = [OrgState::Claimed, OrgState::Active, OrgState::Uninstalled, OrgState::Disconnected];
    let mut events: Vec<_> =
        states.into_iter().map(|state| org::event(&org_in(state), Kind::State(state), "change")).collect();
    events.push(org::event(&licensed, Kind::LicenseChanged, "change"));
    events.push(org::event(&licensed, Kind::Erased, "change"));
    events.push(org::event(&Org { copies, ..licensed }, Kind::CopyDetected, "change"));
    events
}

fn events_of_writes() -> Vec<BusEvent> {
    let base = json!({
        "org_id": ORG, "write_id": "f423aba7-be8a-50bd-b8cc-e92831fc51f8", "kind": WriteKind::Records, "object": "Account",
        "platform_user": "rep-1", "attempt": 2, "request_digest": "d", "deadline": "2026-11-22T10:15:30.000Z",
        "created_at": "2026-11-22T10:15:30.000Z", "updated_at": "2026-11-22T10:15:30.000Z",
        "queued_at": "2026-11-22T10:15:31.000Z", "state": "finished",
    });
    let ended = |members: Value| write::event(&row::<Write>(base.clone(), &members), &acme(), "change");
    let answer = |answer: Value| json!({ "answer": answer.to_string() });
    let error = json!({ "code": "REQUIRED_FIELD_MISSING", "message": "m", "fields": ["LastName"] });
    let failed = json!({ "id": null, "success": false, "created": false, "errors": [error], "retryable": false });
    let made = json!({ "id": "0015e00000ZkM3hAAF", "success": true, "created": null, "errors": [] });
    let problem = serde_json::to_value(runtime::Problem::not_found("org")).unwrap();
    vec![
        ended(answer(json!({ "records": [made] }))),
        ended(answer(json!({ "records": [made, failed] }))),
        ended(answer(json!({ "problem": problem, "retryable": true }))),
        ended(json!({ "kind": WriteKind::Note, "answer": json!({ "note_id": "069000000000001AAA" }).to_string() })),
        ended(
            json!({ "kind": WriteKind::NoteUpdate, "answer": json!({ "note_id": "069000000000001AAA" }).to_string() }),
        ),
    ]
}

fn events_of_audits() -> Vec<BusEvent> {
    let base = json!({
        "org_id": ORG, "object": "Contact", "started_at": "2026-11-22T02:30:55.000Z", "state": "finished",
        "checked": 2, "mirrored": 1, "missing": 1, "surplus": 0, "stale": 0, "repaired": 1, "calls": 2, "buckets": 1,
        "org_hash": "0f", "mirror_hash": "0", "updated_at": "2026-11-22T02:31:07.000Z",
    });
    let ended = |members: Value| audit::event(&row::<Audit>(base.clone(), &members), &acme(), "change");
    vec![ended(json!({})), ended(json!({ "state": "unfinished", "reason": "over_budget" }))]
}

fn events_of_pipelines() -> Vec<BusEvent> {
    let base = json!({
        "record_type_id": "0125e000000AbCdAAK", "developer_name": "Sales", "name": "Sales",
        "is_active": true, "is_default": false, "fingerprint": "f", "valid_from": "2026-11-22T02:00:05.000Z", "stages": [],
    });
    let stage = |name: &str, members: Value| -> Value {
        let stage = json!({
            "api_name": name, "label": name, "sort_order": 1, "probability": 12.5, "is_closed": false, "is_won": false,
            "forecast_category": "Pipeline", "description": "We talk",
        });
        row(stage, &members)
    };
    let process = json!({ "id": "0195e000000AbCdAAK", "name": "Sales" });
    let plain = ["Meet", "Demo", "Gone", "Moved"].map(|name| stage(name, json!({})));
    let old = json!({
        "stages": plain, "business_process": process,
    });
    let changed = json!({
        "label": "Met", "probability": 20, "forecast_category": "Closed", "is_closed": true, "is_won": true,
        "is_default": true, "description": null,
    });
    let inactive = stage("Demo", json!({ "is_active": false, "in_use": true }));
    let stages = [stage("Moved", json!({})), stage("Meet", changed), stage("New", json!({})), inactive];
    let new = json!({
        "name": "Deals", "developer_name": "Deals", "is_active": false, "stages": stages, "fingerprint": "g",
    });
    let removed = json!({ "valid_until": "2026-11-23T02:00:05.000Z" });
    let large = json!({ "name": "x".repeat(300_000), "fingerprint": "h" });
    let pairs = [(None, &old), (Some(&old), &new), (Some(&new), &old), (Some(&old), &removed), (Some(&old), &large)];
    let mut built = BTreeSet::new();
    let events = pairs.into_iter().map(|(before, now)| {
        let of = |members: &Value| row::<Pipeline>(base.clone(), members);
        let (org, before) = (ORG.parse().unwrap(), before.map(of));
        let mut changed = ChangedPipeline::between(org, before.as_ref(), of(now), "change".to_owned()).unwrap();
        changed.pipeline.name.truncate(80);
        let event = pipeline::event(&changed, &acme());
        let kinds = event.data["changes"].as_array().unwrap().iter();
        built.extend(kinds.map(|change| change["change"].as_str().unwrap().to_owned()));
        event
    });
    let events: Vec<_> = events.collect();
    assert_eq!(built.len(), 17, "the kinds of changes that this test builds: {built:?}");
    events
}

fn events_of_fields() -> Vec<BusEvent> {
    let types = |of: &str, fields: &[&str]| -> store::cursors::fields::FieldTypes {
        fields.iter().map(|name| (name.parse().unwrap(), of.to_owned())).collect()
    };
    let at = |minute: &str| format!("2026-11-22T10:{minute}:00Z").parse().unwrap();
    let object = "Account".parse().unwrap();
    let first = SeenFields::first(ORG.parse().unwrap(), &object, types("string", &["Id", "Fax"]), at("30"));
    let other = first.after(types("double", &["Id", "Score__c"]), at("31")).unwrap();
    let shown = other.after(types("double", &["Id", "Score__c", "Fax"]), at("32")).unwrap();
    [other, shown].iter().map(|fields| object_fields::event(fields, &acme(), "change")).collect()
}

fn events_of_budgets() -> Vec<BusEvent> {
    let base = json!({
        "org_id": ORG, "day": "warning#2026-11-22#70", "percent": 70, "limit": "allocation", "used": 70, "max": 100,
        "forecast": 140, "window_ends_at": "2026-11-23T00:00:00.000Z", "warned_at": "2026-11-22T12:00:00.000Z",
    });
    let warned = |members: Value| budget::event(&row::<BudgetWarning>(base.clone(), &members), &acme(), "change");
    vec![warned(json!({})), warned(json!({ "percent": 90, "limit": "org" }))]
}

#[test]
fn every_event_matches_its_schema() {
    let catalogue = EventCatalogue::get().unwrap();
    let mut built = BTreeSet::new();
    for events in [
        events_of_records(),
        events_of_connections(),
        events_of_orgs(),
        events_of_writes(),
        events_of_audits(),
        events_of_pipelines(),
        events_of_fields(),
        events_of_budgets(),
    ] {
        for event in events {
            catalogue.check(&serde_json::to_value(&event).unwrap()).unwrap();
            built.insert(event.kind);
        }
    }
    // `event-delivery` builds the others.
    let is_own = |kind: &EventKind| !kind.as_str().starts_with("webhook_endpoint.");
    let kinds: BTreeSet<_> = EventKind::ALL.iter().copied().filter(is_own).collect();
    assert_eq!(built, kinds, "the types of events that this test builds");
}

#[test]
fn every_type_has_a_schema_and_every_schema_a_type() {
    let mut kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(EventCatalogue::get().unwrap().kinds().collect::<Vec<_>>(), kinds);
}
