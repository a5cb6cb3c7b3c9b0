//! The request for a connect link, the stored state of a started consent, and the install URL for a ticket.

use connecting::connect_links::{LINK_TTL, Ticket, expiry};
use connecting::one_time::Digest;
use jiff::Timestamp;
use salesforce::{HostPolicy, LoginHost, OrgId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{ConnectionKind, Environment, PlatformUser, PublicApp, Tenant};

/// The body of `POST /v1/connect-links`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkRequest {
    #[serde(default)]
    pub(crate) tenant: Option<Tenant>,
    kind: Kind,
    #[serde(default)]
    pub(crate) environment: Option<Environment>,
    #[serde(default)]
    pub(crate) my_domain_url: Option<String>,
    #[serde(default)]
    platform_user: Option<PlatformUser>,
    #[serde(default)]
    pub(crate) org_id: Option<OrgId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Team,
    Personal,
}

impl LinkRequest {
    pub(crate) fn is_personal(&self) -> bool {
        self.kind == Kind::Personal
    }

    /// Returns the ticket of the caller's tenant, or the reason for which the fields of the request contradict each other.
    pub(crate) fn ticket(self, tenant: Tenant, now: Timestamp, hosts: HostPolicy) -> Result<Ticket, &'static str> {
        let (environment, my_domain_url) = self.login(hosts)?;
        let kind = match (self.kind, self.platform_user) {
            (Kind::Team, None) => ConnectionKind::Team,
            (Kind::Team, Some(_)) => return Err("a team link must not have platform_user"),
            (Kind::Personal, None) => return Err("a personal link needs platform_user"),
            (Kind::Personal, Some(_)) if self.org_id.is_none() => return Err("a personal link needs org_id"),
            (Kind::Personal, Some(platform_user)) => ConnectionKind::Personal { platform_user },
        };
        let expires_at = expiry(now, LINK_TTL);
        Ok(Ticket { tenant, kind, environment, org_id: self.org_id, my_domain_url, expires_at })
    }

    /// Returns the environment and the My Domain. Most My Domains imply their environment.
    fn login(&self, hosts: HostPolicy) -> Result<(Environment, Option<String>), &'static str> {
        let Some(url) = &self.my_domain_url else {
            return self
                .environment
                .map(|environment| (environment, None))
                .ok_or("environment or my_domain_url is required");
        };
        let host = LoginHost::parse_my_domain(url, hosts);
        let host = host.map_err(|_| "my_domain_url is not of the form https://NAME.my.salesforce.com")?;
        let implied =
            host.is_sandbox().map(|sandbox| if sandbox { Environment::Sandbox } else { Environment::Production });
        let environment = match (implied, self.environment) {
            (Some(implied), Some(requested)) if implied != requested => {
                return Err("my_domain_url belongs to the other environment");
            }
            (implied, requested) => {
                implied.or(requested).ok_or("environment is required: my_domain_url does not imply it")?
            }
        };
        Ok((environment, Some(host.to_string())))
    }
}

/// A started consent, stored under its state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PendingConsent {
    #[serde(flatten)]
    pub(crate) ticket: Ticket,
    /// The app registration of the consent.
    pub(crate) app: String,
    /// The login host to which the browser was redirected.
    pub(crate) login_url: String,
    /// The digest of the browser's cookie.
    pub(crate) browser: Digest,
    #[serde(with = "runtime::exposed")]
    pub(crate) code_verifier: SecretString,
    #[serde(with = "runtime::exposed")]
    pub(crate) nonce: SecretString,
}

/// Returns the package's install URL: at the org's My Domain where the ticket has one, else at the login host of the
/// environment.
pub(crate) fn install_url(registration: &PublicApp, ticket: &Ticket) -> Option<String> {
    let registered = registered_install_url(registration, ticket.environment)?;
    let Some(my_domain) = &ticket.my_domain_url else { return Some(registered.to_owned()) };
    let (_, path) = registered.split_once("://")?.1.split_once('/')?;
    Some(format!("{my_domain}/{path}"))
}

