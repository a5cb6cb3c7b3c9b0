//! Kills a broker process at every request of a refresh and of a consent. A proxy holds the request while the process is
//! killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bench::{Outcome, Proxy, RuntimeApi, Side};
use jiff::SignedDuration;
use runtime::token_broker::{ExchangeCode, RefusalCode, Request, Token};
use salesforce::{Clock, Fingerprint};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{ConnectionKind, ConnectionState};

use crate::harness::TestContext;

const TOKEN_REQUEST: &str = "POST /services/oauth2/token";
const REVOCATION: &str = "POST /services/oauth2/revoke";
/// The timeout of the deployed function.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(25);

/// A request at which the broker is killed.
struct KillPoint {
    name: &'static str,
    request: &'static str,
    /// The number of requests of this name that pass before.
    skipped: usize,
}

/// A request of the refresh, and the state after a kill before and after it.
struct RefreshPoint {
    point: KillPoint,
    before: Tokens,
    after: Tokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokens {
    /// The refresh token in the vault is valid: the next broker continues.
    Valid,
    /// Salesforce issued tokens that were never stored: a user has to connect again.
    Lost,
}

const fn point(name: &'static str, request: &'static str, skipped: usize) -> KillPoint {
    KillPoint { name, request, skipped }
}

/// Every request of the first refresh after a consent, by a new process, in order.
const REFRESH: [RefreshPoint; 10] = {
    use Tokens::{Lost, Valid};
    const fn kill(point: KillPoint, before: Tokens, after: Tokens) -> RefreshPoint {
        RefreshPoint { point, before, after }
    }
    [
        kill(point("read the row", "GetItem", 0), Valid, Valid),
        kill(point("read the vault", "GetSecretValue", 0), Valid, Valid),
        kill(point("claim the lease", "UpdateItem", 0), Valid, Valid),
        kill(point("read the row under the lease", "GetItem", 1), Valid, Valid),
        kill(point("read the vault under the lease", "GetSecretValue", 1), Valid, Valid),
        kill(point("read the app", "GetSecretValue", 2), Valid, Valid),
        kill(point("protect the secret", "PutResourcePolicy", 0), Valid, Valid),
        kill(point("request tokens", TOKEN_REQUEST, 0), Valid, Lost),
        kill(point("store the tokens", "PutSecretValue", 0), Lost, Valid),
        kill(point("settle the refresh", "UpdateItem", 1), Valid, Valid),
    ]
};

/// Every request of a consent that replaces a grant, by a new process, in order.
const CONSENT: [KillPoint; 12] = [
    point("read the app", "GetSecretValue", 0),
    point("request tokens", TOKEN_REQUEST, 0),
    point("read the org", "GetItem", 0),
    point("list the connections", "Query", 0),
    point("read the row", "GetItem", 1),
    point("reserve the connection", "PutItem", 0),
    point("read the vault", "GetSecretValue", 1),
    point("count the grants", "Query", 1),
    point("store the tokens", "PutSecretValue", 0),
    point("protect the secret", "PutResourcePolicy", 0),
    point("activate the connection", "UpdateItem", 0),
    point("revoke the old grant", REVOCATION, 0),
];

/// A context, and the proxies through which the killed process reaches AWS and the org.
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

    /// Connects the team through the proxy, and returns its access token.
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

    fn token_request(&self, refused: &Token) -> Value {
        json!({
            "operation": "access_token", "org_id": self.context.org_id(), "connection_id": "team",
            "refused_fingerprint": Fingerprint::from_token(&refused.access_token),
        })
    }

    /// Kills a broker that handles `request`, at `point`.
    async fn kill_at(&self, point: &KillPoint, side: Side, request: &Value) {
        let name = point.name;
        let proxy = if point.request.starts_with("POST ") { &self.salesforce } else { &self.aws };
        let hold = proxy.hold(point.request, point.skipped, side);
        let broker = self.start_broker();
        tokio::select! {
            reached = tokio::time::timeout(Duration::from_secs(120), hold.reached()) => {
                let why = format!("{name} ({side:?}) was not reached");
                reached.expect(&why).expect(&why);
            }
            response = broker.invoke(request) => panic!("{name} ({side:?}) was not reached: {response:?}"),
        }
        broker.kill().await;
    }

