//! Sends requests to endpoints. Beside `shared/salesforce`, this is the only file that names the HTTP library.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use salesforce::HostPolicy;
use url::{Host, Url};

use crate::{Error, address};

/// The time limit of a request, from connecting to the head of the response.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

/// An HTTP client without redirects and proxies, which connects to public addresses only.
#[derive(Clone, Debug)]
pub struct Sender {
    client: reqwest::Client,
    hosts: HostPolicy,
}

/// The head of a response. Its body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After` in seconds. A date is ignored.
    pub(crate) retry_after: Option<Duration>,
}

/// The reason for which there was no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    TimedOut,
    NotConnected,
    /// The name of the host has an address that is not on the internet.
    AddressRefused,
    Lost,
}

impl NoAnswer {
    /// Returns the stable code.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::NotConnected => "not_connected",
            Self::AddressRefused => "address_refused",
            Self::Lost => "no_response",
        }
    }
}

/// A host resolves to an address that is not on the internet.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the address of the host is not on the internet")]
struct AddressRefused;

impl Sender {
    /// Creates a client. With [`HostPolicy::LoopbackToo`] it also connects to this machine.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(hosts: HostPolicy) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(hosts == HostPolicy::SalesforceOnly)
            .dns_resolver(Arc::new(PublicResolver { hosts }))
            .build()
            .map_err(|_| Error::Tls)?;
        Ok(Self { client, hosts })
    }

    /// Parses the URL of an endpoint, and resolves its host.
    ///
    /// # Errors
    /// [`Error::Url`] with the reason for which it is refused.
    pub(crate) async fn check(&self, text: &str) -> Result<Url, Error> {
        let url = address::parse(text, self.hosts).map_err(Error::Url)?;
        if let Some(Host::Domain(name)) = url.host() {
            match resolve(name, self.hosts).await {
                Ok(_) => {}
                Err(error) if error.is::<AddressRefused>() => {
                    return Err(Error::Url("its host is not on the internet"));
                }
                Err(_) => return Err(Error::Url("its host cannot be resolved")),
            }
        }
        Ok(url)
    }

    /// Sends a request.
    pub(crate) async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Result<Answer, NoAnswer> {
        // A literal address is not resolved, so it is checked here.
        let url = address::parse(url, self.hosts).map_err(|_| NoAnswer::AddressRefused)?;
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").headers(headers).body(body);
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Answer { status: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) })
    }
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<AddressRefused>() {
            return NoAnswer::AddressRefused;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        NoAnswer::TimedOut
    } else if error.is_connect() {
        NoAnswer::NotConnected
    } else {
        NoAnswer::Lost
    }
}

/// Resolves names to public addresses. The connection is made to the very addresses that were checked.
#[derive(Clone, Copy, Debug)]
struct PublicResolver {
    hosts: HostPolicy,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let hosts = self.hosts;
        Box::pin(async move { Ok(Box::new(resolve(name.as_str(), hosts).await?.into_iter()) as Addrs) })
    }
}

/// Resolves a name. One address that is not allowed is enough to refuse it.
async fn resolve(name: &str, hosts: HostPolicy) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    // The port is not used: the HTTP client sets that of the URL.
    let addresses: Vec<_> = tokio::net::lookup_host((name, 0)).await?.collect();
    if addresses.is_empty() || addresses.iter().any(|address| !address::is_allowed(address.ip(), hosts)) {
        return Err(Box::new(AddressRefused));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_with_an_address_of_this_machine_is_refused() {
        // `address::parse` refuses the name already; the resolver is asked directly.
        let refused = resolve("localhost", HostPolicy::SalesforceOnly).await.unwrap_err();
        assert!(refused.is::<AddressRefused>());
        assert!(!resolve("localhost", HostPolicy::LoopbackToo).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_connection_to_a_name_with_a_private_address_is_refused() {
        // As a name does that pointed to the internet when the endpoint was stored.
        let sender = Sender::new(HostPolicy::SalesforceOnly).unwrap();
        let error = sender.client.post("https://localhost/").send().await.unwrap_err();
        assert_eq!(no_answer(&error), NoAnswer::AddressRefused);
        let literal = sender.post("https://127.0.0.1/", HeaderMap::new(), String::new()).await;
        assert_eq!(literal, Err(NoAnswer::AddressRefused));
    }
}
