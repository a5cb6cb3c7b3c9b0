//! Rows, messages and secrets that version 0.1.0 stored (`tests/fixtures/stored/0.1.0`) are read by the code of today.
//!
//! A member that this code requires and that version did not write fails these tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use salesforce::{Clock, ObjectName, OrgId, RecordId};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::apps::{newest, public};
use store::orgs::license_management::verify_sender;
use store::{
    Apps, AuthorizationId, Authorizations, BeginOutcome, Budgets, ChangeHint, Connection, ConnectionKind,
    ConnectionState, Connections, CursorName, Cursors, Deliveries, DeliveryOutcome, DetectionMethod, Lane, NewWrite,
    Org, OrgState, Orgs, Origins, Pipeline, Pipelines, PollingChoice, Purpose, Records, RefreshKind, RefreshTask,
    SavedVersion, Source, TokenVault, WriteId, WriteKind, WriteState, WriteTask, Writes, verify_webhook_secret,
};

use crate::harness::{emulator, run, state, tables};

/// The webhook secrets whose hashes are stored: of the active org, first the older one, and of the License Management Org.
const WEBHOOK_SECRETS: [&str; 3] = [
    "H77IFLGLHUw-qnzsQQB-BL8KmEU7Bux1gqopiCxS634",
    "7NnEpT6hXxhEewj7lqE8WrfcfSQGexAvy6r3s5ylLm0",
    "h6l3l0iIjaXZa7vOBBtRCcb_wMTzBWHAFwOEpZItnqE",
];

/// Returns a file of the fixture of version 0.1.0.
fn stored(name: &str) -> Value {
    stored_in("0.1.0", name)
}

/// Returns a file of a folder of fixtures.
pub(crate) fn stored_in(folder: &str, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/stored").join(folder);
    serde_json::from_str(&fs::read_to_string(folder.join(name).with_extension("json")).unwrap()).unwrap()
}

/// Puts the rows of version 0.1.0 into a new table. Returns a client, the table's name, and the number of rows.
async fn stored_table(name: &str) -> (Client, String, usize) {
    table_of("0.1.0", name).await
}

/// Puts the rows of a folder into a new table. Returns a client, the table's name, and the number of rows.
pub(crate) async fn table_of(folder: &str, name: &str) -> (Client, String, usize) {
    let (client, tables) = tables().await;
    let table = tables.name(name);
    let rows = stored_in(folder, name);
    let rows = rows.as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        client.put_item().table_name(&table).set_item(Some(item(row))).send().await.unwrap();
    }
    (client, table, rows.len())
}

/// Converts DynamoDB JSON.
fn item(row: &Value) -> HashMap<String, AttributeValue> {
    row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(typed: &Value) -> AttributeValue {
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "M" => AttributeValue::M(item(value)),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(attribute).collect()),
        other => panic!("{other}"),
    }
}

/// Returns the base time of the fixtures, 2100-01-01, plus `seconds`.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(4_102_444_800 + seconds).unwrap()
}

fn org(n: usize) -> OrgId {
    format!("00D5e00000000{n:02}").parse().unwrap()
}

/// The org that has all the rows but those of other orgs.
fn acme() -> OrgId {
    org(2)
}

fn id(prefix: &str, n: usize) -> RecordId {
    format!("{prefix}5e000000{n:04}").parse().unwrap()
}

fn account() -> ObjectName {
    "Account".parse().unwrap()
}

