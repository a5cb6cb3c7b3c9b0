//! A broker process killed at every step of a refresh and of a consent, for sure: a proxy holds the request that the step consists of, and
//! the process dies while it is held.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bench::{Proxy, RuntimeApi, Side};
use jiff::SignedDuration;
use runtime::token_broker::{ExchangeCode, RefusalCode, Request, Token};
use salesforce::{Clock, Fingerprint};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{ConnectionKind, ConnectionState};

use crate::harness::TestContext;

const TOKEN_REQUEST: &str = "POST /services/oauth2/token";
const REVOCATION: &str = "POST /services/oauth2/revoke";

/// A request of the refresh, by its place among those of its name, and what a kill on either side of it leaves behind.
struct Step {
    what: &'static str,
    request: &'static str,
    passes: usize,
    before: Left,
    after: Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The refresh token in the vault is the live one: the next broker goes on.
    Good,
    /// Salesforce gave tokens that nobody has: only a person can help.
    AnswerLost,
}

/// Every request of a refresh by a process that has just started, in their order.
const STEPS: [Step; 9] = {
    use Left::{AnswerLost, Good};
    const fn step(what: &'static str, request: &'static str, passes: usize, before: Left, after: Left) -> Step {
        Step { what, request, passes, before, after }
    }
    [
        step("the row is read", "GetItem", 0, Good, Good),
        step("the vault is read", "GetSecretValue", 0, Good, Good),
        step("the lease is claimed", "UpdateItem", 0, Good, Good),
        step("the row is read under the lease", "GetItem", 1, Good, Good),
        step("the vault is read under the lease", "GetSecretValue", 1, Good, Good),
        step("the app is read", "GetSecretValue", 2, Good, Good),
        step("the token request", TOKEN_REQUEST, 0, Good, AnswerLost),
        step("the tokens are stored", "PutSecretValue", 0, AnswerLost, Good),
        step("the refresh is settled", "UpdateItem", 1, Good, Good),
    ]
};

/// Every request of a consent that replaces a grant, by a process that has just started, in their order.
const CONSENT: [(&str, &str, usize); 10] = [
    ("the app is read", "GetSecretValue", 0),
    ("the token request", TOKEN_REQUEST, 0),
    ("the org is read", "GetItem", 0),
    ("the vault is read", "GetSecretValue", 1),
    ("the row is read", "GetItem", 1),
    ("the connection is reserved", "PutItem", 0),
    ("the grants are counted", "Query", 0),
    ("the tokens are stored", "PutSecretValue", 0),
    ("the connection is active", "UpdateItem", 0),
    ("the old grant is revoked", REVOCATION, 0),
];

/// A context with a proxy to AWS and one to the org, for the process that is killed.
struct KillTest {
    context: TestContext,
    aws: Proxy,
    salesforce: Proxy,
}

impl KillTest {
    async fn new() -> Self {
        let context = TestContext::new().await;
        let aws = Proxy::start(context.emulator.endpoint()).await.unwrap();
        let salesforce = Proxy::start(context.org.url()).await.unwrap();
        Self { context, aws, salesforce }
    }

    /// A fresh grant, whose refreshes go through the proxy.
    async fn connect(&self) -> Token {
        let consent = self.consent().await;
        self.context.exchange(consent).await.unwrap();
        self.context.token(None).await.unwrap()
    }

    async fn consent(&self) -> ExchangeCode {
        let login_url = self.salesforce.url();
        self.context.consent_to("v2", login_url, self.context.admin(), ConnectionKind::Team).await
    }

    fn start_broker(&self) -> RuntimeApi {
        let environment = self.context.environment(self.aws.url());
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        RuntimeApi::start(Path::new(env!("CARGO_BIN_EXE_token-broker")), &environment).unwrap()
    }

    fn question(&self, refused: &Token) -> Value {
        json!({
            "operation": "access_token", "org_id": self.context.org_id(), "connection_id": "team",
            "refused_fingerprint": Fingerprint::of(&refused.access_token),
        })
    }

