//! The whole contract against the simulator, and what the runner promises: no leftovers, no secrets, a run that resumes.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;

use contract::check::Outcome;
use contract::report::Report;
use contract::run::Options;
use contract::target::Target;
use contract::{Error, run, simulator};
use org_simulator::{OrgKind, Seed, Simulator};
use tokio::runtime::Runtime;

/// The committed report, without its extension.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/simulator");

/// A running simulator. The contract's client blocks, so the simulator has threads of its own.
struct Org {
    runtime: Runtime,
    simulator: Option<Simulator>,
    target: Target,
}

impl Org {
    fn start(kind: OrgKind) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = org_simulator::Options {
            kind,
            seed: Seed::DeveloperEdition,
            send_outbound_messages: true,
            ..org_simulator::Options::default()
        };
        let started = runtime.block_on(Simulator::start(options)).unwrap();
        let target = simulator::prepare(started.url()).unwrap();
        Self { runtime, simulator: Some(started), target }
    }

    fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().unwrap()
    }

    fn run(&self, options: &Options) -> Report {
        run::run(self.target.clone(), options, |_, _, _| {}).unwrap()
    }

    /// Returns the counts of the records that checks create.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = self.simulator().record_counts();
        counts.retain(|object, _| !matches!(object.as_str(), "PermissionSet" | "PermissionSetAssignment"));
        counts
    }
}

impl Drop for Org {
    fn drop(&mut self) {
        let simulator = self.simulator.take().unwrap();
        self.runtime.block_on(simulator.stop());
    }
}

fn only(name: &str) -> Options {
    Options { only: Some(name.to_owned()), ..Options::default() }
}

#[test]
fn the_simulator_agrees_with_the_contract() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let before = org.counts();
    let report = org.run(&Options::default());

    let is_wrong = |outcome: &Outcome| matches!(outcome, Outcome::Differs { .. } | Outcome::NotRun { .. });
    let wrong: Vec<_> = report.entries.iter().filter(|entry| is_wrong(&entry.outcome)).collect();
    assert!(wrong.is_empty(), "mend the simulator or the check: {wrong:#?}");
    let committed: Report = serde_json::from_str(&std::fs::read_to_string(format!("{REPORT}.json")).unwrap()).unwrap();
    let changed: Vec<_> = report.entries.iter().filter(|entry| !committed.entries.contains(entry)).collect();
    assert!(
        changed.is_empty() && report.entries.len() == committed.entries.len(),
        "if this is right, run `cargo contract --simulator --report tests/contract/reports/simulator`: {changed:#?}"
    );
    assert!(report.left_over.is_empty(), "not deleted: {:?}", report.left_over);
    assert_eq!(org.counts(), before, "the checks left records");

    let text = report.markdown() + &serde_json::to_string(&report).unwrap();
    for secret in org.simulator().secrets() {
        assert!(!text.contains(&secret), "the report contains a secret");
    }
    assert!(!text.contains(org.simulator().url()) && !text.contains(&org.simulator().org_id()), "{text}");
}

#[test]
fn the_committed_report_is_as_the_command_writes_it() {
    let json = std::fs::read_to_string(format!("{REPORT}.json")).unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(std::fs::read_to_string(format!("{REPORT}.md")).unwrap(), report.markdown());
}

#[test]
fn a_production_org_is_refused_without_the_flag() {
    let org = Org::start(OrgKind::Production);
    let refused = run::run(org.target.clone(), &only("identity"), |_, _, _| {});
    assert!(matches!(refused, Err(Error::Production { .. })), "{refused:?}");
    assert!(matches!(run::clean(org.target.clone(), false), Err(Error::Production { .. })));
    let options = Options { in_production: true, ..only("version 66.0 is offered") };
    assert_eq!(org.run(&options).counts().agrees, 1);
}

#[test]
fn a_resumed_run_repeats_no_check_that_was_made() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let dir = tempfile::tempdir().unwrap();
    let options = Options { resume: Some(dir.path().join("run.json")), ..only("describe") };
    let first = org.run(&options);
    let requests = org.simulator().request_log().len();
    let second = org.run(&options);
    assert_eq!(first.entries, second.entries);
    let describes = org.simulator().request_log().split_off(requests);
    assert!(!describes.iter().any(|line| line.contains("/describe")), "{describes:?}");
}

#[test]
fn a_resumed_run_deletes_what_the_aborted_one_left() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    let fields = serde_json::json!({"Name": "Ferry contract 0badcafe left"});
    let admin = org.simulator().users()[0].username.clone();
    let id = org.simulator().create_record(&admin, "Account", fields.as_object().unwrap()).unwrap();
    let journal = serde_json::json!({
        "mark": "Ferry contract 0badcafe", "org": org.simulator().org_id(), "entries": [],
        "created": [{"object": "Account", "id": id}],
    });
    std::fs::write(&path, journal.to_string()).unwrap();

    org.run(&Options { resume: Some(path), ..only("version 66.0 is offered") });
    assert_eq!(org.simulator().record("Account", &id).unwrap()["IsDeleted"], true);
}

#[test]
fn clean_finds_leftovers_by_their_mark_alone() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let admin = org.simulator().users()[0].username.clone();
    let create = |object: &str, fields: serde_json::Value| {
        org.simulator().create_record(&admin, object, fields.as_object().unwrap()).unwrap()
    };
    let marked = create("Account", serde_json::json!({"Name": "Ferry contract 0badcafe left"}));
    let other = create("Account", serde_json::json!({"Name": "Ferry contractors"}));
    let contact =
        create("Contact", serde_json::json!({"LastName": "Ferry contract 0badcafe child", "AccountId": marked}));

    let deleted = run::clean(org.target.clone(), false).unwrap();
    assert!(deleted.contains(&("Account", 1)) && deleted.contains(&("Contact", 1)), "{deleted:?}");
    let is_deleted = |object: &str, id: &str| org.simulator().record(object, id).unwrap()["IsDeleted"] == true;
    assert!(is_deleted("Account", &marked) && is_deleted("Contact", &contact) && !is_deleted("Account", &other));
}

