//! Several orgs in one batch: the failures of one do not affect the others.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use org_simulator::{Effect, OrgOptions, Simulator};
use record_upsert::handle;
use runtime::TokenBroker;
use runtime::invoke::Invoke;
use runtime::token_broker::{Request, Response, Token};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, ObjectName, OrgId, RecordId, Timeouts};
use serde_json::{Map, Value, json};
use store::{ChangeHint, DeliveryOutcome, RecordRef};

use crate::failures::fault;
use crate::harness::{MINUTE, TestContext, batch};

/// Issues the access tokens of simulated orgs: by org id, the simulator and the username of its admin.
#[derive(Clone)]
struct Sessions(Arc<HashMap<OrgId, (Arc<Simulator>, String)>>);

impl Invoke for Sessions {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        Box::pin(async move {
            let Request::AccessToken(request) = serde_json::from_slice(&payload).unwrap() else {
                panic!("not a request for an access token")
            };
            let (simulator, admin) = &self.0[&request.org_id];
            let access_token = simulator.access_token(admin).unwrap().into();
            let token = Token { access_token, instance_url: simulator.url().to_owned(), report_acceptance: false };
            Ok(serde_json::to_vec(&Response::Token(token)).unwrap())
        })
    }
}

/// A test context with several orgs.
pub(crate) struct Orgs {
    pub(crate) context: TestContext,
    sessions: Sessions,
    pub(crate) ids: Vec<OrgId>,
}

impl Orgs {
    pub(crate) async fn start(count: usize) -> Self {
        let mut context = TestContext::new().await;
        let mut orgs = HashMap::new();
        let mut ids = Vec::new();
        for _ in 0..count {
            let simulator = Arc::new(context.simulator.add_org(OrgOptions::default()).await.unwrap());
            let admin = simulator.users().iter().find(|user| user.is_admin).unwrap().username.clone();
            let id: OrgId = simulator.org_id().parse().unwrap();
            context.activate(id).await;
            ids.push(id);
            orgs.insert(id, (simulator, admin));
        }
        assert_eq!(orgs.len(), count, "two orgs have the same id");
        let sessions = Sessions(Arc::new(orgs));
        let policy = HostPolicy::LoopbackToo;
        let timeouts = Timeouts {
            attempt: std::time::Duration::from_secs(60),
            total: std::time::Duration::ZERO,
            ..Timeouts::default()
        };
        let http = Http::new(policy, Clock::system()).unwrap().with_timeouts(timeouts);
        let broker = TokenBroker::new(sessions.clone(), policy, context.clock.clone());
        context.deps.salesforce = runtime::Salesforce::new(http, ApiVersion::DEFAULT, broker);
        Self { context, sessions, ids }
    }

    pub(crate) fn simulator(&self, org: OrgId) -> &Simulator {
        &self.sessions.0[&org].0
    }

    /// Creates a record and returns a hint of it.
    pub(crate) fn create(&self, org: OrgId, object: &str, fields: Value) -> ChangeHint {
        let (simulator, admin) = &self.sessions.0[&org];
        let id = simulator.create_record(admin, object, fields.as_object().unwrap()).unwrap();
        let record_id: RecordId = id.parse().unwrap();
        let object: ObjectName = object.parse().unwrap();
        ChangeHint { record: Some(RecordRef { object, record_id }), ..self.context.hint_of(org, record_id) }
    }

    pub(crate) fn in_org(&self, hint: &ChangeHint) -> Map<String, Value> {
        let RecordRef { object, record_id } = hint.record.as_ref().unwrap();
        self.simulator(hint.org_id).record(object.as_str(), record_id.as_str()).unwrap()
    }
}

#[test]
fn failing_orgs_do_not_affect_the_others() {
    harness::run(async {
        let orgs = Orgs::start(6).await;
        let failures = [
            (Effect::Unavailable, "salesforce_unavailable"),
            (Effect::UnableToLockRow, "UNABLE_TO_LOCK_ROW"),
            (Effect::RequestLimitExceeded, "daily_limit"),
            (Effect::Delay { delay_ms: 120_000 }, "org_too_slow"),
        ];
        for ((effect, _), org) in failures.iter().zip(&orgs.ids) {
            orgs.simulator(*org).fault(fault("composite/sobjects", 100, effect.clone()));
        }
        let name = |n: usize| json!({ "Name": format!("Account {n}") });
        let hints: Vec<_> = (0..60).map(|n| orgs.create(orgs.ids[n % 6], "Account", name(n))).collect();
        let deadline = orgs.context.clock.now() + SignedDuration::from_secs(8);

        let report = handle(&orgs.context.deps, batch(&hints), deadline).await.unwrap();

        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(orgs.context.queued().await, (0, 40));
        for (n, hint) in hints.iter().enumerate() {
            let expected = match failures.get(n % 6) {
                Some((_, reason)) => DeliveryOutcome::Deferred { reason: (*reason).to_owned() },
                None => DeliveryOutcome::Applied,
            };
            assert_eq!(orgs.context.outcome(hint).await, Some(expected), "{n}");
        }
    });
}

#[test]
fn a_busy_org_and_quiet_ones_are_settled_by_one_batch() {
    harness::run(async {
        let orgs = Orgs::start(3).await;
        let busy = (0..300).map(|n| orgs.create(orgs.ids[0], "Account", json!({ "Name": format!("Busy {n}") })));
        let mut hints: Vec<_> = busy.collect();
        hints.insert(100, orgs.create(orgs.ids[1], "Account", json!({ "Name": "Quiet" })));
        hints.push(orgs.create(orgs.ids[2], "Account", json!({ "Name": "Also quiet" })));

        let report = handle(&orgs.context.deps, batch(&hints), orgs.context.clock.now() + MINUTE).await.unwrap();

        assert!(report.failed.is_empty());
        for hint in [&hints[100], &hints[301], &hints[7]] {
            let RecordRef { object, record_id } = hint.record.as_ref().unwrap();
            let row = orgs.context.deps.records.load(hint.org_id, object, *record_id).await.unwrap().unwrap();
            assert_eq!(row.fields.get("Name"), orgs.in_org(hint).get("Name"));
        }
    });
}