/// Returns the install URL that is registered for an environment.
pub(crate) fn registered_install_url(registration: &PublicApp, environment: Environment) -> Option<&str> {
    match environment {
        Environment::Production => registration.install_url_production.as_deref(),
        Environment::Sandbox => registration.install_url_sandbox.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ticket(body: serde_json::Value) -> Result<Ticket, String> {
        let request: LinkRequest = serde_json::from_value(body).map_err(|error| error.to_string())?;
        request
            .ticket("acme".parse().unwrap(), Timestamp::UNIX_EPOCH, HostPolicy::SalesforceOnly)
            .map_err(str::to_owned)
    }

    #[test]
    fn a_team_link_needs_no_org() {
        let ticket = ticket(json!({"kind": "team", "environment": "sandbox"})).unwrap();
        assert!(ticket.is_team());
        assert_eq!(ticket.org_id, None);
        assert_eq!(ticket.minutes_left(Timestamp::UNIX_EPOCH), 15);
    }

    #[test]
    fn a_personal_link_needs_a_user_and_an_org() {
        let base = json!({"kind": "personal", "environment": "production"});
        let with = |more: &[(&str, &str)]| {
            let mut body = base.clone();
            for (name, value) in more {
                body[*name] = json!(value);
            }
            ticket(body)
        };
        assert!(with(&[]).unwrap_err().contains("platform_user"));
        assert!(with(&[("platform_user", "rep-1")]).unwrap_err().contains("org_id"));
        let complete = with(&[("platform_user", "rep-1"), ("org_id", "00D5e000000KQ2e")]).unwrap();
        assert_eq!(complete.platform_user().unwrap().as_str(), "rep-1");
        assert_eq!(complete.org_id.unwrap().to_string(), "00D5e000000KQ2eEAG");
    }

    #[test]
    fn a_my_domain_implies_the_environment() {
        let with = |url: &str, environment: Option<&str>| {
            let mut body = json!({"kind": "team", "my_domain_url": url});
            if let Some(environment) = environment {
                body["environment"] = json!(environment);
            }
            ticket(body)
        };
        let sandbox = with("https://acme--dev.sandbox.my.salesforce.com/", None).unwrap();
        assert_eq!(sandbox.environment, Environment::Sandbox);
        assert_eq!(sandbox.my_domain_url.as_deref(), Some("https://acme--dev.sandbox.my.salesforce.com"));
        let production = with("https://acme.my.salesforce.com", Some("production")).unwrap();
        assert_eq!(production.environment, Environment::Production);
        assert!(with("https://acme.my.salesforce.com", Some("sandbox")).unwrap_err().contains("other environment"));
        assert!(with("https://acme.my.evil.example", None).unwrap_err().contains("my_domain_url"));
    }

    #[test]
    fn an_invalid_link_request_is_refused() {
        for body in [
            json!({"tenant": "", "kind": "team", "environment": "production"}),
            json!({"kind": "team", "environment": "staging"}),
            json!({"kind": "team"}),
            json!({"kind": "team", "environment": "production", "platform_user": "rep-1"}),
            json!({"kind": "team", "environment": "production", "org_id": "00D5e000000KQ2eAAA"}),
            json!({"kind": "team", "environment": "production", "redirect": "https://example.com"}),
        ] {
            assert!(ticket(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_stored_consent_is_complete_and_hides_its_secrets() {
        let pending = PendingConsent {
            ticket: ticket(json!({"kind": "team", "environment": "production"})).unwrap(),
            app: "v2".to_owned(),
            login_url: "https://login.salesforce.com".to_owned(),
            browser: Digest::new("browser"),
            code_verifier: "the-verifier".into(),
            nonce: "the-nonce".into(),
        };
        let stored: PendingConsent = serde_json::from_value(serde_json::to_value(&pending).unwrap()).unwrap();
        assert_eq!(stored.ticket, pending.ticket);
        assert_eq!(stored.browser, pending.browser);
        let debug = format!("{stored:?}");
        assert!(!debug.contains("the-verifier") && !debug.contains("the-nonce"));
    }

    #[test]
    fn a_link_and_a_consent_of_version_0_1_0_are_read() {
        let rows = include_str!("../../../tests/fixtures/stored/0.1.0/authorizations.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(rows).unwrap();
        let payload = |purpose: &str| {
            let is_wanted =
                |row: &&serde_json::Value| row["authorization_id"]["S"].as_str().unwrap().starts_with(purpose);
            rows.iter().find(is_wanted).unwrap()["payload"]["S"].as_str().unwrap().to_owned()
        };

        let ticket: Ticket = serde_json::from_str(&payload("ticket#")).unwrap();
        let consent: PendingConsent = serde_json::from_str(&payload("state#")).unwrap();

        assert_eq!((ticket.tenant.as_str(), ticket.is_team()), ("acme", false));
        assert_eq!(ticket.platform_user().unwrap().as_str(), "rep-5");
        assert_eq!((consent.ticket, consent.app.as_str()), (ticket, "v2"));
    }
}
