//! Checks of hosts: an `instance_url` or a login host is accepted only if it belongs to Salesforce.

use std::fmt;

use serde::Serialize;
use url::Url;

use crate::{Error, ObjectName, RecordId};

/// The hosts that Ferry may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPolicy {
    /// `https` on `salesforce.com`, `force.com` and `salesforce.mil` hosts only.
    SalesforceOnly,
    /// In addition `http` and `https` on loopback, for the local stack and tests.
    LoopbackToo,
}

/// The checked base URL of an org's API: an origin without a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct InstanceUrl(String);

/// The checked origin of the OAuth endpoints: login, test, or the org's My Domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct LoginHost(String);

impl InstanceUrl {
    /// Parses an `instance_url`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is not an `https` origin of a host that `policy` allows.
    pub fn parse(url: &str, policy: HostPolicy) -> Result<Self, Error> {
        origin(url, policy, "instance URL").map(Self)
    }

    /// Returns the origin, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL of a record's page in Lightning Experience.
    ///
    /// A My Domain `NAME.my.salesforce.com` has its pages on `NAME.lightning.force.com`, also in a sandbox
    /// (Salesforce Help, My Domain URL Formats). Other hosts lead to the page by a redirect.
    #[must_use]
    pub fn record_page(&self, object: &ObjectName, id: &RecordId) -> String {
        let origin = match self.0.strip_suffix(".my.salesforce.com") {
            Some(my_domain) => format!("{my_domain}.lightning.force.com"),
            None => self.0.clone(),
        };
        format!("{origin}/lightning/r/{object}/{id}/view")
    }
}

impl LoginHost {
    /// Parses a login host such as `https://login.salesforce.com`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is not an `https` origin of a host that `policy` allows.
    pub fn parse(url: &str, policy: HostPolicy) -> Result<Self, Error> {
        origin(url, policy, "login host").map(Self)
    }

    /// Parses the My Domain of an org, such as `https://acme--dev.sandbox.my.salesforce.com`
    /// (Salesforce Help, My Domain URL formats).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is neither a My Domain nor a loopback host that `policy` allows.
    pub fn parse_my_domain(url: &str, policy: HostPolicy) -> Result<Self, Error> {
        let host = Self::parse(url, policy)?;
        let is_loopback = !host.0.ends_with(".com") && !host.0.ends_with(".mil");
        if is_loopback || host.my_domain().is_some() {
            Ok(host)
        } else {
            Err(Error::Invalid { what: "My Domain", reason: "is not of the form https://NAME.my.salesforce.com" })
        }
    }

    /// Returns the part before `.my.salesforce.com` or `.my.salesforce.mil`.
    fn my_domain(&self) -> Option<&str> {
        let name = self.0.strip_prefix("https://")?;
        let name = name.strip_suffix(".my.salesforce.com").or_else(|| name.strip_suffix(".my.salesforce.mil"))?;
        (!name.is_empty()).then_some(name)
    }

    /// Returns whether a My Domain belongs to a sandbox or a scratch org, which use `test.salesforce.com`; `None` if the host is
    /// not a My Domain.
    #[must_use]
    pub fn is_sandbox(&self) -> Option<bool> {
        let name = self.my_domain()?;
        Some(name.ends_with(".sandbox") || name.ends_with(".scratch"))
    }

    /// Returns the origin, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn origin(url: &str, policy: HostPolicy, what: &'static str) -> Result<String, Error> {
    let invalid = |reason| Error::Invalid { what, reason };
    let url = Url::parse(url.trim()).map_err(|_| invalid("is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("contains credentials"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a path, a query or a fragment"));
    }
    if is_salesforce(&url) || (policy == HostPolicy::LoopbackToo && is_loopback(&url)) {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(invalid("is not https on a Salesforce host"))
    }
}

fn is_salesforce(url: &Url) -> bool {
    const SUFFIXES: [&str; 3] = [".salesforce.com", ".force.com", ".salesforce.mil"];
    let Some(url::Host::Domain(host)) = url.host() else {
        return false;
    };
    url.scheme() == "https" && url.port().is_none() && SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
}

fn is_loopback(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(host)) => host == "localhost" || host.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    loopback && matches!(url.scheme(), "http" | "https")
}

