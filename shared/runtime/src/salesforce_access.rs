//! Salesforce clients for connections.

use salesforce::{ApiVersion, Client, HostPolicy, Http, OrgId, Timeouts};
use store::ConnectionId;

use crate::invoke::LambdaFunction;
use crate::{Aws, Env, EnvError, TokenBroker};

/// The variables of a function that calls Salesforce through connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalesforceConfig {
    /// `TOKEN_BROKER_FUNCTION`: the function that issues access tokens.
    pub token_broker: String,
    /// `SALESFORCE_API_VERSION`: the REST API version; by default the one that Ferry is written for.
    pub api_version: ApiVersion,
    /// `SALESFORCE_HOSTS`: `salesforce` (default), or `loopback` for the local stack.
    pub hosts: HostPolicy,
}

impl SalesforceConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            token_broker: env.required("TOKEN_BROKER_FUNCTION")?,
            api_version: env.parsed_or("SALESFORCE_API_VERSION", ApiVersion::DEFAULT)?,
            hosts: host_policy(env)?,
        })
    }
}

/// Creates Salesforce clients that take their sessions from the token broker.
#[derive(Clone)]
pub struct Salesforce {
    http: Http,
    version: ApiVersion,
    broker: TokenBroker,
}

impl Salesforce {
    /// Combines an HTTP client, an API version and a token broker.
    #[must_use]
    pub fn new(http: Http, version: ApiVersion, broker: TokenBroker) -> Self {
        Self { http, version, broker }
    }

    /// Builds it for a deployed function.
    ///
    /// # Errors
    /// This machine has no TLS.
    pub fn from_config(aws: &Aws, config: SalesforceConfig) -> Result<Self, salesforce::Error> {
        let SalesforceConfig { token_broker, api_version, hosts } = config;
        let http = Http::new(hosts, aws.clock())?;
        let broker = TokenBroker::new(LambdaFunction::new(aws.lambda(), token_broker), hosts, aws.clock());
        Ok(Self::new(http, api_version, broker))
    }

    /// Replaces the time limits of the calls to Salesforce.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { http: self.http.with_timeouts(timeouts), ..self }
    }

    /// Returns a client for the connection. All clients of a connection share one session.
    #[must_use]
    pub fn client(&self, org: OrgId, connection: &ConnectionId) -> Client {
        Client::new(self.http.clone(), self.broker.sessions(org, connection), self.version)
    }

    /// Returns the token broker.
    #[must_use]
    pub fn broker(&self) -> &TokenBroker {
        &self.broker
    }
}

/// Reads `SALESFORCE_HOSTS`: `salesforce` (default), or `loopback` to accept the local stack's hosts too.
///
/// # Errors
/// The variable has another value.
pub fn host_policy(env: &Env) -> Result<HostPolicy, EnvError> {
    match env.optional("SALESFORCE_HOSTS").as_deref() {
        None | Some("salesforce") => Ok(HostPolicy::SalesforceOnly),
        Some("loopback") => Ok(HostPolicy::LoopbackToo),
        Some(_) => {
            Err(EnvError::Invalid { name: "SALESFORCE_HOSTS", reason: "must be `salesforce` or `loopback`".to_owned() })
        }
    }
}
