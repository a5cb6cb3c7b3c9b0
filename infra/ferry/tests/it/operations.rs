//! `ferry upgrade`, `disconnect`, `transfer`, `lmo-address` and `polling`.

use std::pin::pin;

use futures::TryStreamExt as _;
use salesforce::Clock;
use serde_json::{Value, json};
use store::orgs::license_management::verify_sender;
use store::{Audit, AuditCounts, AuditState, Edition, OrgState, RefreshKind, RefreshTask, RowsHash};

use crate::stack::{ORG, Stack, run};

#[test]
fn an_upgrade_can_be_followed_and_rolled_back() {
    run(async {
        let stack = Stack::create().await;

        let status = stack.status();
        assert_eq!(status["left"][0]["connection"], "team");
        assert_eq!(status["left"].as_array().unwrap().len(), 1);
        let table = stack.succeed(&["upgrade", "status"]);
        assert!(table.contains("1 connection does not use the current app") && table.contains("acme"), "{table}");

        let said = stack.succeed(&["upgrade", "sunset", "--app", "v1", "--on", "2099-01-01"]);
        assert!(said.starts_with("v1 stops on 2099-01-01 (UTC), in "), "{said}");
        assert_eq!(stack.status()["apps"][0]["sunset"], "2099-01-01");
        assert!(stack.succeed(&["upgrade", "status"]).contains("2099-01-01, in "));

        assert!(stack.succeed(&["upgrade", "rollback", "--app", "v2"]).starts_with("New consents use v1 now."));
        assert_eq!(stack.status()["left"][0]["connection"], "rep-1");
        assert!(stack.succeed(&["upgrade", "resume", "--app", "v2"]).starts_with("New consents use v2 now."));
        stack.succeed(&["upgrade", "sunset", "--app", "v1", "--clear"]);

        let registrations = stack.registrations().await;
        assert_eq!(registrations["apps"][0], json!({ "name": "v1", "client_id": "1", "client_secret": "hush-1" }));
        assert_eq!(registrations["apps"][1]["client_secret"], "hush-2");
    });
}

#[test]
fn a_change_that_leaves_no_app_is_refused() {
    run(async {
        let stack = Stack::create().await;
        let before = stack.registrations().await;
        stack.succeed(&["upgrade", "rollback", "--app", "v2"]);

        let refused = stack.ferry(&["upgrade", "sunset", "--app", "v1", "--on", "2020-01-01"]);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(said, "ferry: nothing was changed: no app would take new consents\n");
        let unknown = stack.ferry(&["upgrade", "rollback", "--app", "v3"]);
        let said = String::from_utf8(unknown.stderr).unwrap();
        assert_eq!(
            said,
            format!(
                "ferry: app `v3` is not registered in the secret ferry/{}/apps; check --app and --stack\n",
                stack.name
            )
        );

        assert_eq!(stack.registrations().await["apps"][0], before["apps"][0]);
    });
}