#[test]
fn a_check_of_an_org_that_answers_otherwise_differs() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let fault = serde_json::json!({
        "path": "/services/data/*/limits",
        "effect": {"kind": "answer", "status": 200, "content_type": "application/json", "body": "{}"},
    });
    org.simulator().fault(serde_json::from_value::<org_simulator::FaultRule>(fault).unwrap());
    let report = org.run(&only("limits have Max and Remaining"));
    let Outcome::Differs { expected, received } = &report.entries[0].outcome else { panic!("{:?}", report.entries[0]) };
    assert!(expected.contains("DailyApiRequests") && received == "200 {}", "{expected} / {received}");
    assert_eq!(report.counts().differs, 1);
}

#[test]
fn a_difference_shows_no_secret_and_no_name() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let admin = &org.simulator().users()[0];
    let other = org.simulator().access_token(&org.simulator().users()[1].username).unwrap();
    let hidden = [
        org.target.access_token.clone(),
        other,
        org.target.app.as_ref().and_then(|app| app.client_secret.clone()).unwrap(),
        org.simulator().url().to_owned(),
        org.simulator().org_id(),
        admin.username.clone(),
        admin.name.clone(),
        "5Aep861.refresh".to_owned(),
    ];
    let body = format!("see {} {{\"refresh_token\": \"{}\"}}", hidden[..7].join(" "), hidden[7]);
    let fault = serde_json::json!({
        "path": "/services/data/*/limits",
        "effect": {"kind": "answer", "status": 200, "content_type": "text/plain", "body": body},
    });
    org.simulator().fault(serde_json::from_value::<org_simulator::FaultRule>(fault).unwrap());
    let report = org.run(&only("limits have Max and Remaining"));
    assert_eq!(report.counts().differs, 1, "{report:?}");
    let text = report.markdown() + &serde_json::to_string(&report).unwrap();
    assert!(text.contains("ACCESS_TOKEN"), "the answer is shown: {text}");
    let shown: Vec<_> = hidden.iter().filter(|hidden| text.contains(hidden.as_str())).collect();
    assert!(shown.is_empty(), "{shown:?} in {text}");
}

#[test]
fn a_check_without_an_answer_is_not_run() {
    let org = Org::start(OrgKind::DeveloperEdition);
    let fault = serde_json::json!({"path": "/services/data/*/limits", "effect": {"kind": "reset_before"}});
    org.simulator().fault(serde_json::from_value::<org_simulator::FaultRule>(fault).unwrap());
    let report = org.run(&only("limits have Max and Remaining"));
    assert_eq!((report.counts().not_run, report.counts().agrees), (1, 0), "{report:?}");
}

#[test]
fn checks_that_need_another_org_agree_there() {
    let mut org = Org::start(OrgKind::DeveloperEdition);
    let agrees = |org: &Org, name: &str| {
        let report = org.run(&only(name));
        assert_eq!(report.counts().agrees, report.entries.len(), "{report:?}");
    };
    let settings = |org: &Org, value: serde_json::Value| {
        let url = format!("{}/_simulator/settings", org.simulator().url());
        let sent = org.runtime.block_on(reqwest::Client::new().post(url).json(&value).send()).unwrap();
        assert!(sent.status().is_success());
    };
    settings(&org, serde_json::json!({"rotate_refresh_tokens": false}));
    agrees(&org, "without rotation the old refresh token");

    let fault = serde_json::json!({"path": "/services/data/*/limits", "effect": {"kind": "concurrent_limit_exceeded"}});
    org.simulator().fault(serde_json::from_value::<org_simulator::FaultRule>(fault).unwrap());
    agrees(&org, "the daily limit is refused as TotalRequests");
    org.simulator().clear_faults();

    settings(&org, serde_json::json!({"edition": "Professional Edition"}));
    let options = Options { in_production: true, ..only("an edition without outbound messages") };
    let report = org.run(&options);
    assert_eq!(report.counts().agrees, 1, "{report:?}");

    settings(&org, serde_json::json!({"edition": "Developer Edition"}));
    let admin = org.simulator().users()[0].username.clone();
    let account = serde_json::json!({"Name": "Relayed"});
    org.simulator().create_record(&admin, "Account", account.as_object().unwrap()).unwrap();
    let mut event = org.simulator().relayed_events("Ferry__chn").unwrap().pop().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("event.json");
    std::fs::write(&path, event.to_string()).unwrap();
    org.target.relayed_event = Some(path.clone());
    agrees(&org, "a relayed event has the change in detail.payload");
    agrees(&org, "a relayed event names its type");
    agrees(&org, "a rule forwards events to another bus");

    // The simulator has no overflow events.
    let header = &mut event["detail"]["payload"]["ChangeEventHeader"];
    (header["changeType"], header["recordIds"]) = ("GAP_OVERFLOW".into(), serde_json::json!(["000000000000000AAA"]));
    std::fs::write(&path, event.to_string()).unwrap();
    agrees(&org, "an overflow event has 000000000000000AAA");

    std::fs::write(&path, r#"{"detail": {"ChangeEventHeader": {}}}"#).unwrap();
    assert_eq!(org.run(&only("a relayed event has the change in detail.payload")).counts().differs, 1);
}
