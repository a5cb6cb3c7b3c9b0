//! Configuration and dependencies.

use std::str::FromStr;
use std::time::Duration;

use runtime::token_broker::Operation;
use runtime::{Aws, DEFAULT_MIRRORED_OBJECTS, Env, EnvError};
use salesforce::{ApiVersion, Clock, HostPolicy, Http, ObjectName, Timeouts};
use store::{Apps, Connections, Orgs, Protection, TokenVault};

use crate::Timer;
use crate::protocol::Limits;

/// One token call and the storing of its response must fit into [`Limits::call`]. After a token call, nine seconds remain in
/// which new tokens are stored: two and a half attempts of the SDK, or three if the vault refuses at once.
const TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_secs(10), total: Duration::from_secs(4), reserve: Duration::from_secs(9) };

/// The function's configuration, from environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// `OPERATIONS`: the operations that this function serves, separated by commas. There is no default.
    pub operations: Vec<Operation>,
    /// `ORGS_TABLE`: read, to check which tenant an org belongs to.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`: the connections and their leases.
    pub connections_table: String,
    /// `APPS_SECRET_ARN`: the secret with the app registrations.
    pub apps_secret: String,
    /// `TOKEN_SECRET_PREFIX`: the prefix of the names of the token secrets.
    pub token_secret_prefix: String,
    /// `TOKEN_SECRET_READERS`: the ARNs of the roles that may use tokens, separated by commas; and `TOKEN_SECRET_KMS_KEY`: the
    /// ARN of the key of the token secrets, by default that of AWS.
    pub protection: Protection,
    /// `MIRRORED_OBJECTS` and `WRITABLE_OBJECTS`: the objects that the user of a team connection must have access to.
    pub objects: Objects,
    /// `TEAM_ACCESS`: `full` (default) or `limited`.
    pub team_access: TeamAccess,
    /// `SALESFORCE_API_VERSION`: the version that Ferry is written for by default.
    pub api_version: ApiVersion,
    /// `SALESFORCE_HOSTS`: `salesforce` (default), or `loopback` for the local stack.
    pub hosts: HostPolicy,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            operations: operations(&env.required("OPERATIONS")?)?,
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            apps_secret: env.required("APPS_SECRET_ARN")?,
            token_secret_prefix: env.required("TOKEN_SECRET_PREFIX")?,
            protection: Protection {
                readers: env.required("TOKEN_SECRET_READERS")?.split(',').map(|role| role.trim().to_owned()).collect(),
                kms_key: env.optional("TOKEN_SECRET_KMS_KEY"),
            },
            objects: Objects::from_env(env)?,
            team_access: env.parsed_or("TEAM_ACCESS", TeamAccess::Full)?,
            api_version: env.parsed_or("SALESFORCE_API_VERSION", ApiVersion::DEFAULT)?,
            hosts: runtime::host_policy(env)?,
        })
    }
}

fn operations(names: &str) -> Result<Vec<Operation>, EnvError> {
    let parsed = names.split(',').map(|name| name.trim().parse());
    parsed.collect::<Result<_, _>>().map_err(|reason| EnvError::Invalid { name: "OPERATIONS", reason })
}

/// The objects that the user of a team connection must have access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// `MIRRORED_OBJECTS`: read. [`DEFAULT_MIRRORED_OBJECTS`] by default.
    pub mirrored: Vec<ObjectName>,
    /// The mirrored objects among `WRITABLE_OBJECTS`: create and edit as well. With `*` it is not known which objects the
    /// platform writes, so these are the mirrored ones among the default of `WRITABLE_OBJECTS`; Salesforce refuses a write of
    /// another object that the user may not make.
    pub written: Vec<ObjectName>,
}

/// The default of `WRITABLE_OBJECTS`.
const DEFAULT_WRITABLE_OBJECTS: &str =
    "Account,Contact,Lead,Opportunity,OpportunityContactRole,Task,Event,CampaignMember";

impl Objects {
    fn from_env(env: &Env) -> Result<Self, EnvError> {
        let mirrored: Vec<ObjectName> = env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?;
        let any = env.optional("WRITABLE_OBJECTS").is_some_and(|names| names.trim() == "*");
        let writable: Vec<ObjectName> = match any {
            true => DEFAULT_WRITABLE_OBJECTS.split(',').map(ObjectName::from_static).collect(),
            false => env.list_or("WRITABLE_OBJECTS", DEFAULT_WRITABLE_OBJECTS)?,
        };
        let written = mirrored.iter().filter(|object| writable.contains(object)).cloned().collect();
        Ok(Self { mirrored, written })
    }
}

/// The records that the user of a team connection has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamAccess {
    /// Every record of the mirrored objects. A user who does not is refused.
    Full,
    /// Any. A user who does not see every record is connected with a warning.
    Limited,
}

