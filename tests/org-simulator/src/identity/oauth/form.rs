//! A form body, with client credentials from the body or from HTTP Basic.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decoded form fields, with the address of the client; an absent field is read as an empty text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    from: Option<IpAddr>,
}

impl Form {
    pub(crate) fn new(fields: Vec<(String, String)>) -> Self {
        Self { fields, from: None }
    }

    /// Parses `application/x-www-form-urlencoded`.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self::new(url::form_urlencoded::parse(body).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Returns the address of the client, if it is known.
    pub(crate) fn from(&self) -> Option<IpAddr> {
        self.from
    }

    /// Sets the address of the client.
    pub(crate) fn sent_from(self, from: Option<IpAddr>) -> Self {
        Self { from, ..self }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    /// Adds client id and secret from an `Authorization: Basic` header, if there is one.
    pub(crate) fn with_basic(self, header: Option<&str>) -> Self {
        let decoded = header.and_then(|h| h.strip_prefix("Basic ")).and_then(|b| STANDARD.decode(b).ok());
        let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        match pair.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((id, secret)) => self.with("client_id", id).with("client_secret", secret),
            None => self,
        }
    }
}