#[test]
fn stored_orgs_are_read() {
    run(async {
        let (client, table, count) = stored_table("orgs").await;
        let orgs = Orgs::new(client, table);
        let load = async |n| -> Org { orgs.load(org(n)).await.unwrap().unwrap() };

        let states = [
            (1, OrgState::Claimed),
            (2, OrgState::Active),
            (3, OrgState::Disconnected),
            (4, OrgState::Uninstalled),
            (5, OrgState::Quarantined),
            (6, OrgState::Claimed),
        ];
        for (n, state) in &states {
            assert_eq!(load(*n).await.state, *state, "org {n}");
        }
        assert_eq!(count, states.len() + 1, "the other row is the License Management Org");

        let claimed = load(1).await;
        assert_eq!((claimed.tenant.as_ref(), claimed.package_version.as_deref()), (None, Some("1.0.1")));
        let active = load(2).await;
        assert_eq!(active.tenant.as_ref().map(|tenant| tenant.as_str()), Some("acme"));
        assert_eq!(active.package_version.as_deref(), Some("1.0.0"));
        assert_eq!(active.announced.as_ref().unwrap().package_version.as_deref(), Some("1.1.0"));
        assert_eq!(active.license.as_ref().unwrap().newest.status.as_str(), "Trial");
        assert_eq!(active.edition.as_ref().unwrap().organization_type, "Enterprise Edition");
        assert_eq!(active.polling, Some(PollingChoice { on: true, since: at(92) }));
        assert_eq!(active.change_detection().method, DetectionMethod::Polling);
        assert!(WEBHOOK_SECRETS[..2].iter().all(|secret| verify_webhook_secret(Some(&active), secret)));
        for n in [3, 4] {
            assert_eq!(load(n).await.tenant.as_ref().map(|tenant| tenant.as_str()), Some("acme"), "org {n}");
        }
        assert_eq!(load(5).await.quarantine.unwrap().copy_of, acme());
        assert_eq!(load(6).await.quarantine.unwrap().released_at, Some(at(100)));
        let vendor = orgs.load_license_management().await.unwrap();
        assert!(verify_sender(vendor.as_ref(), Some(org(9)), WEBHOOK_SECRETS[2]));

        // A changed row keeps what was stored.
        let closed = orgs.close(acme(), at(900)).await.unwrap();
        assert_eq!(
            (closed.state, closed.tenant, closed.license),
            (OrgState::Disconnected, active.tenant, active.license)
        );
    });
}

#[test]
fn stored_connections_are_read() {
    run(async {
        let (client, table, count) = stored_table("connections").await;
        let connections = Connections::new(client, table);

        let all = connections.list(acme()).await.unwrap();
        assert_eq!(all.len(), count);
        let find = |user: Option<&str>| -> &Connection {
            let is_wanted = |connection: &&Connection| match &connection.kind {
                ConnectionKind::Team => user.is_none(),
                ConnectionKind::Personal { platform_user } => Some(platform_user.as_str()) == user,
            };
            all.iter().find(is_wanted).unwrap()
        };

        let team = find(None);
        assert_eq!((&team.state, team.user_id, team.app.as_str()), (&ConnectionState::Active, id("005", 1), "v2"));
        assert_eq!((team.granted_at, team.refreshed_at), (Some(at(100)), Some(at(201))));
        assert_eq!(team.sunset_warning.unwrap().days, 30);
        assert!(team.token_version.is_some());
        assert_eq!(team.lease.fence, 2);
        assert_eq!(find(Some("rep-1")).state, ConnectionState::Uncertain);
        let displaced = ConnectionState::ReauthRequired { reason: "displaced".to_owned() };
        assert_eq!(find(Some("rep-2")).state, displaced);
        assert_eq!(find(Some("rep-3")).state, ConnectionState::Revoked);
        let pending = find(Some("rep-4"));
        let not_connected_yet = ConnectionState::ReauthRequired { reason: "not_connected_yet".to_owned() };
        assert_eq!(pending.state, not_connected_yet);
        assert_eq!(pending.pending.as_ref().unwrap().user_id, id("005", 5));
        assert_eq!(pending.lease.lease().unwrap().deadline, at(133));
        assert!(all.iter().all(|connection| connection.tenant.as_str() == "acme"));
    });
}

#[test]
fn stored_authorizations_are_valid_once() {
    run(async {
        let (client, table, count) = stored_table("authorizations").await;
        let authorizations = Authorizations::new(client, table);

        let purposes = [
            (Purpose::Ticket, "ticket"),
            (Purpose::State, "state"),
            (Purpose::AdminLink, "admin-link"),
            (Purpose::AdminSession, "admin-session"),
        ];
        assert_eq!(count, purposes.len());
        for (purpose, presented) in purposes {
            let id = AuthorizationId::derive(purpose, presented);
            let payload: Value = authorizations.consume(&id, at(0)).await.unwrap().unwrap();
            assert_eq!(payload["tenant"], "acme", "{presented}");
            assert_eq!(authorizations.peek::<Value>(&id, at(0)).await.unwrap(), None, "{presented}");
        }
    });
}

