//! Rows, messages and secrets that the code of 29 November 2026 stored (`tests/fixtures/stored/2026-11-29`) are read by the code of
//! today, and the work in them goes on.

use jiff::SignedDuration;
use salesforce::OrgId;
use secrecy::ExposeSecret as _;
use store::{
    BeginOutcome, ConnectionId, ConnectionState, Connections, NewWrite, OrgState, Orgs, TokenVault, WriteId, WriteKind,
    WriteState, WriteTask, Writes,
};

use crate::harness::{emulator, run};
use crate::upgrade::{at, stored_in, table_of};

const FOLDER: &str = "2026-11-29";
/// The idempotency key of the queued write.
const QUEUED_KEY: &str = "write-chaos-3-51";

fn org() -> OrgId {
    "00D5e0000000001EAA".parse().unwrap()
}

fn queued() -> WriteId {
    WriteId::derive(org(), &QUEUED_KEY.parse().unwrap())
}

#[test]
fn an_org_that_an_administrator_bound_is_read() {
    run(async {
        let (client, table, _) = table_of(FOLDER, "orgs").await;
        let orgs = Orgs::new(client, table);

        let found = orgs.load(org()).await.unwrap().unwrap();

        assert_eq!(
            (found.state, found.tenant.as_ref().map(|tenant| tenant.as_str())),
            (OrgState::Active, Some("acme"))
        );
        assert!(found.bound_at.is_some());
    });
}

#[test]
fn connections_with_rights_are_read_and_end() {
    run(async {
        let (client, table, count) = table_of(FOLDER, "connections").await;
        let connections = Connections::new(client, table);

        let all = connections.list(org()).await.unwrap();

        assert_eq!(all.len(), count);
        let team = all.iter().find(|connection| connection.connection_id.is_team()).unwrap();
        let rights = team.rights.as_ref().unwrap();
        assert!(rights.administrator && rights.limited_objects.is_empty());
        let reauth_required = ConnectionState::ReauthRequired { reason: "grant_ended".to_owned() };
        let of = |state: &ConnectionState| all.iter().filter(|connection| connection.state == *state).count();
        assert_eq!((of(&ConnectionState::Active), of(&reauth_required)), (4, 1));
    });
}

#[test]
fn a_queued_write_is_resumed_and_its_key_replays_it() {
    run(async {
        let (client, table, _) = table_of(FOLDER, "writes").await;
        let writes = Writes::new(client, table);
        let claim_ttl = SignedDuration::from_secs(60);
        let tasks: Vec<WriteTask> =
            serde_json::from_value(stored_in(FOLDER, "messages")["write_tasks"].clone()).unwrap();
        let [task] = &tasks[..] else { panic!("{tasks:?}") };
        assert_eq!((task.org_id, task.write_id), (org(), queued()));
        let before = writes.load(org(), queued()).await.unwrap().unwrap();
        assert_eq!((before.kind, before.state), (WriteKind::Records, WriteState::Queued));

        let repeated = NewWrite {
            org_id: org(),
            idempotency_key: QUEUED_KEY.parse().unwrap(),
            kind: WriteKind::Records,
            object: before.object.clone(),
            platform_user: before.platform_user.clone(),
            request: before.request.clone().unwrap(),
            retry_of: None,
            now: at(60 * 60 * 24),
            claim_ttl,
        };
        let replayed = writes.begin(&repeated).await.unwrap();
        assert!(matches!(&replayed, BeginOutcome::Replay(write) if write.write_id == queued()), "{replayed:?}");

        let resumed = writes.resume(task, at(60 * 60 * 24), claim_ttl).await.unwrap();
        let BeginOutcome::Started(write) = resumed else { panic!("{resumed:?}") };
        assert_eq!(write.request.unwrap()["batch"]["records"][0]["NumberOfEmployees"], 8);
    });
}

#[test]
fn finished_and_interrupted_writes_are_read() {
    run(async {
        let (client, table, _) = table_of(FOLDER, "writes").await;
        let writes = Writes::new(client, table);
        for row in stored_in(FOLDER, "writes").as_array().unwrap() {
            let id: WriteId = row["write_id"]["S"].as_str().unwrap().parse().unwrap();
            let write = writes.load(org(), id).await.unwrap().unwrap();
            match write.state {
                WriteState::Finished => assert!(write.response.is_some() && write.route.is_some(), "{write:?}"),
                _ => assert!(write.response.is_none(), "{write:?}"),
            }
        }
    });
}

#[test]
fn protected_tokens_are_read_and_deleted_by_version() {
    run(async {
        let client = aws_sdk_secretsmanager::Client::new(emulator().await.sdk_config());
        let prefix = format!("ferry/{}/tokens", local::unique_prefix());
        let vault = TokenVault::new(client.clone(), prefix.clone());
        let team = ConnectionId::team();
        let secret = stored_in(FOLDER, "secrets")["team"].to_string();
        let name = format!("{prefix}/{}/team", org());
        client.create_secret().name(name).secret_string(secret).send().await.unwrap();

        let (tokens, version) = vault.load(org(), &team).await.unwrap().unwrap();

        assert_eq!(tokens.refresh_token.expose_secret(), "refresh token of team");
        assert_eq!(tokens.grant.unwrap().app, "v2");
        assert!(vault.delete_version(org(), &team, &version).await.unwrap());
    });
}
