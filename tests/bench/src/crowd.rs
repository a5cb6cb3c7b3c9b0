//! Many callers whose access token was refused, and several token brokers that they call at once.
//!
//! Each broker is a separate process, like an execution environment of Lambda, and serves one caller at a time. The state is in
//! the emulator; the org is simulated and rotates refresh tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use local::{Emulator, unique_prefix};
use org_simulator::{Options, Simulator};
use salesforce::Fingerprint;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::{Outcome, Proxy, RuntimeApi};

/// The example of RFC 7636, appendix B.
const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CODE_CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT_URI: &str = "http://localhost:8580/oauth/callback";

/// The time that Salesforce takes for a refresh. In it, callers of every broker have to wait.
const REFRESH_TIME: Duration = Duration::from_millis(500);

/// The time after which a caller stops retrying.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Several brokers, and the team connection that they all serve.
pub struct Crowd {
    org: Simulator,
    aws: Proxy,
    brokers: Arc<Vec<Mutex<RuntimeApi>>>,
    _emulator: Emulator,
}

/// The results of all callers.
#[derive(Debug)]
pub struct Outcomes {
    /// The time that each caller waited for its token, the shortest first.
    pub waits: Vec<Duration>,
    /// The time from the first request to the last response.
    pub total: Duration,
    /// Requests that callers repeated because the broker responded that they should.
    pub retries: usize,
    /// The distinct access tokens that callers received.
    pub tokens: Vec<String>,
    /// Refreshes at Salesforce.
    pub refreshes: usize,
    /// Revocations at Salesforce.
    pub revocations: usize,
    /// The requests to AWS, by operation.
    pub aws_requests: BTreeMap<String, usize>,
}

struct Served {
    token: String,
    wait: Duration,
    retries: usize,
}

impl Crowd {
    /// Starts this number of brokers and connects the team through the first.
    ///
    /// # Errors
    /// A process does not start, or the team cannot be connected.
    pub async fn start(broker: &Path, brokers: usize) -> Result<Self> {
        let emulator = Emulator::start().await?;
        let prefix = unique_prefix();
        let tables = emulator.create_tables(&prefix).await?;
        let org = Simulator::start(Options::default()).await?;
        org.set_token_processing_time(REFRESH_TIME);
        let secrets = aws_sdk_secretsmanager::Client::new(emulator.sdk_config());
        let apps =
            json!({ "apps": [{ "name": "v2", "client_id": org.client_id(), "client_secret": org.client_secret() }] });
        secrets.create_secret().name(format!("{prefix}-apps")).secret_string(apps.to_string()).send().await?;
        let aws = Proxy::start(emulator.endpoint()).await?;
        let environment = environment(&prefix, aws.url(), &tables);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let brokers = (0..brokers).map(|_| RuntimeApi::start(broker, &environment).map(Mutex::new));
        let crowd = Self { org, aws, brokers: Arc::new(brokers.collect::<Result<_>>()?), _emulator: emulator };
        crowd.connect().await?;
        Ok(crowd)
    }

    async fn connect(&self) -> Result<()> {
        let admin = self.org.users().into_iter().find(|user| user.is_admin).context("the org has no admin")?;
        let code = self.consent(&admin.username).await?;
        let exchange = json!({
            "operation": "exchange_code", "kind": "team", "tenant": "acme", "app": "v2", "login_url": self.org.url(),
            "redirect_uri": REDIRECT_URI, "code": code, "code_verifier": CODE_VERIFIER,
        });
        let broker = self.brokers.first().context("the crowd has no broker")?;
        let response = ask(broker, &exchange).await?;
        ensure!(response["answer"] == "connected", "could not connect the team: {response}");
        Ok(())
    }

