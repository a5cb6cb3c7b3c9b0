//! The addresses that an endpoint may have. Pure.
//!
//! A tenant chooses the URL, so it must not lead into the network of the deployment or to the metadata of its machines. The
//! address is checked when the URL is stored, and the resolved addresses at each connection, because a name can change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use salesforce::HostPolicy;
use url::{Host, Url};

/// The longest URL.
const MAX_BYTES: usize = 1024;
/// Names that are never public (RFC 6761, RFC 8375, and the ones that clouds use).
const PRIVATE_SUFFIXES: [&str; 7] = ["localhost", "local", "internal", "home.arpa", "test", "invalid", "onion"];

/// Returns whether an address is reachable on the internet and belongs to one machine there.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The ranges are those of the IANA IPv4 Special-Purpose Address Registry, with multicast and the reserved class E.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224)
}

/// Only global unicast (2000::/3) without the ranges for protocols, documentation, and tunnels that carry an IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [first, second, ..] = address.segments();
    let is_for_protocols = first == 0x2001 && second < 0x0200;
    let is_documentation = (first, second) == (0x2001, 0x0db8) || (first == 0x3fff && second < 0x1000);
    first & 0xe000 == 0x2000 && !is_for_protocols && !is_documentation && first != 0x2002
}

/// Returns whether a connection to the address may be made.
pub(crate) fn is_allowed(address: IpAddr, hosts: HostPolicy) -> bool {
    is_public(address) || (hosts == HostPolicy::LoopbackToo && address.is_loopback())
}

/// Parses the URL of an endpoint.
///
/// # Errors
/// The reason why it is refused, as a clause.
pub(crate) fn parse(text: &str, hosts: HostPolicy) -> Result<Url, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("it has more than 1024 bytes");
    }
    let url = Url::parse(text).map_err(|_| "it is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains credentials");
    }
    if url.fragment().is_some() {
        return Err("it has a fragment");
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(name)) if is_private_name(name) => return Err("its host is not on the internet"),
        Some(Host::Domain(_)) => None,
        None => return Err("it has no host"),
    };
    let is_loopback = hosts == HostPolicy::LoopbackToo && literal.is_some_and(|address| address.is_loopback());
    if url.scheme() != "https" && !(is_loopback && url.scheme() == "http") {
        return Err("it is not an https URL");
    }
    if literal.is_some_and(|address| !is_allowed(address, hosts)) {
        return Err("its address is not on the internet");
    }
    Ok(url)
}

fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let has_suffix =
        |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| has_suffix(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_on_the_internet_is_not_public() {
        let private = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_url_of_an_endpoint_is_https_on_the_internet() {
        let refused = [
            "platform.example.com",
            "http://platform.example.com/",
            "https://user:pw@platform.example.com/",
            "https://platform.example.com/#x",
            "https://localhost/",
            "https://metadata/",
            "https://db.internal/",
            "https://printer.local./",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "ftp://platform.example.com/",
        ];
        for url in refused {
            assert!(parse(url, HostPolicy::SalesforceOnly).is_err(), "{url}");
        }
        for url in ["https://platform.example.com/hooks?for=ferry", "https://platform.example.com:8443/"] {
            assert_eq!(parse(url, HostPolicy::SalesforceOnly).unwrap().as_str(), url);
        }
        assert!(parse(&format!("https://example.com/{}", "x".repeat(MAX_BYTES)), HostPolicy::SalesforceOnly).is_err());
    }

    #[test]
    fn the_local_stack_reaches_its_own_machine_and_no_other() {
        assert!(parse("http://127.0.0.1:8080/", HostPolicy::LoopbackToo).is_ok());
        assert!(parse("http://127.0.0.1:8080/", HostPolicy::SalesforceOnly).is_err());
        assert!(parse("http://10.0.0.1/", HostPolicy::LoopbackToo).is_err());
        assert!(parse("https://169.254.169.254/", HostPolicy::LoopbackToo).is_err());
    }
}