#[test]
fn stored_cursors_are_read() {
    run(async {
        let (client, table, count) = stored_table("cursors").await;
        let cursors = Cursors::new(client, table);
        let load = async |name: CursorName| cursors.load(acme(), &name).await.unwrap().unwrap();

        assert_eq!(cursors.list(acme()).await.unwrap().len(), count);
        let backfill = load(CursorName::backfill(&account())).await;
        assert_eq!(backfill.position.unwrap().record_id, id("001", 1));
        assert!(backfill.checkpoint.is_some() && backfill.covered_until.is_none());
        let incremental = load(CursorName::incremental(&account())).await;
        assert_eq!((incremental.covered_until, incremental.checkpoint), (Some(at(300)), None));
        assert_eq!(load(CursorName::poll()).await.covered_until, Some(at(302)));
        assert_eq!(load(CursorName::pipelines()).await.covered_until, Some(at(303)));
    });
}

#[test]
fn stored_records_and_tombstones_are_read() {
    run(async {
        let (client, table, count) = stored_table("records").await;
        let records = Records::new(client, table);

        let page = records.list(acme(), &account(), None, 100).await.unwrap().records;
        let [live, deleted, merged] = &page[..] else { panic!("{page:?}") };

        assert_eq!(count, 3);
        assert_eq!((live.record_id, live.deleted), (id("001", 1), false));
        assert_eq!((&live.fields["Name"], &live.fields["Website"]), (&"Kestrel Instruments".into(), &Value::Null));
        assert_eq!(live.fields["AnnualRevenue"], 1_250_000.5);
        assert_eq!((live.system_modstamp, live.read_at), (at(300), at(310)));
        assert_eq!((deleted.record_id, deleted.deleted, deleted.master_record_id), (id("001", 2), true, None));
        assert_eq!((merged.deleted, merged.master_record_id), (true, Some(id("001", 1))));
        let counted = records.count(acme(), &account()).await.unwrap();
        assert_eq!((counted.live, counted.deleted), (1, 2));
    });
}

#[test]
fn stored_pipelines_are_read() {
    run(async {
        let (client, table, _) = stored_table("pipelines").await;
        let pipelines = Pipelines::new(client, table);

        let all = pipelines.list(acme()).await.unwrap();

        assert_eq!((all.len(), all[0].developer_name.as_str(), all[0].is_default), (1, "New_Business", true));
        let stages: Vec<_> = all[0].stages.iter().map(|stage| (stage.api_name.as_str(), stage.is_won)).collect();
        assert_eq!(stages, [("Prospecting", false), ("Closed Won", true), ("Closed Lost", false)]);
        let first = pipelines.replace(acme(), &all, at(900)).await.unwrap();
        assert_eq!((first.stored, first.unchanged), (1, 0), "the row gets the fingerprint that it does not have");
        let now = pipelines.list(acme()).await.unwrap();
        assert_eq!(Pipeline::changes(Some(&all[0]), &now[0]), [], "the fingerprint is no change of the pipeline");
        let second = pipelines.replace(acme(), &all, at(901)).await.unwrap();
        assert_eq!((second.stored, second.unchanged), (0, 1), "an unchanged pipeline is not written again");
    });
}

