//! `ferry erase` and `ferry export`.

use std::fs;

use salesforce::{Clock, ObjectName, Record};
use serde_json::{Value, json};
use store::{Change, ErasureTask, OrgState};

use crate::stack::{ORG, Stack, run};

#[test]
fn an_erasure_disconnects_the_org_and_is_queued() {
    run(async {
        let stack = Stack::create().await;
        let erasure = stack.json(&["erase", "--org", ORG, "--yes", "--no-wait"]);

        assert_eq!((&erasure["state"], &erasure["org_id"]), (&json!("waiting"), &json!(ORG)));
        let queued: Vec<ErasureTask> = stack.drain("DataErasureQueue").await;
        assert_eq!(queued.len(), 1);
        assert_eq!(erasure["erasure_id"], json!(queued[0].erasure_id));
        let again = stack.json(&["erase", "--org", ORG, "--yes", "--no-wait"]);
        assert_eq!(again, erasure, "the same erasure");
        let said = stack.succeed(&["erase", "--org", ORG, "--yes", "--no-wait"]);
        assert!(said.contains("are erased from") && said.contains("backups"), "{said}");
        let org = stack.orgs().load(ORG.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(org.state, OrgState::Disconnected);
    });
}

#[test]
fn an_erasure_prompts_and_refuses_unknown_orgs() {
    run(async {
        let stack = Stack::create().await;
        let (code, said) = stack.fail(&["erase", "--org", ORG]);
        assert_eq!((code, said.contains("add --yes")), (2, true), "{said}");
        let (code, _) = stack.fail(&["erase", "--org", "00D5e000000KQ2fEAG", "--yes"]);
        assert_eq!(code, 2);
        assert!(stack.drain::<Value>("DataErasureQueue").await.is_empty());
        let org = stack.orgs().load(ORG.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(org.state, OrgState::Active);
    });
}

#[test]
fn an_export_has_every_record_and_no_secret() {
    run(async {
        let stack = Stack::create().await;
        let contact = ObjectName::from_static("Contact");
        for n in 0..600 {
            let fields = json!({ "Name": "Ada", "SystemModstamp": "2026-11-22T09:00:00.000+0000" });
            let id = format!("0035e0000{n:06}").parse().unwrap();
            let record = Record { object: contact.clone(), id, fields: fields.as_object().unwrap().clone() };
            let change = Change::Upsert { record, read_at: Clock::system().now() };
            stack.records().apply(ORG.parse().unwrap(), &contact, change).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("export");

        let manifest = stack.json(&["export", "--org", ORG, "--to", to.to_str().unwrap()]);

        assert_eq!(manifest["files"]["records.jsonl"], 600);
        assert_eq!(manifest["files"]["connections.jsonl"], 2);
        let mut all = String::new();
        for (file, lines) in manifest["files"].as_object().unwrap() {
            let text = fs::read_to_string(to.join(file)).unwrap();
            assert_eq!(text.lines().count() as u64, lines.as_u64().unwrap(), "{file}");
            assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{file}");
            all += &text;
        }
        assert!(all.contains(r#""fields":{"Name":"Ada""#));
        for secret in ["0".repeat(64), "0".repeat(32), "webhook_secrets".to_owned(), "lease_".to_owned()] {
            assert!(!all.contains(&secret), "{secret}");
        }
        let stored: Value = serde_json::from_str(&fs::read_to_string(to.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(stored, manifest);
        let (code, said) = stack.fail(&["export", "--org", ORG, "--to", to.to_str().unwrap()]);
        assert_eq!((code, said.contains("exists")), (2, true), "{said}");
    });
}
