//! What a function that writes needs to know, and what it works with.

use runtime::{Aws, Chain, Env, EnvError, Salesforce};
use salesforce::{Client, Clock, OrgId, RecordId};
use store::budgets::Observation;
use store::origins::Origin;
use store::owner_policy::OwnerPolicy;
use store::{Budgets, Connections, Lane, Orgs, Origins, Queue, WriteTask, Writes};

/// The function's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `WRITES_TABLE`.
    pub writes_table: String,
    /// `BUDGETS_TABLE`.
    pub budgets_table: String,
    /// `WRITE_QUEUE_URL`: where the function's own writes wait.
    pub queue_url: String,
    /// `ORIGINS_TABLE`: where a function whose records are mirrored notes what it changed.
    pub origins_table: Option<String>,
    /// `OWNER_POLICY`: `rep-then-team` (default), `rep-only` or `team-only`.
    pub owner_policy: OwnerPolicy,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is missing or makes no sense.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            writes_table: env.required("WRITES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            queue_url: env.required("WRITE_QUEUE_URL")?,
            origins_table: env.optional("ORIGINS_TABLE"),
            owner_policy: env.parsed_or("OWNER_POLICY", OwnerPolicy::default())?,
        })
    }
}

/// What the function works with.
#[derive(Clone)]
pub struct Deps {
    /// Which orgs may be written to.
    pub orgs: Orgs,
    /// Through which connections.
    pub connections: Connections,
    /// The ledger.
    pub writes: Writes,
    /// Where the calls are counted.
    pub budgets: Budgets,
    /// Where writes wait.
    pub queue: Queue<WriteTask>,
    /// Where it is noted what a write changed, if at all.
    pub origins: Option<Origins>,
    /// The way to Salesforce.
    pub salesforce: Salesforce,
    /// Who writes for whom.
    pub owner_policy: OwnerPolicy,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    #[must_use]
    pub fn new(aws: &Aws, config: Config, salesforce: Salesforce) -> Self {
        let table = || aws.dynamodb();
        Self {
            orgs: Orgs::new(table(), config.orgs_table),
            connections: Connections::new(table(), config.connections_table),
            writes: Writes::new(table(), config.writes_table),
            budgets: Budgets::new(table(), config.budgets_table),
            queue: Queue::new(aws.sqs(), config.queue_url, aws.clock()),
            origins: config.origins_table.map(|name| Origins::new(table(), name)),
            salesforce,
            owner_policy: config.owner_policy,
            clock: aws.clock(),
        }
    }

    /// Feeds the org's budget with what the client's calls said. A count that is lost undoes no write.
    pub async fn count_calls(&self, org: OrgId, client: &Client) {
        let Some(usage) = client.api_usage() else { return };
        let seen = Observation { used: usage.used, max: usage.max, lane: Lane::Interactive, calls: 1 };
        if let Err(error) = self.budgets.observe(org, seen, self.clock.now()).await {
            tracing::warn!(org.id = %org, error = %Chain(&error), "the org's budget was not updated");
        }
    }

    /// Notes which records a write changed, so that their events can say so. A note that is lost undoes no write: the events
    /// then look like anybody's changes.
    pub async fn note_origins(&self, org: OrgId, changed: &[(RecordId, Origin)]) {
        let Some(origins) = &self.origins else { return };
        if let Err(error) = origins.note(org, changed).await {
            tracing::warn!(org.id = %org, records = changed.len(), error = %Chain(&error), "the origin was not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Vec<(&'static str, &'static str)> {
        vec![
            ("ORGS_TABLE", "orgs"),
            ("CONNECTIONS_TABLE", "connections"),
            ("WRITES_TABLE", "writes"),
            ("BUDGETS_TABLE", "budgets"),
            ("WRITE_QUEUE_URL", "http://localhost/queue"),
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
    fn each_variable_without_a_default_is_needed() {
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