#[test]
fn stored_deliveries_are_read() {
    run(async {
        let (client, table, count) = stored_table("deliveries").await;
        let deliveries = Deliveries::new(client, table);

        let all: Vec<_> = deliveries.stream_since(acme(), at(0)).try_collect().await.unwrap();

        let failed = |reason: &str| DeliveryOutcome::Failed { reason: reason.to_owned() };
        let deferred = DeliveryOutcome::Deferred { reason: "the API limit of the org is reached".to_owned() };
        let outcomes = [
            DeliveryOutcome::Applied,
            DeliveryOutcome::Unchanged,
            DeliveryOutcome::Stale,
            DeliveryOutcome::NotVisible,
            DeliveryOutcome::Deleted,
            deferred,
            failed("INVALID_FIELD"),
            DeliveryOutcome::ObjectRefresh,
        ];
        assert_eq!(count, outcomes.len());
        assert!(all.iter().map(|delivery| &delivery.outcome).eq(&outcomes), "{all:?}");
        assert_eq!((all[7].source, &all[7].record), (Source::ChangeDataCapture, &None));
        assert_eq!(all[0].record.as_ref().unwrap().record_id, id("001", 1));
    });
}

#[test]
fn stored_writes_are_read_and_continued() {
    run(async {
        let (client, table, count) = stored_table("writes").await;
        let writes = Writes::new(client, table);
        let write_id = |key: &str| WriteId::derive(acme(), &key.parse().unwrap());
        let load = async |key: &str| writes.load(acme(), write_id(key)).await.unwrap().unwrap();

        let all = [
            ("in-progress", WriteKind::Records, WriteState::InProgress),
            ("queued", WriteKind::Records, WriteState::Queued),
            ("queued-note", WriteKind::Note, WriteState::Queued),
            ("queued-change", WriteKind::NoteUpdate, WriteState::Queued),
            ("done", WriteKind::Records, WriteState::Finished),
            ("done-note", WriteKind::Note, WriteState::Finished),
            ("refused", WriteKind::Records, WriteState::Finished),
        ];
        assert_eq!(count, all.len());
        for (key, kind, state) in all {
            let write = load(key).await;
            assert_eq!((write.kind, write.state), (kind, state), "{key}");
        }
        let done = load("done").await;
        assert_eq!(done.response.unwrap()["records"][0]["created"], true);
        assert_eq!(
            done.route.unwrap().connection_id,
            ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() }.connection_id()
        );
        assert_eq!(done.platform_user.unwrap().as_str(), "rep-1");
        let refused = load("refused").await;
        assert_eq!(refused.shown_state(), WriteState::Failed);
        assert_eq!(refused.response.unwrap()["problem"]["code"], "salesforce_rejected");

        // The stored digest is still that of the request, so that the key returns the first outcome.
        let claim_ttl = SignedDuration::from_secs(60);
        let repeated = NewWrite {
            org_id: acme(),
            idempotency_key: "done".parse().unwrap(),
            kind: WriteKind::Records,
            object: Some(account()),
            platform_user: Some("rep-1".parse().unwrap()),
            request: load("queued").await.request.unwrap(),
            retry_of: None,
            now: at(900),
            claim_ttl,
        };
        let repeated = writes.begin(&repeated).await.unwrap();
        assert!(matches!(&repeated, BeginOutcome::Replay(write) if write.write_id == write_id("done")), "{repeated:?}");

        for key in ["queued", "queued-note", "queued-change"] {
            let task = WriteTask { org_id: acme(), write_id: write_id(key), deferrals: 0, postponed_since: None };
            let accepted_at = load(key).await.updated_at;
            let resumed = writes.resume(&task, at(900), claim_ttl).await.unwrap();
            let BeginOutcome::Started(write) = resumed else { panic!("{key}: {resumed:?}") };
            assert_eq!(write.queued_at, Some(accepted_at), "{key}");
            assert!(write.request.is_some_and(|request| request.is_object()), "{key}");
        }
    });
}

#[test]
fn stored_origins_and_budgets_are_read() {
    run(async {
        let (client, table, _) = stored_table("origins").await;
        let saved = SavedVersion { by: id("005", 2), at: at(409) };
        let origin = Origins::new(client, table).find(acme(), id("001", 1), saved).await.unwrap().unwrap();
        assert!(origin.has_set("Name") && !origin.has_set("Website"));
        assert_eq!(origin.write_id, WriteId::derive(acme(), &"done".parse().unwrap()));

        let (client, table, _) = stored_table("budgets").await;
        let budget = Budgets::new(client, table).load(acme(), at(600)).await.unwrap().unwrap();
        let expected: BTreeMap<_, _> = Lane::ALL.into_iter().zip(1..).collect();
        assert_eq!((budget.max, budget.calls), (100_000, expected));
    });
}