    /// Consents as this user. Returns the authorization code.
    async fn consent(&self, username: &str) -> Result<String> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let request = client.get(format!("{}/services/oauth2/authorize", self.org.url())).query(&[
            ("response_type", "code"),
            ("client_id", self.org.client_id()),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "api refresh_token"),
            ("code_challenge", CODE_CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let response = request.header("x-simulator-user", username).send().await?;
        let location = response.headers().get("location").context("the response has no Location")?.to_str()?;
        let location = reqwest::Url::parse(location)?;
        let code = location.query_pairs().find(|(name, _)| name == "code").context("the redirect has no code")?;
        Ok(code.1.into_owned())
    }

    /// Expires the access token. Then lets this number of callers, which all saw it refused, request another at once, spread evenly
    /// over the brokers.
    ///
    /// # Errors
    /// A caller receives no token, or the harness fails.
    pub async fn refresh_at_once(&self, callers: usize) -> Result<Outcomes> {
        let broker = self.brokers.first().context("the crowd has no broker")?;
        let mut request = json!({ "operation": "access_token", "org_id": self.org.org_id(), "connection_id": "team" });
        let old = ask(broker, &request).await?;
        let old = old["access_token"].as_str().context("the broker returned no first token")?.to_owned();
        request["refused_fingerprint"] = json!(Fingerprint::from_token(&old.into()).as_str());
        for user in self.org.users() {
            self.org.expire_sessions(&user.username)?;
        }
        let (tokens_before, revoked_before) = (self.count("token"), self.count("revoke"));
        let _ = self.aws.take_counts();

        let started = now();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (brokers, request) = (Arc::clone(&self.brokers), request.clone());
            tasks.spawn(async move { serve(&brokers, caller, &request).await });
        }
        let mut served = Vec::new();
        while let Some(caller) = tasks.join_next().await {
            served.push(caller??);
        }
        let total = started.elapsed();

        let mut waits: Vec<_> = served.iter().map(|served| served.wait).collect();
        waits.sort();
        let retries = served.iter().map(|served| served.retries).sum();
        let mut tokens: Vec<_> = served.into_iter().map(|served| served.token).collect();
        tokens.sort();
        tokens.dedup();
        Ok(Outcomes {
            waits,
            total,
            retries,
            tokens,
            refreshes: self.count("token") - tokens_before,
            revocations: self.count("revoke") - revoked_before,
            aws_requests: self.aws.take_counts(),
        })
    }

    /// Returns whether the org accepts an access token.
    ///
    /// # Errors
    /// The org does not respond.
    pub async fn accepts(&self, token: &str) -> Result<bool> {
        let url = format!("{}/services/data/v66.0/limits", self.org.url());
        Ok(reqwest::Client::builder()
            .no_proxy()
            .build()?
            .get(url)
            .bearer_auth(token)
            .send()
            .await?
            .status()
            .is_success())
    }

    /// Returns the number of requests to an OAuth endpoint.
    fn count(&self, endpoint: &str) -> usize {
        let wanted = format!("POST /services/oauth2/{endpoint} ");
        self.org.request_log().iter().filter(|line| line.starts_with(&wanted)).count()
    }
}

/// One caller: repeats its request as long as the broker tells it to retry.
async fn serve(brokers: &[Mutex<RuntimeApi>], caller: usize, request: &Value) -> Result<Served> {
    let started = now();
    let broker = brokers.get(caller % brokers.len()).context("the crowd has no broker")?;
    let mut retries = 0;
    loop {
        let response = ask(broker, request).await?;
        if let Some(token) = response["access_token"].as_str() {
            return Ok(Served { token: token.to_owned(), wait: started.elapsed(), retries });
        }
        let Some(pause) = response["retry"]["pause_ms"].as_u64().filter(|_| response["retry"]["kind"] == "after")
        else {
            bail!("caller {caller} was refused: {response}");
        };
        ensure!(started.elapsed() < MAX_WAIT, "caller {caller} still has no token: {response}");
        retries += 1;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn ask(broker: &Mutex<RuntimeApi>, request: &Value) -> Result<Value> {
    let broker = broker.lock().await;
    match broker.invoke(request).await?.outcome {
        Outcome::Response(response) => Ok(response),
        other => bail!("the broker did not respond: {other:?}; its log: {:?}", broker.logs()),
    }
}

/// Returns the function's environment variables, as the template sets them.
fn environment(prefix: &str, aws: &str, tables: &local::emulator::Tables) -> Vec<(&'static str, String)> {
    vec![
        ("OPERATIONS", "exchange_code,access_token".to_owned()),
        ("ORGS_TABLE", tables.name("orgs")),
        ("CONNECTIONS_TABLE", tables.name("connections")),
        ("APPS_SECRET_ARN", format!("{prefix}-apps")),
        ("TOKEN_SECRET_READERS", "arn:aws:iam::000000000000:role/bench".to_owned()),
        ("TOKEN_SECRET_PREFIX", format!("ferry/{prefix}/tokens")),
        ("SALESFORCE_HOSTS", "loopback".to_owned()),
        ("AWS_ENDPOINT_URL", aws.to_owned()),
        ("AWS_REGION", local::emulator::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
fn now() -> Instant {
    Instant::now()
}
