//! Mutual TLS: the check of a sender's client certificate.
//!
//! API Gateway requests the certificate, verifies its chain against the domain's truststore, and passes it in the event's
//! context, which a caller's headers cannot change. The common name has to be compared here, because the truststore holds a
//! certificate authority that issues certificates to other customers too.

use runtime::{ClientCertificate, Env};
use x509_parser::pem::parse_x509_pem;

/// The common name that a sender's certificate must have. Empty: no certificate is required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredClient(Option<String>);

impl RequiredClient {
    /// Reads `WEBHOOK_CLIENT_NAME`: the common name, or nothing if no certificate is required.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        Self(env.optional("WEBHOOK_CLIENT_NAME"))
    }

    /// Returns whether a sender with this certificate is accepted.
    #[must_use]
    pub fn admits(&self, certificate: Option<&ClientCertificate>) -> bool {
        let Some(required) = &self.0 else { return true };
        let common_name = certificate.and_then(|certificate| common_name(&certificate.pem));
        common_name.is_some_and(|name| name.eq_ignore_ascii_case(required))
    }
}

/// Returns the common name of the first certificate, if its subject has exactly one.
fn common_name(pem: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).ok().filter(|(_, pem)| pem.label == "CERTIFICATE")?;
    let certificate = pem.parse_x509().ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    names.next().is_none().then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    const SALESFORCE: &str = "proxy.salesforce.com";
    /// The object identifier of a common name, as a further attribute beside [`DnType::CommonName`].
    const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];

    fn required() -> RequiredClient {
        RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", SALESFORCE)]))
    }

    fn pem(subject: &[(DnType, &str)]) -> String {
        let mut name = DistinguishedName::new();
        for (kind, value) in subject {
            name.push(kind.clone(), *value);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn admits(subject: &[(DnType, &str)]) -> bool {
        required().admits(Some(&ClientCertificate { pem: pem(subject) }))
    }

    #[test]
    fn the_common_name_must_be_the_required_one() {
        use DnType::{CommonName, CountryName, OrganizationName};
        assert!(admits(&[(CommonName, SALESFORCE)]));
        assert!(admits(&[(CommonName, "Proxy.Salesforce.com")]));
        assert!(admits(&[(CountryName, "US"), (OrganizationName, "Salesforce, Inc."), (CommonName, SALESFORCE)]));
    }

    #[test]
    fn a_name_elsewhere_or_almost_right_is_refused() {
        use DnType::{CommonName, OrganizationName, OrganizationalUnitName};
        assert!(!admits(&[]));
        for name in [
            "",
            "x",
            "proxy.salesforce.com.example.com",
            "proxy.salesforce.com\0.example.com",
            "proxy.salesforce.com ",
            " proxy.salesforce.com",
            "*.salesforce.com",
            "evil-proxy.salesforce.com",
            "prоxy.salesforce.com",
            "proxy.salesforce.com/O=x",
            "x,CN=proxy.salesforce.com",
            "x\", CN=proxy.salesforce.com",
        ] {
            assert!(!admits(&[(CommonName, name)]), "{name}");
        }
        assert!(!admits(&[(OrganizationName, SALESFORCE), (CommonName, "x")]));
        assert!(!admits(&[(OrganizationalUnitName, "CN=proxy.salesforce.com")]));
        assert!(!admits(&[(CommonName, "x"), (OrganizationName, "y,CN=proxy.salesforce.com")]));
    }

    #[test]
    fn a_second_common_name_is_refused() {
        let further = || DnType::CustomDnType(COMMON_NAME.to_vec());
        for (first, second) in [("x", SALESFORCE), (SALESFORCE, "x"), (SALESFORCE, SALESFORCE)] {
            assert!(!admits(&[(DnType::CommonName, first), (further(), second)]), "{first} {second}");
        }
    }

    #[test]
    fn an_invalid_certificate_is_refused() {
        let valid = pem(&[(DnType::CommonName, SALESFORCE)]);
        let cut = valid.lines().filter(|line| line.starts_with("-----")).collect::<Vec<_>>().join("\n");
        for pem in [
            "",
            "CN=proxy.salesforce.com",
            &cut,
            &valid.replace("BEGIN", "END"),
            &valid.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
            &valid.replace("MII", "NII"),
        ] {
            assert!(!required().admits(Some(&ClientCertificate { pem: pem.to_owned() })), "{pem}");
        }
    }

    #[test]
    fn a_certificate_is_required_only_with_a_name() {
        let anybody = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", "")]));
        assert!(anybody.admits(None));
        assert!(!required().admits(None));
    }
}
