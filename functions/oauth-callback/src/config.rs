//! Configuration and dependencies.

use connecting::connect_links::ConnectLinks;
use connecting::disconnect::Disconnect;
use connecting::onboarding::Onboarding;
use runtime::invoke::LambdaFunction;
use runtime::{AppList, Aws, ConnectionManager, Env, EnvError};
use salesforce::{Clock, HostPolicy, LoginHost};
use store::{Authorizations, Connections, Environment, Orgs, UserMappings};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// `PUBLIC_URL`: the URL at which browsers reach the HTTP API, without a trailing slash.
    pub public_url: String,
    /// `AUTHORIZATIONS_TABLE`: connect tickets, OAuth states, admin links and sessions.
    pub authorizations_table: String,
    /// `ORGS_TABLE`: read, to check which tenant an org belongs to.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`: read, to show connections and to disconnect them.
    pub connections_table: String,
    /// `USERS_TABLE`: written, to map the platform's users to Salesforce users.
    pub users_table: String,
    /// `CONNECTION_MANAGER_FUNCTION`: exchanges authorization codes, revokes grants and lists the apps.
    pub connection_manager: String,
    /// `ONBOARDING_FUNCTION`: activates the org of a team connection.
    pub onboarding: String,
    /// `SALESFORCE_HOSTS`: `salesforce` (default), or `loopback` for the local stack.
    pub hosts: HostPolicy,
    /// `LOGIN_URL_PRODUCTION` and `LOGIN_URL_SANDBOX`.
    pub login: LoginHosts,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        let hosts = runtime::host_policy(env)?;
        Ok(Self {
            public_url: env.required("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
            authorizations_table: env.required("AUTHORIZATIONS_TABLE")?,
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            users_table: env.required("USERS_TABLE")?,
            connection_manager: env.required("CONNECTION_MANAGER_FUNCTION")?,
            onboarding: env.required("ONBOARDING_FUNCTION")?,
            hosts,
            login: LoginHosts {
                production: login_host(env, "LOGIN_URL_PRODUCTION", "https://login.salesforce.com", hosts)?,
                sandbox: login_host(env, "LOGIN_URL_SANDBOX", "https://test.salesforce.com", hosts)?,
            },
        })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// Connect tickets, OAuth states, admin links and sessions.
    pub authorizations: Authorizations,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The Salesforce users to whom the platform's users are mapped.
    pub user_mappings: UserMappings,
    /// The registered apps, without their secrets.
    pub apps: AppList,
    /// Exchanges authorization codes and revokes grants.
    pub connection_manager: ConnectionManager,
    /// Activates the org of a team connection.
    pub onboarding: Onboarding,
    /// Salesforce's login hosts.
    pub login: LoginHosts,
    /// The hosts that are accepted as Salesforce's: its own, or those of the local stack.
    pub hosts: HostPolicy,
    /// The URL at which browsers reach this function, without a trailing slash.
    pub public_url: String,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        let connection_manager = LambdaFunction::new(aws.lambda(), config.connection_manager);
        Self {
            authorizations: Authorizations::new(aws.dynamodb(), config.authorizations_table),
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            user_mappings: UserMappings::new(aws.dynamodb(), config.users_table),
            apps: AppList::new(connection_manager.clone(), aws.clock()),
            connection_manager: ConnectionManager::new(connection_manager),
            onboarding: Onboarding::new(LambdaFunction::new(aws.lambda(), config.onboarding)),
            login: config.login,
            hosts: config.hosts,
            public_url: config.public_url,
            clock: aws.clock(),
        }
    }

    pub(crate) fn links(&self) -> ConnectLinks {
        ConnectLinks::new(self.authorizations.clone(), &self.public_url)
    }

    pub(crate) fn disconnect(&self) -> Disconnect {
        Disconnect {
            orgs: self.orgs.clone(),
            connections: self.connections.clone(),
            connection_manager: self.connection_manager.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Returns the redirect URI of every consent. Salesforce compares it character for character.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("{}/oauth/callback", self.public_url)
    }
}

/// Salesforce's login hosts.
#[derive(Clone, Debug)]
pub struct LoginHosts {
    /// `LOGIN_URL_PRODUCTION` (default `https://login.salesforce.com`).
    pub production: LoginHost,
    /// `LOGIN_URL_SANDBOX` (default `https://test.salesforce.com`).
    pub sandbox: LoginHost,
}

impl LoginHosts {
    /// Returns the login host for production orgs or for sandboxes.
    #[must_use]
    pub fn of(&self, environment: Environment) -> &LoginHost {
        match environment {
            Environment::Production => &self.production,
            Environment::Sandbox => &self.sandbox,
        }
    }
}

fn login_host(env: &Env, name: &'static str, default: &str, hosts: HostPolicy) -> Result<LoginHost, EnvError> {
    let url = env.optional(name).unwrap_or_else(|| default.to_owned());
    LoginHost::parse(&url, hosts).map_err(|error| EnvError::Invalid { name, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, &str); 7] = [
        ("PUBLIC_URL", "https://ferry.example.com/"),
        ("AUTHORIZATIONS_TABLE", "authorizations"),
        ("ORGS_TABLE", "orgs"),
        ("CONNECTIONS_TABLE", "connections"),
        ("USERS_TABLE", "users"),
        ("CONNECTION_MANAGER_FUNCTION", "connection-manager"),
        ("ONBOARDING_FUNCTION", "onboarding"),
    ];

    fn env_with(name: &'static str, value: &'static str) -> Env {
        Env::new(move |requested| {
            let pairs = NAMES.into_iter().chain([(name, value)]);
            pairs.rev().find(|(known, _)| *known == requested).map(|(_, value)| value.to_owned())
        })
    }

    #[test]
    fn the_default_login_hosts_are_those_of_salesforce() {
        let config = Config::from_env(&Env::from_pairs(NAMES)).unwrap();
        assert_eq!(config.public_url, "https://ferry.example.com");
        assert_eq!(config.login.of(Environment::Production).as_str(), "https://login.salesforce.com");
        assert_eq!(config.login.of(Environment::Sandbox).as_str(), "https://test.salesforce.com");
    }

    #[test]
    fn a_login_host_outside_salesforce_is_refused() {
        let error = Config::from_env(&env_with("LOGIN_URL_SANDBOX", "https://login.example.com")).unwrap_err();
        assert!(matches!(error, EnvError::Invalid { name: "LOGIN_URL_SANDBOX", .. }));
    }

    #[test]
    fn every_name_is_required() {
        for (name, _) in NAMES {
            assert_eq!(Config::from_env(&env_with(name, "")).unwrap_err(), EnvError::Missing { name });
        }
    }
}
