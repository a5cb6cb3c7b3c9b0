//! Writes requests. Names are prefixed: those without a prefix of their own belong to the partner API.

use quick_xml::escape::escape;

use crate::{Error, RecordId};

/// Returns the envelope of an operation, with the session in its header. It is a secret: never log it.
pub(crate) fn envelope(session: &str, operation: &str) -> String {
    let session = escape(session);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com" xmlns:sobject="urn:sobject.partner.soap.sforce.com"><soapenv:Header><urn:SessionHeader><urn:sessionId>{session}</urn:sessionId></urn:SessionHeader></soapenv:Header><soapenv:Body>{operation}</soapenv:Body></soapenv:Envelope>"#
    )
}

/// An element that is being written.
pub(super) struct Element {
    name: &'static str,
    content: String,
    /// `false` once a name or a text cannot be written as XML.
    valid: bool,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, content: String::new(), valid: true }
    }

    /// Adds a text. One with characters that XML forbids makes the request invalid.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.valid &= is_name(name) && text.chars().all(is_legal);
        let (name, text) = (prefixed(name), escape(text));
        self.content.push_str(&format!("<{name}>{text}</{name}>"));
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.text(name, if flag { "true" } else { "false" });
    }

    /// Adds an id; nothing for `None`.
    pub(super) fn id(&mut self, name: &str, id: Option<RecordId>) {
        if let Some(id) = id {
            self.text(name, id.as_str());
        }
    }

    /// Adds an element.
    pub(super) fn child(&mut self, child: Self) -> Result<(), Error> {
        self.content.push_str(&child.finish()?);
        Ok(())
    }

    /// Returns an element of this name that contains this one.
    pub(super) fn within(self, name: &'static str) -> Result<Self, Error> {
        let mut outer = Self::new(name);
        outer.child(self)?;
        Ok(outer)
    }

    /// Returns the XML.
    pub(super) fn finish(self) -> Result<String, Error> {
        if !self.valid {
            return Err(Error::Invalid { what: "text", reason: "has a character that XML does not allow" });
        }
        let name = prefixed(self.name);
        Ok(format!("<{name}>{}</{name}>", self.content))
    }
}

fn prefixed(name: &str) -> String {
    if name.contains(':') { name.to_owned() } else { format!("urn:{name}") }
}

/// Returns whether a name is that of a field or of an element of the API, with or without a prefix.
fn is_name(name: &str) -> bool {
    let local = name.rsplit(':').next().unwrap_or_default();
    local.starts_with(|first: char| first.is_ascii_alphabetic())
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