macro_rules! display {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

display!(InstanceUrl);
display!(LoginHost);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_my_domain_shows_if_the_org_is_a_sandbox() {
        let cases = [
            ("https://acme.my.salesforce.com", Some(false)),
            ("https://acme-dev-ed.develop.my.salesforce.com", Some(false)),
            ("https://acme--dev.sandbox.my.salesforce.com", Some(true)),
            ("https://acme.scratch.my.salesforce.com", Some(true)),
            ("https://agency.my.salesforce.mil", Some(false)),
        ];
        for (url, sandbox) in cases {
            let host = LoginHost::parse_my_domain(url, HostPolicy::SalesforceOnly).unwrap();
            assert_eq!(host.is_sandbox(), sandbox, "{url}");
        }
        let local = LoginHost::parse_my_domain("http://127.0.0.1:8590", HostPolicy::LoopbackToo).unwrap();
        assert_eq!(local.is_sandbox(), None);
    }

    #[test]
    fn other_hosts_are_not_a_my_domain() {
        for url in [
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            "https://my.salesforce.com",
            "https://.my.salesforce.com",
            "https://acme.lightning.force.com",
            "https://acme.my.salesforce.com.evil.example",
            "https://acme.my.salesforce.com/services/oauth2/token",
            "https://acme.my.salesforce.com:8443",
            "https://evil.example?.my.salesforce.com",
            "https://user@acme.my.salesforce.com",
            "http://acme.my.salesforce.com",
            "http://127.0.0.1:8590",
        ] {
            assert!(LoginHost::parse_my_domain(url, HostPolicy::SalesforceOnly).is_err(), "{url}");
        }
    }

    fn parse(url: &str, policy: HostPolicy) -> Option<String> {
        InstanceUrl::parse(url, policy).ok().map(|url| url.0)
    }

    #[test]
    fn salesforce_hosts_are_accepted() {
        for url in [
            "https://acme.my.salesforce.com",
            "https://acme--uat.sandbox.my.salesforce.com",
            "https://na1.salesforce.com",
            "https://acme.my.salesforce.mil",
            "https://acme.lightning.force.com",
        ] {
            assert_eq!(parse(url, HostPolicy::SalesforceOnly).as_deref(), Some(url));
            assert_eq!(parse(&format!("{url}/"), HostPolicy::SalesforceOnly).as_deref(), Some(url));
        }
    }

    #[test]
    fn other_hosts_are_rejected() {
        for url in [
            "http://acme.my.salesforce.com",
            "https://salesforce.com.evil.example",
            "https://evilsalesforce.com",
            "https://salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://user@acme.my.salesforce.com",
            "https://acme.my.salesforce.com@evil.example",
            "https://acme.my.salesforce.com/services",
            "https://acme.my.salesforce.com/?x",
            "https://acme.my.salesforce.com/#x",
            "https://evil.example/.salesforce.com",
            "https://127.0.0.1",
            "ftp://acme.my.salesforce.com",
            "acme.my.salesforce.com",
            "",
        ] {
            assert_eq!(parse(url, HostPolicy::SalesforceOnly), None, "{url}");
        }
    }

    #[test]
    fn a_record_has_its_page_on_the_lightning_host() {
        for (instance, page) in [
            ("https://acme.my.salesforce.com", "https://acme.lightning.force.com"),
            ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.lightning.force.com"),
            ("https://acme-dev-ed.develop.my.salesforce.com", "https://acme-dev-ed.develop.lightning.force.com"),
            ("https://agency.my.salesforce.mil", "https://agency.my.salesforce.mil"),
            ("https://na1.salesforce.com", "https://na1.salesforce.com"),
            ("http://127.0.0.1:8590", "http://127.0.0.1:8590"),
        ] {
            let instance = InstanceUrl::parse(instance, HostPolicy::LoopbackToo).unwrap();
            let id = "001dM00003jU9Gx".parse().unwrap();
            let expected = format!("{page}/lightning/r/Account/001dM00003jU9GxQAK/view");
            assert_eq!(instance.record_page(&ObjectName::from_static("Account"), &id), expected);
        }
    }

    #[test]
    fn loopback_is_accepted_only_if_allowed() {
        for url in ["http://127.0.0.1:8080", "http://localhost:8080", "https://[::1]:1", "http://org.localhost:2"] {
            assert_eq!(parse(url, HostPolicy::LoopbackToo).as_deref(), Some(url));
            assert_eq!(parse(url, HostPolicy::SalesforceOnly), None);
        }
        for url in ["http://10.0.0.1", "http://localhost.evil.example", "http://example.com"] {
            assert_eq!(parse(url, HostPolicy::LoopbackToo), None, "{url}");
        }
    }
}