#[test]
fn disconnect_prompts_and_refuses_unknown_orgs() {
    run(async {
        let stack = Stack::create().await;
        let output = stack.ferry(&["disconnect", "--org", ORG, "--all"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "ferry: could not ask for confirmation: standard input is not a terminal; add --yes\n"
        );

        let unknown = stack.ferry(&["disconnect", "--org", "00D5e000000KQ2fEAG", "--all", "--yes"]);
        assert_eq!(unknown.status.code(), Some(2));
        assert_eq!(
            String::from_utf8(unknown.stderr).unwrap(),
            "ferry: org 00D5e000000KQ2fEAG is unknown; check --org and --stack\n"
        );
    });
}

#[test]
fn the_license_management_secret_is_stored_as_a_hash() {
    run(async {
        let stack = Stack::create().await;
        let vendor = "00D79000000exLEEAY";
        let arguments = ["lmo-address", "--org", vendor, "--public-url", "https://ferry.example.com/"];

        let output = stack.ferry(&arguments);

        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{shown}");
        let base = format!("https://ferry.example.com/webhooks/licenses/{vendor}/");
        let secret = shown.lines().next().unwrap().strip_prefix(&base).unwrap().to_owned();
        let registered = stack.orgs().load_license_management().await.unwrap();
        assert!(verify_sender(registered.as_ref(), vendor.parse().ok(), &secret));
        assert!(!format!("{registered:?}").contains(&secret));
        let again = stack.ferry(&arguments);
        assert!(String::from_utf8(again.stdout).unwrap().contains("stays valid"));
        assert!(verify_sender(
            stack.orgs().load_license_management().await.unwrap().as_ref(),
            vendor.parse().ok(),
            &secret
        ));
        assert_eq!(
            stack.ferry(&["lmo-address", "--org", vendor, "--public-url", "http://ferry"]).status.code(),
            Some(2)
        );
    });
}

#[test]
fn polling_is_set_by_the_operator() {
    run(async {
        let stack = Stack::create().await;
        let polling = |choice| stack.succeed(&["polling", "--org", &ORG[..15], choice]);
        let polled = async || {
            let orgs = stack.orgs();
            let page = pin!(orgs.active()).try_next().await.unwrap().unwrap();
            page.iter().filter(|org| org.is_polled()).count()
        };

        assert!(
            polling("on")
                .starts_with(&format!("Org {ORG} is polled from the next scheduled run on, because an operator"))
        );
        assert_eq!(polled().await, 1);
        assert!(polling("off").contains("is not polled, because an operator"));
        assert_eq!(polled().await, 0);
        assert!(polling("by-edition").contains("because its edition is unknown"));
        let edition = Edition {
            organization_type: "Professional Edition".to_owned(),
            outbound_messages_unsupported: false,
            proven_at: Clock::system().now(),
        };
        stack.orgs().record_edition(ORG.parse().unwrap(), &edition).await.unwrap();
        let shown: Value = stack.json(&["polling", "--org", ORG, "by-edition"]);
        assert_eq!(shown["changes"], json!({ "by": "polling", "because": "edition" }));
        assert!(polling("off").contains("only the nightly refresh reads its changes"));
        let unknown = stack.fail(&["polling", "--org", "00D5e000000KQ2fEAG", "on"]);
        assert_eq!(unknown, (2, "ferry: org 00D5e000000KQ2fEAG is unknown; check --org and --stack\n".to_owned()));
    });
}

#[test]
fn an_org_is_transferred_once_its_connections_have_ended() {
    run(async {
        let stack = Stack::create().await;
        let transfer = ["transfer", "--org", ORG, "--to", "globex", "--yes", "--json"];

        // Without a token broker no connection can be revoked.
        let refused = stack.ferry(&transfer);
        assert_eq!(refused.status.code(), Some(3));
        let said = String::from_utf8(refused.stdout).unwrap();
        assert!(said.contains("was not transferred, because 2 connections are not fully revoked"), "{said}");
        let org = stack.org().await;
        assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Disconnected, "acme"));

        stack.forget_connections().await;
        let moved: Value = serde_json::from_str(&stack.succeed(&transfer)).unwrap();
        assert_eq!((&moved["from"], &moved["to"]), (&json!("acme"), &json!("globex")));
        let org = stack.org().await;
        assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Disconnected, "globex"));
        assert!(org.bound_at.is_some());
        let again = stack.succeed(&["transfer", "--org", ORG, "--to", "globex"]);
        assert!(again.contains("belongs to tenant `globex` already"), "{again}");
    });
}

#[test]
fn an_unknown_org_is_not_transferred() {
    run(async {
        let stack = Stack::create().await;
        let (code, said) = stack.fail(&["transfer", "--org", "00D5e000000KQ2fEAG", "--to", "globex", "--yes"]);
        assert_eq!(code, 2);
        assert!(said.contains("is unknown"), "{said}");
    });
}

#[test]
fn audits_are_shown_and_requested() {
    run(async {
        let stack = Stack::create().await;
        let (code, _) = stack.fail(&["audit", "--org", ORG]);
        assert_eq!(code, 3, "no audit is not green");
        let at = Clock::system().now();
        let audit = |object: &str, state, reason: Option<&str>| Audit {
            org_id: ORG.parse().unwrap(),
            object: object.parse().unwrap(),
            started_at: at,
            state,
            reason: reason.map(str::to_owned),
            counts: AuditCounts { checked: 1_840, missing: 2, repaired: 2, ..AuditCounts::default() },
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: at,
        };
        stack.audits().store(&audit("Account", AuditState::Finished, None)).await.unwrap();
        stack.audits().store(&audit("Contact", AuditState::Unfinished, Some("over_budget"))).await.unwrap();

        let account = stack.succeed(&["audit", "--org", ORG, "--object", "Account"]);
        assert!(account.contains("1,840 in the org") && account.contains("1 of 1 audit green"), "{account}");
        let all = stack.ferry(&["audit", "--org", ORG, "--json"]);
        let shown: Value = serde_json::from_slice(&all.stdout).unwrap();
        assert_eq!((all.status.code(), &shown["green"]), (Some(3), &json!(false)));
        assert_eq!(shown["audits"][1]["reason"], "over_budget");

        stack.succeed(&["audit", "--org", ORG, "--now"]);
        stack.succeed(&["audit", "--org", ORG, "--object", "Contact", "--now", "--confirm"]);
        let queued: Vec<RefreshTask> = stack.drain("PipelineRefreshQueue").await;
        let mut queued: Vec<_> =
            queued.iter().map(|task| (task.kind, task.object.as_ref().map(ToString::to_string))).collect();
        queued.sort_by_key(|(_, object)| object.clone());
        let expected = [(RefreshKind::Audit, None), (RefreshKind::ConfirmedAudit, Some("Contact".to_owned()))];
        assert_eq!(queued, expected);
    });
}