impl FromStr for TeamAccess {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "full" => Ok(Self::Full),
            "limited" => Ok(Self::Limited),
            _ => Err("it is neither full nor limited"),
        }
    }
}

/// The function's dependencies.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The operations that this function serves.
    pub operations: Vec<Operation>,
    /// The orgs; read for an org's tenant.
    pub orgs: Orgs,
    /// The connections and their leases.
    pub connections: Connections,
    /// The tokens.
    pub vault: TokenVault,
    /// The app registrations.
    pub apps: Apps,
    /// The HTTP client for Salesforce, with timeouts that fit into the lease.
    pub http: Http,
    /// The version of Salesforce's API.
    pub api_version: ApiVersion,
    /// The objects that the user of a team connection must have access to.
    pub objects: Objects,
    /// The records that the user of a team connection has to see.
    pub team_access: TeamAccess,
    /// The clock.
    pub clock: Clock,
    /// The delays of the protocol.
    pub timer: Timer,
    /// The durations and counts of the protocol.
    pub limits: Limits,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// This machine has no TLS.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            operations: config.operations,
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            vault: TokenVault::new(aws.secrets_manager(), config.token_secret_prefix)
                .with_protection(config.protection),
            apps: Apps::new(aws.secrets_manager(), config.apps_secret, aws.clock()),
            http: Http::new(config.hosts, aws.clock())?.with_timeouts(TIMEOUTS),
            api_version: config.api_version,
            objects: config.objects,
            team_access: config.team_access,
            clock: aws.clock(),
            timer: Timer::real(),
            limits: Limits::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 6] = [
        ("OPERATIONS", "access_token, apps"),
        ("ORGS_TABLE", "orgs"),
        ("CONNECTIONS_TABLE", "connections"),
        ("APPS_SECRET_ARN", "apps"),
        ("TOKEN_SECRET_PREFIX", "ferry/test/tokens"),
        ("TOKEN_SECRET_READERS", "arn:aws:iam::000000000000:role/broker"),
    ];

    #[test]
    fn only_salesforce_hosts_are_accepted_by_default() {
        assert_eq!(Config::from_env(&Env::from_pairs(COMPLETE)).unwrap().hosts, HostPolicy::SalesforceOnly);
    }

    fn objects(writable: &'static str) -> Vec<String> {
        let pairs = [("MIRRORED_OBJECTS", "account,User,Order_Line__c"), ("WRITABLE_OBJECTS", writable)];
        let objects = Objects::from_env(&Env::from_pairs(pairs)).unwrap();
        assert_eq!(objects.mirrored.len(), 3);
        objects.written.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_mirrored_objects_among_the_writable_are_written() {
        assert_eq!(objects("Account,order_line__C,Case"), ["Account", "Order_Line__c"]);
        for default in ["", "*", DEFAULT_WRITABLE_OBJECTS] {
            assert_eq!(objects(default), ["Account"], "{default}");
        }
    }

    #[test]
    fn what_is_only_mirrored_by_default_is_only_read() {
        let objects = Objects::from_env(&Env::from_pairs([("OTHER", "")])).unwrap();
        let names = |objects: &[ObjectName]| objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(names(&objects.mirrored), DEFAULT_MIRRORED_OBJECTS);
        let mirrored = DEFAULT_WRITABLE_OBJECTS.strip_suffix(",CampaignMember");
        assert_eq!(Some(names(&objects.written).as_str()), mirrored);
    }

    #[test]
    fn the_team_has_to_see_everything_by_default() {
        let access = |value: &'static str| {
            let [operations, orgs, connections, apps, tokens, readers] = COMPLETE;
            let env = [operations, orgs, connections, apps, tokens, readers, ("TEAM_ACCESS", value)];
            let env = Env::from_pairs(env);
            Config::from_env(&env).map(|config| config.team_access)
        };
        assert_eq!((access(""), access("full")), (Ok(TeamAccess::Full), Ok(TeamAccess::Full)));
        assert_eq!(access("limited"), Ok(TeamAccess::Limited));
        assert!(matches!(access("some"), Err(EnvError::Invalid { name: "TEAM_ACCESS", .. })));
    }

    #[test]
    fn only_the_listed_operations_are_served() {
        let config = Config::from_env(&Env::from_pairs(COMPLETE)).unwrap();
        assert_eq!(config.operations, [Operation::AccessToken, Operation::Apps]);
        for wrong in ["", "access_token,", "all", "Revoke"] {
            assert!(operations(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_name_is_required() {
        for (name, _) in COMPLETE {
            let env = Env::new(move |asked| {
                COMPLETE
                    .iter()
                    .find(|(known, _)| *known == asked && asked != name)
                    .map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(Config::from_env(&env).unwrap_err(), EnvError::Missing { name });
        }
    }
}
