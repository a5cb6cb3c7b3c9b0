//! A form body, with client credentials from the body or from HTTP Basic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decoded form fields; an absent field is read as an empty text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn new(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }

    /// Parses `application/x-www-form-urlencoded`.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(0, (name.to_owned(), value.to_owned()));
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
