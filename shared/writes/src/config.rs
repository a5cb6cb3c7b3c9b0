//! Configuration and dependencies of a function that writes to Salesforce.

use runtime::{Aws, Days, Env, EnvError, Salesforce, SalesforceConfig, Users, record_api_calls};
use salesforce::{Client, Clock, OrgId};
use store::owner_policy::OwnerPolicy;
use store::{Budgets, Connections, Lane, Orgs, Queue, UserMappings, WriteOrder, WriteTask, Writes};

/// The configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `USERS_TABLE`: the Salesforce users to whom reps are mapped.
    pub users_table: String,
    /// `WRITES_TABLE`: the ledger of writes.
    pub writes_table: String,
    /// `WRITE_ORDER_TABLE`: the order of the writes of each record.
    pub write_order_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `WRITE_QUEUE_URL`: the function's own queue of deferred writes.
    pub queue_url: String,
    /// `WRITE_RETENTION_DAYS`: the days for which a finished write is stored; 90 by default.
    pub retention: Days,
    /// `OWNER_POLICY`: `rep-then-team` (default), `rep-only` or `team-only`.
    pub owner_policy: OwnerPolicy,
    /// `TOKEN_BROKER_FUNCTION`, `SALESFORCE_API_VERSION`, `SALESFORCE_HOSTS`.
    pub salesforce: SalesforceConfig,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            users_table: env.required("USERS_TABLE")?,
            writes_table: env.required("WRITES_TABLE")?,
            write_order_table: env.required("WRITE_ORDER_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            queue_url: env.required("WRITE_QUEUE_URL")?,
            retention: env.parsed_or("WRITE_RETENTION_DAYS", Days(90))?,
            owner_policy: env.parsed_or("OWNER_POLICY", OwnerPolicy::default())?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The dependencies of the ledger. `note-write` needs no others and uses them as its own.
#[derive(Clone)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The Salesforce users to whom reps are mapped.
    pub user_mappings: UserMappings,
    /// The ledger of writes.
    pub writes: Writes,
    /// The order of the writes of each record.
    pub order: WriteOrder,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The queue of deferred writes.
    pub queue: Queue<WriteTask>,
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// The rule that chooses the connection and the owner of a write.
    pub owner_policy: OwnerPolicy,
    /// The reps' Salesforce users, as the team's connections found them.
    pub users: Users,
    /// The clock.
    pub clock: Clock,
}

impl AsRef<Self> for Deps {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            user_mappings: UserMappings::new(aws.dynamodb(), config.users_table),
            writes: Writes::new(aws.dynamodb(), config.writes_table).with_retention(config.retention.duration()),
            order: WriteOrder::new(aws.dynamodb(), config.write_order_table),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            queue: Queue::new(aws.sqs(), config.queue_url, aws.clock()),
            salesforce: Salesforce::from_config(aws, config.salesforce)?,
            owner_policy: config.owner_policy,
            users: Users::new(aws.clock()),
            clock: aws.clock(),
        })
    }

    /// Adds the client's calls to the org's budget. A failure is only logged.
    pub async fn count_calls(&self, org: OrgId, client: &Client) {
        record_api_calls(&self.budgets, org, Lane::Interactive, client, &self.clock).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Vec<(&'static str, &'static str)> {
        vec![
            ("ORGS_TABLE", "orgs"),
            ("CONNECTIONS_TABLE", "connections"),
            ("USERS_TABLE", "users"),
            ("WRITES_TABLE", "writes"),
            ("WRITE_ORDER_TABLE", "write_order"),
            ("BUDGETS_TABLE", "budgets"),
            ("WRITE_QUEUE_URL", "http://localhost/queue"),
            ("TOKEN_BROKER_FUNCTION", "token-broker"),
        ]
    }

    fn config(pairs: Vec<(&'static str, &'static str)>) -> Result<Config, EnvError> {
        let lookup = move |name: &str| Some(pairs.iter().find(|(known, _)| *known == name)?.1.to_owned());
        Config::from_env(&Env::new(lookup))
    }

    #[test]
    fn the_owner_policy_is_rep_then_team_unless_it_is_set() {
        assert_eq!(config(full()).unwrap().owner_policy, OwnerPolicy::RepThenTeam);
        let mut pairs = full();
        pairs.push(("OWNER_POLICY", "rep-only"));
        assert_eq!(config(pairs).unwrap().owner_policy, OwnerPolicy::RepOnly);
    }

    #[test]
    fn every_variable_without_a_default_is_required() {
        for missing in 0..full().len() {
            let mut pairs = full();
            let (name, _) = pairs.remove(missing);
            assert_eq!(config(pairs), Err(EnvError::Missing { name }));
        }
    }

    #[test]
    fn an_unknown_policy_is_refused() {
        let mut pairs = full();
        pairs.push(("OWNER_POLICY", "anyone"));
        assert!(matches!(config(pairs), Err(EnvError::Invalid { name: "OWNER_POLICY", .. })));
    }
}