/// Parses the messages of a queue.
fn messages<T: DeserializeOwned>(queue: &str) -> Vec<T> {
    let bodies = stored("messages")[queue].as_array().unwrap().clone();
    bodies.into_iter().map(|body| serde_json::from_str(&body.to_string()).unwrap()).collect()
}

#[test]
fn queued_messages_are_read() {
    let hints: Vec<ChangeHint> = messages("hints");
    let records = hints.iter().filter(|hint| hint.record.is_some()).count();
    assert_eq!((hints.len(), records, hints.iter().map(|hint| hint.deferrals.count).max()), (3, 2, Some(3)));

    let tasks: Vec<RefreshTask> = messages("refresh_tasks");
    let kinds: BTreeSet<_> = tasks.iter().map(|task| (format!("{:?}", task.kind), task.object.is_some())).collect();
    let expected = [
        (RefreshKind::Nightly, false),
        (RefreshKind::Backfill, false),
        (RefreshKind::Poll, false),
        (RefreshKind::Connections, false),
        (RefreshKind::Nightly, true),
        (RefreshKind::Backfill, true),
        (RefreshKind::Incremental, true),
    ];
    assert_eq!(kinds, expected.map(|(kind, has_object)| (format!("{kind:?}"), has_object)).into());

    let writes: Vec<WriteTask> = messages("write_tasks");
    let written: BTreeSet<_> = writes.iter().map(|task| task.write_id).collect();
    let keys = ["queued", "queued-note", "queued-change"].map(|key| key.parse().unwrap());
    assert!(writes.iter().all(|task| task.deferrals == 0));
    assert_eq!(written, keys.map(|key| WriteId::derive(acme(), &key)).into());
    assert!(hints.iter().map(|hint| hint.org_id).chain(tasks.iter().map(|task| task.org_id)).all(|org| org == acme()));
}

#[test]
fn stored_tokens_and_app_registrations_are_read() {
    run(async {
        let client = aws_sdk_secretsmanager::Client::new(emulator().await.sdk_config());
        let secrets = stored("secrets");
        let prefix = format!("ferry/{}/tokens", local::unique_prefix());
        let vault = TokenVault::new(client.clone(), prefix.clone());
        let team = ConnectionKind::Team;
        let rep = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
        for (kind, access_token, has_grant) in [(team, "access token 6", true), (rep, "access token 2", false)] {
            let connection = kind.connection_id();
            let secret = secrets[connection.as_str()].to_string();
            let name = format!("{prefix}/{}/{connection}", acme());
            client.create_secret().name(name).secret_string(secret).send().await.unwrap();

            let (tokens, _) = vault.load(acme(), &connection).await.unwrap().unwrap();
            assert_eq!(tokens.access_token.expose_secret(), access_token);
            assert!(tokens.refresh_token.expose_secret().starts_with("refresh token"));
            assert_eq!((tokens.issued_at, tokens.grant.is_some()), (at(101), has_grant));
        }

        let state = state().await;
        let secret = state.physical("AppsSecret").unwrap();
        client.put_secret_value().secret_id(secret).secret_string(secrets["apps"].to_string()).send().await.unwrap();
        let apps = Apps::new(client, secret, Clock::manual(at(0)));
        let older = apps.find("v1").await.unwrap().unwrap();
        assert_eq!((older.app.new_consents, older.app.days_left(at(0))), (false, Some(59)));
        let all = apps.load().await.unwrap();
        let newest = newest(public(&all), at(0)).unwrap();
        assert_eq!((newest.name.as_str(), newest.client_id.as_str()), ("v2", "client 2"));
        assert!(newest.install_url_production.is_some() && newest.install_url_sandbox.is_some());
        let registration = apps.find("v2").await.unwrap().unwrap();
        assert_eq!(registration.credentials().client_secret.expose_secret(), "secret 2");
    });
}
