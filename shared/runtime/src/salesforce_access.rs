//! A Salesforce client for any connection.

use salesforce::{ApiVersion, Client, Clock, HostPolicy, Http, OrgId};
use store::ConnectionId;

use crate::invoke::LambdaFunction;
use crate::{Aws, BoxError, Env, EnvError, TokenBroker};

/// Makes Salesforce clients whose sessions come from the token broker.
#[derive(Clone)]
pub struct Salesforce {
    http: Http,
    version: ApiVersion,
    broker: TokenBroker,
}

impl Salesforce {
    /// With these parts.
    #[must_use]
    pub fn new(http: Http, version: ApiVersion, broker: TokenBroker) -> Self {
        Self { http, version, broker }
    }

    /// From `TOKEN_BROKER_FUNCTION`, `SALESFORCE_API_VERSION` (by default the version that Ferry is written for) and
    /// `SALESFORCE_HOSTS` (`salesforce`, the default, or `loopback`).
    ///
    /// # Errors
    /// A variable is missing or wrong, or there is no TLS on this machine.
    pub fn from_env(env: &Env, aws: &Aws) -> Result<Self, BoxError> {
        let policy = host_policy(env)?;
        let function = LambdaFunction::new(aws.lambda(), env.required("TOKEN_BROKER_FUNCTION")?);
        let version = env.parsed_or("SALESFORCE_API_VERSION", ApiVersion::DEFAULT)?;
        Ok(Self::new(http(policy, aws.clock())?, version, TokenBroker::new(function, policy)))
    }

    /// A client for this connection. Clients of the same connection share their session.
    #[must_use]
    pub fn client(&self, org: OrgId, connection: &ConnectionId) -> Client {
        Client::new(self.http.clone(), self.broker.sessions(org, connection), self.version)
    }

    /// The broker behind it.
    #[must_use]
    pub fn broker(&self) -> &TokenBroker {
        &self.broker
    }
}

/// Which hosts count as Salesforce's: `SALESFORCE_HOSTS`, `salesforce` (the default) or `loopback`.
///
/// # Errors
/// It is neither.
pub fn host_policy(env: &Env) -> Result<HostPolicy, EnvError> {
    match env.optional("SALESFORCE_HOSTS").as_deref() {
        None | Some("salesforce") => Ok(HostPolicy::SalesforceOnly),
        Some("loopback") => Ok(HostPolicy::LoopbackToo),
        Some(_) => Err(EnvError::Invalid {
            name: "SALESFORCE_HOSTS",
            reason: "it is neither `salesforce` nor `loopback`".to_owned(),
        }),
    }
}

fn http(policy: HostPolicy, clock: Clock) -> Result<Http, salesforce::Error> {
    Http::new(policy, clock)
}