    /// Kills a broker at a point of its answer to this question.
    async fn kill_at(&self, (what, request, passes): (&str, &str, usize), side: Side, question: &Value) {
        let proxy = if request.starts_with("POST ") { &self.salesforce } else { &self.aws };
        let hold = proxy.hold(request, passes, side);
        let broker = self.start_broker();
        tokio::select! {
            reached = tokio::time::timeout(Duration::from_secs(120), hold.reached()) => {
                let why = format!("{what} ({side:?}) was never reached");
                reached.expect(&why).expect(&why);
            }
            answer = broker.invoke(question) => panic!("{what} ({side:?}) was not reached: {answer:?}"),
        }
        broker.kill().await;
    }

    /// A later broker, for whom the lease of the dead one has run out.
    async fn later(&mut self, refused: &Token) -> Result<Token, RefusalCode> {
        let before = self.context.deps.clock.clone();
        self.context.deps.clock = Clock::manual(before.now() + SignedDuration::from_secs(61));
        let answer = self.context.token(Some(refused)).await;
        self.context.deps.clock = before;
        answer.map_err(|refusal| refusal.code)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_at_any_point_of_a_refresh_loses_only_what_salesforce_alone_had() {
    let mut test = KillTest::new().await;
    for step in &STEPS {
        for (side, left) in [(Side::Before, step.before), (Side::After, step.after)] {
            let point = format!("{} ({side:?})", step.what);
            let old = test.connect().await;
            let (issued, stored) = (test.context.token_answers(), test.context.refresh_token().await);

            test.kill_at((step.what, step.request, step.passes), side, &test.question(&old)).await;

            let was_issued = test.context.token_answers() > issued;
            let was_stored = test.context.refresh_token().await != stored;
            let truly_lost = was_issued && !was_stored;
            assert_eq!(truly_lost, left == Left::AnswerLost, "{point}: the list is wrong");
            assert_eq!(test.context.connection().await.state, ConnectionState::Active, "{point}");
            match test.later(&old).await {
                Ok(new) => {
                    assert!(!truly_lost, "{point}");
                    assert!(test.context.is_accepted(&new).await, "{point}: a dead token was served");
                    assert_ne!(new.access_token.expose_secret(), old.access_token.expose_secret(), "{point}");
                    let next = test.later(&new).await.expect(&point);
                    assert!(test.context.is_accepted(&next).await, "{point}: the stored refresh token is dead");
                    assert_eq!(test.context.connection().await.state, ConnectionState::Active, "{point}");
                }
                Err(code) => {
                    assert!(truly_lost, "{point}: {code:?}");
                    let reason = "answer_lost".to_owned();
                    let state = test.context.connection().await.state;
                    assert_eq!(state, ConnectionState::ReauthRequired { reason }, "{point}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_at_any_point_of_a_reconnect_leaves_a_connection_that_works() {
    let mut test = KillTest::new().await;
    for step in CONSENT {
        for side in [Side::Before, Side::After] {
            let point = format!("{} ({side:?})", step.0);
            let old = test.connect().await;
            let before = test.context.connection().await;
            let consent = serde_json::to_value(Request::ExchangeCode(test.consent().await)).unwrap();

            test.kill_at(step, side, &consent).await;

            let token = test.later(&old).await.expect(&point);
            assert!(test.context.is_accepted(&token).await, "{point}");
            let next = test.later(&token).await.expect(&point);
            assert!(test.context.is_accepted(&next).await, "{point}");
            let after = test.context.connection().await;
            assert_eq!((after.state, after.created_at), (ConnectionState::Active, before.created_at), "{point}");
        }
    }
}

/// The requests since the last time, to AWS and to Salesforce.
fn requests(test: &KillTest) -> BTreeMap<String, usize> {
    let mut requests = test.aws.take_counts();
    requests.append(&mut test.salesforce.take_counts());
    requests
}

fn counted<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name.to_owned()).or_insert(0) += 1);
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lists_of_points_have_every_request() {
    let test = KillTest::new().await;
    let old = test.connect().await;
    let consent = serde_json::to_value(Request::ExchangeCode(test.consent().await)).unwrap();
    let (refreshing, consenting) = (test.start_broker(), test.start_broker());

    requests(&test);
    refreshing.invoke(&test.question(&old)).await.unwrap();
    assert_eq!(requests(&test), counted(STEPS.iter().map(|step| step.request)));

    consenting.invoke(&consent).await.unwrap();
    assert_eq!(requests(&test), counted(CONSENT.iter().map(|(_, request, _)| *request)));
}