    /// Requests a token from a broker for which the killed broker's lease has expired.
    async fn token_later(&mut self, refused: &Token) -> Result<Token, RefusalCode> {
        let before = self.context.deps.clock.clone();
        self.context.deps.clock = Clock::manual(before.now() + SignedDuration::from_secs(61));
        let result = self.context.token(Some(refused)).await;
        self.context.deps.clock = before;
        result.map_err(|refusal| refusal.code)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_refresh_loses_only_tokens_that_were_never_stored() {
    let mut test = KillTest::new().await;
    for step in &REFRESH {
        for (side, tokens) in [(Side::Before, step.before), (Side::After, step.after)] {
            let point = format!("{} ({side:?})", step.point.name);
            let old = test.connect().await;
            let (issued, stored) = (test.context.token_responses(), test.context.refresh_token().await);

            test.kill_at(&step.point, side, &test.token_request(&old)).await;

            let was_issued = test.context.token_responses() > issued;
            let was_stored = test.context.refresh_token().await != stored;
            let is_lost = was_issued && !was_stored;
            assert_eq!(is_lost, tokens == Tokens::Lost, "{point}: the list is wrong");
            assert_eq!(test.context.connection().await.state, ConnectionState::Active, "{point}");
            match test.token_later(&old).await {
                Ok(new) => {
                    assert!(!is_lost, "{point}");
                    assert!(test.context.is_accepted(&new).await, "{point}: an invalid token was served");
                    assert_ne!(new.access_token.expose_secret(), old.access_token.expose_secret(), "{point}");
                    let next = test.token_later(&new).await.expect(&point);
                    assert!(test.context.is_accepted(&next).await, "{point}: the stored refresh token is invalid");
                    assert_eq!(test.context.connection().await.state, ConnectionState::Active, "{point}");
                }
                Err(code) => {
                    assert!(is_lost, "{point}: {code:?}");
                    let reason = "answer_lost".to_owned();
                    let state = test.context.connection().await.state;
                    assert_eq!(state, ConnectionState::ReauthRequired { reason }, "{point}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_reconnect_leaves_a_working_connection() {
    let mut test = KillTest::new().await;
    for kill in &CONSENT {
        for side in [Side::Before, Side::After] {
            let point = format!("{} ({side:?})", kill.name);
            let old = test.connect().await;
            let before = test.context.connection().await;
            let consent = serde_json::to_value(Request::ExchangeCode(test.consent().await)).unwrap();

            test.kill_at(kill, side, &consent).await;

            let token = test.token_later(&old).await.expect(&point);
            assert!(test.context.is_accepted(&token).await, "{point}");
            let next = test.token_later(&token).await.expect(&point);
            assert!(test.context.is_accepted(&next).await, "{point}");
            let after = test.context.connection().await;
            assert_eq!((after.state, after.created_at), (ConnectionState::Active, before.created_at), "{point}");
        }
    }
}

/// Returns the requests to AWS and Salesforce since the last call.
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
async fn the_kill_points_cover_every_request() {
    let test = KillTest::new().await;
    let old = test.connect().await;
    let consent = serde_json::to_value(Request::ExchangeCode(test.consent().await)).unwrap();
    let (refreshing, consenting) = (test.start_broker(), test.start_broker());

    requests(&test);
    refreshing.invoke(&test.token_request(&old)).await.unwrap();
    assert_eq!(requests(&test), counted(REFRESH.iter().map(|step| step.point.request)));

    consenting.invoke(&consent).await.unwrap();
    assert_eq!(requests(&test), counted(CONSENT.iter().map(|kill| kill.request)));
}

/// AWS accepts each of these requests once without an answer, with and without effect. The broker makes it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_request_that_is_silent_once_costs_no_tokens() {
    let test = KillTest::new().await;
    let old = test.connect().await;
    let broker = test.start_broker();
    let mut refused = old;
    for (request, side) in
        [("PutSecretValue", Side::Before), ("PutSecretValue", Side::After), ("UpdateItem", Side::After)]
    {
        let point = format!("{request} ({side:?})");
        let issued = test.context.token_responses();
        let hold = test.aws.hold(request, 0, side);

        let result = broker.invoke_within(&test.token_request(&refused), FUNCTION_TIMEOUT).await.unwrap();

        hold.reached().await.expect(&point);
        let Outcome::Response(response) = result.outcome else { panic!("{point}: {result:?} {:?}", broker.logs()) };
        assert_eq!(response["answer"], "token", "{point}: {:?}", broker.logs());
        assert_eq!(test.context.token_responses(), issued + 1, "{point}: one refresh");
        let new = test.context.token(None).await.expect(&point);
        assert_ne!(new.access_token.expose_secret(), refused.access_token.expose_secret(), "{point}");
        assert!(test.context.is_accepted(&new).await, "{point}: an invalid token was stored");
        refused = new;
    }
    test.context.token(Some(&refused)).await.expect("the stored refresh token is the newest");
}
