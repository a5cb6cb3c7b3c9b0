//! The org's HTTP client, for outbound messages and the package's install callout. It sends to loopback addresses only.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use url::{Host, Url};

use crate::Error;

/// The time for which Salesforce waits for an endpoint.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest response body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// An endpoint's response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The org's HTTP client.
#[derive(Clone)]
pub(crate) struct Callouts(Arc<RwLock<Client>>);

struct Client {
    client: reqwest::Client,
    timeout: Duration,
}

/// A client certificate for endpoints that request one.
#[derive(Clone, Debug, Default)]
pub struct ClientCertificate {
    /// The certificate, its chain and its private key, in PEM.
    pub identity_pem: Vec<u8>,
    /// Authorities to trust in addition to the machine's, in PEM.
    pub trusted_pem: Vec<u8>,
}

impl Callouts {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self(Arc::new(RwLock::new(Client { client: client(None)?, timeout: TIMEOUT }))))
    }

    /// Sets or removes the client certificate.
    pub(crate) fn present(&self, certificate: Option<&ClientCertificate>) -> Result<(), Error> {
        let client = client(certificate)?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).client = client;
        Ok(())
    }

    /// Sets the time for which an endpoint's response is awaited.
    pub(crate) fn set_timeout(&self, timeout: Duration) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).timeout = timeout;
    }

    fn client(&self) -> (reqwest::Client, Duration) {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (inner.client.clone(), inner.timeout)
    }

    /// Posts a body to a loopback address.
    pub(crate) async fn post(&self, url: &str, content_type: &str, body: String) -> Result<Reply, Error> {
        let target = loopback(url)?;
        let no_answer = |source: reqwest::Error| Error::NoAnswer {
            url: shown(url),
            timed_out: source.is_timeout(),
            source: source.without_url().into(),
        };
        let (client, timeout) = self.client();
        let request = client
            .post(target)
            .timeout(timeout)
            .header("content-type", content_type)
            .header("soapaction", "\"\"")
            .header("cache-control", "no-cache");
        let mut response = request.body(body).send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BODY {
                break;
            }
        }
        Ok(Reply { status, body: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

fn client(certificate: Option<&ClientCertificate>) -> Result<reqwest::Client, Error> {
    let unusable = |_| Error::Prepare { what: "the client certificate" };
    let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    if let Some(certificate) = certificate {
        let identity = reqwest::Identity::from_pem(&certificate.identity_pem).map_err(unusable)?;
        let trusted = reqwest::Certificate::from_pem_bundle(&certificate.trusted_pem).map_err(unusable)?;
        builder = builder.identity(identity).tls_certs_merge(trusted);
    }
    builder.build().map_err(|_| Error::Prepare { what: "the HTTP client" })
}

/// Returns scheme, host and port of a URL. The path is left out, because it may contain a secret.
fn shown(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "an invalid URL".to_owned(), |url| url.origin().ascii_serialization())
}

/// Returns the URL, if it is a loopback address.
pub(crate) fn loopback(url: &str) -> Result<Url, Error> {
    let refused = || Error::NotLoopback { url: shown(url) };
    let parsed = Url::parse(url).map_err(|_| refused())?;
    let here = match parsed.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if here && matches!(parsed.scheme(), "http" | "https") { Ok(parsed) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callouts_go_to_loopback_addresses_only() {
        for url in ["http://127.0.0.1:9/x", "http://localhost/x", "https://[::1]/x", "http://api.localhost:80/"] {
            assert!(loopback(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "ftp://localhost/",
            "http://0.0.0.0/",
            "x",
        ] {
            assert!(loopback(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_error_does_not_show_the_path() {
        assert_eq!(
            loopback("https://example.com/hooks/SECRET").unwrap_err().to_string(),
            "https://example.com is not a loopback address"
        );
    }
}
