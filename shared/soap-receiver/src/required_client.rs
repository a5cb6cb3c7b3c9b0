//! Mutual TLS: the check of a sender's client certificate.
//!
//! API Gateway requests the certificate, verifies its chain against the domain's truststore, and passes its subject in the
//! event's context, which a caller's headers cannot change. The common name has to be compared here, because the truststore
//! holds a certificate authority that issues certificates to other customers too.

use runtime::{ClientCertificate, Env};

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
        let common_name = certificate.and_then(|certificate| common_name(&certificate.subject));
        common_name.is_some_and(|name| name.eq_ignore_ascii_case(required))
    }
}

/// Returns the common name of a well-formed distinguished name that has exactly one.
fn common_name(subject: &str) -> Option<String> {
    let mut names = attributes(subject)?.into_iter().filter(|(kind, _)| is_common_name(kind));
    let (_, name) = names.next()?;
    names.next().is_none().then_some(name)
}

fn is_common_name(kind: &str) -> bool {
    ["CN", "2.5.4.3", "OID.2.5.4.3", "commonName"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// Parses the attributes of a distinguished name: RFC 4514, with the spaces, semicolons and quotes of RFC 1779 that are
/// still in use.
fn attributes(subject: &str) -> Option<Vec<(String, String)>> {
    let mut characters = subject.chars().peekable();
    let mut attributes = Vec::new();
    loop {
        let kind: String = std::iter::from_fn(|| characters.next_if(|next| *next != '=')).collect();
        let kind = kind.trim();
        let is_kind = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.');
        if kind.is_empty() || !kind.chars().all(is_kind) || characters.next() != Some('=') {
            return None;
        }
        let value = value(&mut characters)?;
        attributes.push((kind.to_owned(), value));
        match characters.next() {
            None => return Some(attributes),
            Some(',' | ';' | '+') => {}
            Some(_) => return None,
        }
    }
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Parses the value of an attribute, up to the separator.
fn value(characters: &mut Characters<'_>) -> Option<String> {
    while characters.next_if_eq(&' ').is_some() {}
    let quoted = characters.next_if_eq(&'"').is_some();
    // Bytes, because a character beyond ASCII may be escaped byte by byte.
    let mut value = Vec::new();
    let mut trimmed_len = 0;
    while let Some(next) = characters.next_if(|next| quoted || !matches!(next, ',' | ';' | '+' | '"')) {
        match next {
            '"' => {
                while characters.next_if_eq(&' ').is_some() {}
                return String::from_utf8(value).ok();
            }
            '\\' => {
                escaped(characters, &mut value)?;
                trimmed_len = value.len();
            }
            other => {
                value.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                trimmed_len = if other == ' ' && !quoted { trimmed_len } else { value.len() };
            }
        }
    }
    value.truncate(trimmed_len);
    if quoted { None } else { String::from_utf8(value).ok() }
}

/// Parses an escape sequence after its backslash: two hexadecimal digits, or one character.
fn escaped(characters: &mut Characters<'_>, value: &mut Vec<u8>) -> Option<()> {
    let first = characters.next()?;
    let byte = match first.to_digit(16) {
        Some(high) => high * 16 + characters.next()?.to_digit(16)?,
        None if first.is_ascii() && !first.is_ascii_alphanumeric() => u32::from(first),
        None => return None,
    };
    value.push(u8::try_from(byte).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALESFORCE: &str = "proxy.salesforce.com";

    fn admits(subject: &str) -> bool {
        let required = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", SALESFORCE)]));
        required.admits(Some(&ClientCertificate { subject: subject.to_owned() }))
    }

    #[test]
    fn the_common_name_must_be_the_required_one() {
        for subject in [
            "CN=proxy.salesforce.com",
            "cn=Proxy.Salesforce.com",
            "2.5.4.3=proxy.salesforce.com",
            "CN=proxy.salesforce.com,OU=Salesforce.com\\, Inc.,O=Salesforce\\, Inc.,L=San Francisco,ST=California,C=US",
            "C=US, ST=California, L=San Francisco, O=\"Salesforce, Inc.\", CN=proxy.salesforce.com",
            "O=x+CN=proxy.salesforce.com",
            "CN = proxy.salesforce.com , O=x",
            "CN=\"proxy.salesforce.com\"",
            "CN=proxy\\2Esalesforce.com",
        ] {
            assert!(admits(subject), "{subject}");
        }
    }

    #[test]
    fn a_name_elsewhere_or_almost_right_is_refused() {
        for subject in [
            "",
            "proxy.salesforce.com",
            "CN=",
            "CN=x",
            "CN=x, O=CN=proxy.salesforce.com",
            "CN=x,O=\\,CN=proxy.salesforce.com",
            "CN=x,O=\"y, CN=proxy.salesforce.com\"",
            "O=\"y,CN=proxy.salesforce.com\"",
            "O=y\\,CN=proxy.salesforce.com",
            "O=y\\2CCN=proxy.salesforce.com",
            "OU=proxy.salesforce.com,CN=x",
            "emailAddress=proxy.salesforce.com",
            "SCN=proxy.salesforce.com",
            "CN=x,CN=proxy.salesforce.com",
            "CN=proxy.salesforce.com,CN=proxy.salesforce.com",
            "CN=x+CN=proxy.salesforce.com",
            "CN=proxy.salesforce.com.example.com",
            "CN=proxy.salesforce.com\\00.example.com",
            "CN=proxy.salesforce.com\\ ",
            "CN=\" proxy.salesforce.com\"",
            "CN=*.salesforce.com",
            "CN=evil-proxy.salesforce.com",
            "CN=prоxy.salesforce.com",
            "/C=US/CN=proxy.salesforce.com",
            "CN=proxy.salesforce.com/O=x",
        ] {
            assert!(!admits(subject), "{subject}");
        }
    }

    #[test]
    fn an_invalid_distinguished_name_is_refused() {
        for subject in [
            "CN=proxy.salesforce.com,",
            ",CN=proxy.salesforce.com",
            "CN=proxy.salesforce.com,O",
            "CN=proxy.salesforce.com,O=\"x",
            "CN=\"proxy.salesforce.com\"x",
            "CN=proxy.salesforce.com\"",
            "CN=proxy.salesforce.com\\",
            "CN=proxy.salesforce.com,O=\\q",
            "CN=proxy.salesforce.com,O=\\F",
            "CN=proxy.salesforce.com,O=\\FF",
            "CN\\=proxy.salesforce.com",
        ] {
            assert!(!admits(subject), "{subject}");
        }
    }

    #[test]
    fn a_character_may_be_escaped_byte_by_byte() {
        assert_eq!(attributes("O=M\\C3\\BCller").unwrap(), [("O".to_owned(), "Müller".to_owned())]);
    }

    #[test]
    fn a_certificate_is_required_only_with_a_name() {
        let anybody = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", "")]));
        assert!(anybody.admits(None));
        let required = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", SALESFORCE)]));
        assert!(!required.admits(None));
    }
}
