//! What the environment says.

use runtime::{Env, EnvError};
use salesforce::{ApiVersion, HostPolicy, ObjectName};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ORGS_TABLE`: read, to see whose an org is.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`: the connections and their leases.
    pub connections_table: String,
    /// `APPS_SECRET_ARN`: the secret with the app registrations.
    pub apps_secret: String,
    /// `TOKEN_SECRET_PREFIX`: the names of the token secrets begin with it.
    pub token_secret_prefix: String,
    /// `MIRRORED_OBJECTS`: what the user of a team connection must be able to work with; by default Account, Contact, Lead and
    /// Opportunity.
    pub mirrored_objects: Vec<ObjectName>,
    /// `SALESFORCE_API_VERSION`: by default the version that Ferry is written for.
    pub api_version: ApiVersion,
    /// `SALESFORCE_HOSTS`: `salesforce` (default), or `loopback` for the local stack.
    pub hosts: HostPolicy,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// A variable is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            apps_secret: env.required("APPS_SECRET_ARN")?,
            token_secret_prefix: env.required("TOKEN_SECRET_PREFIX")?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", "Account,Contact,Lead,Opportunity")?,
            api_version: env.parsed_or("SALESFORCE_API_VERSION", ApiVersion::DEFAULT)?,
            hosts: runtime::host_policy(env)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("ORGS_TABLE", "orgs"),
        ("CONNECTIONS_TABLE", "connections"),
        ("APPS_SECRET_ARN", "apps"),
        ("TOKEN_SECRET_PREFIX", "ferry/test/tokens"),
    ];

    #[test]
    fn only_salesforce_hosts_are_accepted_by_default() {
        assert_eq!(Config::from_env(&Env::of(COMPLETE)).unwrap().hosts, HostPolicy::SalesforceOnly);
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
