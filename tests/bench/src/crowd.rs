//! Many callers whose access token was refused, at several token brokers at once.
//!
//! Each broker is a process of its own, as a Lambda sandbox is, and answers one caller at a time. The state is the
//! emulator's, the org is simulated and rotates refresh tokens.

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

/// How long Salesforce works on a refresh: long enough for every broker to have somebody waiting.
const REFRESH: Duration = Duration::from_millis(500);

/// How long a caller comes again when it hears that it should.
const PATIENCE: Duration = Duration::from_secs(120);

/// The brokers, and the team connection that they all serve.
pub struct Crowd {
    org: Simulator,
    aws: Proxy,
    brokers: Arc<Vec<Mutex<RuntimeApi>>>,
    _emulator: Emulator,
}

/// What became of the callers.
#[derive(Debug)]
pub struct Outcomes {
    /// How long each caller had to wait for its token, the shortest first.
    pub waits: Vec<Duration>,
    /// From the first question to the last answer.
    pub total: Duration,
    /// How often callers were told to come again.
    pub told_to_come_again: usize,
    /// The different access tokens that were given.
    pub tokens: Vec<String>,
    /// How often Salesforce gave new tokens for the old ones.
    pub refreshes: usize,
    /// How often anything was revoked at Salesforce.
    pub revocations: usize,
    /// The requests to AWS, by operation.
    pub aws_requests: BTreeMap<String, usize>,
}

struct Served {
    token: String,
    wait: Duration,
    told_to_come_again: usize,
}

impl Crowd {
    /// Starts so many brokers, and connects the team through the first.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn gather(broker: &Path, brokers: usize) -> Result<Self> {
        let emulator = Emulator::start().await?;
        let prefix = unique_prefix();
        let tables = emulator.create_tables(&prefix).await?;
        let org = Simulator::start(Options::default()).await?;
        org.set_token_processing_time(REFRESH);
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
        let broker = self.brokers.first().context("there is no broker")?;
        let answer = ask(broker, &exchange).await?;
        ensure!(answer["answer"] == "connected", "the team is not connected: {answer}");
        Ok(())
    }

    /// The code that a consent of this user brings.
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
        let answer = request.header("x-simulator-user", username).send().await?;
        let location = answer.headers().get("location").context("no redirect")?.to_str()?;
        let location = reqwest::Url::parse(location)?;
        let code = location.query_pairs().find(|(name, _)| name == "code").context("no code")?;
        Ok(code.1.into_owned())
    }

    /// Ends the access token, and lets so many callers who all saw it refused ask for another at once, evenly over the
    /// brokers.
    ///
    /// # Errors
    /// A caller gets no token, or the harness fails.
    pub async fn rush(&self, callers: usize) -> Result<Outcomes> {
        let broker = self.brokers.first().context("there is no broker")?;
        let mut question = json!({ "operation": "access_token", "org_id": self.org.org_id(), "connection_id": "team" });
        let old = ask(broker, &question).await?;
        let old = old["access_token"].as_str().context("no token to begin with")?.to_owned();
        question["refused_fingerprint"] = json!(Fingerprint::from_token(&old.into()).as_str());
        for user in self.org.users() {
            self.org.expire_sessions(&user.username)?;
        }
        let (tokens_before, revoked_before) = (self.count("token"), self.count("revoke"));
        let _ = self.aws.take_counts();

        let begun = now();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (brokers, question) = (Arc::clone(&self.brokers), question.clone());
            tasks.spawn(async move { serve(&brokers, caller, &question).await });
        }
        let mut served = Vec::new();
        while let Some(caller) = tasks.join_next().await {
            served.push(caller??);
        }
        let total = begun.elapsed();

        let mut waits: Vec<_> = served.iter().map(|served| served.wait).collect();
        waits.sort();
        let told_to_come_again = served.iter().map(|served| served.told_to_come_again).sum();
        let mut tokens: Vec<_> = served.into_iter().map(|served| served.token).collect();
        tokens.sort();
        tokens.dedup();
        Ok(Outcomes {
            waits,
            total,
            told_to_come_again,
            tokens,
            refreshes: self.count("token") - tokens_before,
            revocations: self.count("revoke") - revoked_before,
            aws_requests: self.aws.take_counts(),
        })
    }

    /// Whether the org accepts an access token.
    ///
    /// # Errors
    /// The org does not answer.
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

    /// How often an OAuth endpoint was asked.
    fn count(&self, endpoint: &str) -> usize {
        let wanted = format!("POST /services/oauth2/{endpoint} ");
        self.org.request_log().iter().filter(|line| line.starts_with(&wanted)).count()
    }
}

/// One caller, who comes again as long as it is told to.
async fn serve(brokers: &[Mutex<RuntimeApi>], caller: usize, question: &Value) -> Result<Served> {
    let begun = now();
    let broker = brokers.get(caller % brokers.len()).context("there is no broker")?;
    let mut told_to_come_again = 0;
    loop {
        let answer = ask(broker, question).await?;
        if let Some(token) = answer["access_token"].as_str() {
            return Ok(Served { token: token.to_owned(), wait: begun.elapsed(), told_to_come_again });
        }
        let Some(pause) = answer["retry"]["pause_ms"].as_u64().filter(|_| answer["retry"]["kind"] == "after") else {
            bail!("caller {caller} was refused: {answer}");
        };
        ensure!(begun.elapsed() < PATIENCE, "caller {caller} is still told to come again: {answer}");
        told_to_come_again += 1;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn ask(broker: &Mutex<RuntimeApi>, question: &Value) -> Result<Value> {
    let broker = broker.lock().await;
    match broker.invoke(question).await?.outcome {
        Outcome::Response(answer) => Ok(answer),
        other => bail!("the broker did not answer: {other:?}; its log: {:?}", broker.logs()),
    }
}

/// The function's variables, as the template sets them.
fn environment(prefix: &str, aws: &str, tables: &local::emulator::Tables) -> Vec<(&'static str, String)> {
    vec![
        ("ORGS_TABLE", tables.name("orgs")),
        ("CONNECTIONS_TABLE", tables.name("connections")),
        ("APPS_SECRET_ARN", format!("{prefix}-apps")),
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
